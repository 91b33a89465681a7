//! Disputes in three tiers, and who may read what meanwhile.

use std::collections::BTreeSet;

use deed_lifecycle::{Action, Role, State, VerdictMode};
use serde_json::{Value, json};

use crate::parties::Parties;
use crate::support::text;

#[tokio::test]
async fn the_third_party_reads_that_chain_and_nothing_else() {
    let parties = Parties::new().await;
    let key = &parties.other.agent;
    let another = parties.in_state(State::Failed).await;
    let record = parties.in_state(State::DisputedTier1).await;
    let mut child = parties.draft(VerdictMode::Principal);
    child["autoActivate"] = json!(true);
    let parent = parties.create(child.clone()).await;
    child["parentRecordId"] = json!(parent);
    let child = parties.create(child).await;
    let reads = |record: &str| {
        ["", "/entries", "/signals", "/audit-export"]
            .map(|what| format!("/v1/records/{record}{what}"))
    };
    for path in reads(&record) {
        parties.app.get(key, path).await.problem(404, "not-found");
    }
    parties.must(&record, Role::Performer, Action::EscalateToReview).await;
    for path in reads(&record) {
        assert_eq!(parties.app.get(key, path).await.status, 200);
    }
    // Its steps are what it may do: judge, not write into another organisation's chain.
    let read = parties.app.get(key, format!("/v1/records/{record}")).await.ok(200);
    let steps: Vec<String> =
        read["nextSteps"].as_array().unwrap().iter().map(|s| text(s, "/action")).collect();
    assert_eq!(
        steps,
        [
            "resolve-overturn",
            "resolve-remediate",
            "resolve-uphold",
            "escalate-to-human",
            "read",
            "entries",
            "signals",
            "export"
        ]
    );
    for path in [
        format!("/v1/records/{record}/tree"),
        format!("/v1/records/{record}/audit-export?scope=tree"),
    ] {
        parties.app.get(key, path).await.problem(404, "not-found");
    }
    for other in [&another, &parent, &child] {
        for path in reads(other) {
            parties.app.get(key, path).await.problem(404, "not-found");
        }
    }
    assert_eq!(parties.app.all(key, "/v1/records").await, Vec::<Value>::new());
    let note = format!("/v1/records/{record}/notes");
    parties.app.post(key, note, json!({ "text": "x" })).await.problem(404, "not-found");
    // The right is its own: not its colleagues', not its administrator's.
    let colleague = parties.app.agent(&parties.other.id, "colleague").await;
    let wanted = json!({ "role": "agent", "orgId": parties.other.id, "agentId": colleague });
    let colleague = parties.app.mint(wanted).await;
    for stranger in [&colleague, &parties.other.admin] {
        for path in reads(&record) {
            parties.app.get(stranger, path).await.problem(404, "not-found");
        }
    }
    // It keeps the right to check what it decided.
    parties.must(&record, Role::Accessor, Action::ResolveUphold).await;
    for path in reads(&record) {
        assert_eq!(parties.app.get(key, path).await.status, 200);
    }
}

#[tokio::test]
async fn each_tier_has_its_judge() {
    let parties = Parties::new().await;
    for (way, role, action, end, signal) in [
        (&[][..], Role::Principal, Action::ResolveOverturn, State::Fulfilled, Some("RELEASE")),
        (&[], Role::Principal, Action::ResolveRemediate, State::Remediated, Some("RELEASE")),
        (&[], Role::Performer, Action::WithdrawDispute, State::Failed, None),
        (&[2], Role::Accessor, Action::ResolveOverturn, State::Fulfilled, Some("RELEASE")),
        (&[2], Role::Accessor, Action::ResolveUphold, State::Failed, None),
        (&[2, 3], Role::Admin, Action::ResolveRemediate, State::Remediated, Some("RELEASE")),
        (&[2, 3], Role::Admin, Action::ResolveUphold, State::Failed, None),
    ] {
        let record = parties.in_state(State::DisputedTier1).await;
        for tier in way {
            let action =
                if *tier == 2 { Action::EscalateToReview } else { Action::EscalateToHuman };
            parties.must(&record, Role::Performer, action).await;
        }
        let answer = parties.act(&record, role, action).await.ok(200);
        assert_eq!(answer["record"]["status"], end.as_str());
        assert_eq!(answer["entry"]["body"]["signal"].as_str(), signal);
        // What was decided is not disputed again.
        let refused = parties.act(&record, Role::Performer, Action::Dispute).await;
        let code = if end == State::Failed { "already-disputed" } else { "action-not-allowed" };
        let problem = refused.problem(422, code);
        assert_eq!(problem["allowedActions"], json!([]));
        parties.verified(&record).await;
    }
}

#[tokio::test]
async fn the_rules_judge_again_once_in_the_first_tier() {
    let parties = Parties::new().await;
    let mut wanted = parties.draft(VerdictMode::Auto);
    wanted["autoActivate"] = json!(true);
    for (again, end) in [
        (Action::ReevaluationPassed, State::Fulfilled),
        (Action::ReevaluationFailed, State::DisputedTier1),
    ] {
        let record = parties.create(wanted.clone()).await;
        parties.must(&record, Role::Performer, Action::Complete).await;
        let failed = parties.must(&record, Role::System, Action::EvaluationFailed).await;
        assert_eq!(failed, State::Failed);
        assert!(!parties.system(&record, again).await, "nobody disputes it");
        parties.must(&record, Role::Performer, Action::Dispute).await;
        let client = parties.app.superuser().await;
        let sql = "SELECT count(*) FROM jobs WHERE record_id::text = $1";
        let jobs: i64 = client.query_one(sql, &[&record]).await.unwrap().get(0);
        assert_eq!(jobs, 2, "one for the completion, one for the dispute");
        assert_eq!(parties.must(&record, Role::System, again).await, end);
        assert!(!parties.system(&record, again).await, "a second time");
        parties.verified(&record).await;
    }
}

#[tokio::test]
async fn a_third_party_is_no_party() {
    let parties = Parties::new().await;
    let record = parties.in_state(State::DisputedTier1).await;
    let path = format!("/v1/records/{record}/dispute/escalate");
    let nobody = "0196f000-0000-7000-8000-000000000000";
    for (accessor, code) in [
        (parties.org.agent_id.as_str(), "accessor-is-party"),
        (&parties.performer_id, "accessor-is-party"),
        (nobody, "accessor-unknown"),
    ] {
        let body = json!({ "tier": 2, "accessorAgentId": accessor });
        parties.app.post(&parties.performer, &path, body).await.problem(422, code);
    }
    // Whether an agent exists is not told to whoever may not escalate.
    let body = json!({ "tier": 2, "accessorAgentId": nobody });
    parties.app.post(&parties.org.admin, &path, body).await.problem(422, "role-not-allowed");
    for body in [
        json!({ "tier": 2 }),
        json!({ "tier": 1 }),
        json!({ "tier": 3, "accessorAgentId": nobody }),
    ] {
        parties.app.post(&parties.performer, &path, body).await.problem(422, "request-invalid");
    }
}

#[tokio::test]
async fn an_accessor_lists_what_was_handed_to_it_and_nobody_else_does() {
    let parties = Parties::new().await;
    let app = &parties.app;
    let granted = parties.in_state(State::DisputedTier2).await;
    let decided = parties.in_state(State::DisputedTier2).await;
    parties.must(&decided, Role::Accessor, Action::ResolveUphold).await;
    parties.in_state(State::DisputedTier1).await;
    let own = app.record_id(&parties.other.agent, "of the third party's own organisation").await;
    let ids = async |key: &str, path: &str| {
        let all = app.all(key, path).await;
        all.iter().map(|record| text(record, "/id")).collect::<BTreeSet<_>>()
    };
    let handed = "/v1/records?role=accessor&limit=1";
    assert_eq!(ids(&parties.other.agent, handed).await, BTreeSet::from([decided, granted.clone()]));
    let open = "/v1/records?role=accessor&status=DISPUTED_TIER_2";
    assert_eq!(ids(&parties.other.agent, open).await, BTreeSet::from([granted]));
    // Without the role it is a list of the organisation, as ever.
    assert_eq!(ids(&parties.other.agent, "/v1/records").await, BTreeSet::from([own]));
    let of_own = format!("/v1/records?role=accessor&orgId={}", parties.other.id);
    assert!(ids(&parties.other.agent, &of_own).await.is_empty());
    let of_other = format!("/v1/records?role=accessor&orgId={}", parties.org.id);
    app.get(&parties.other.agent, of_other).await.problem(404, "not-found");
    // The parties have nothing handed to them, nor has another agent of the third party's organisation.
    let named = json!({ "name": "colleague" });
    let colleague = app.post(&parties.other.admin, "/v1/admin/agents", named).await.ok(201);
    let key = json!({ "role": "agent", "agentId": colleague["id"] });
    let key = app.post(&parties.other.admin, "/v1/admin/api-keys", key).await.ok(201);
    for key in [&text(&key, "/secret"), &parties.org.agent, &parties.performer] {
        assert!(ids(key, handed).await.is_empty());
    }
    for key in [&parties.other.admin, &app.platform] {
        app.get(key, handed).await.problem(400, "role-needs-agent");
    }
    let unknown = "/v1/records?role=performer";
    app.get(&parties.other.agent, unknown).await.problem(400, "role-unknown");
}

#[tokio::test]
async fn an_administrator_stands_in_for_agents_that_are_gone() {
    let parties = Parties::new().await;
    for (state, action, end) in [
        (State::AwaitingVerdict, Action::VerdictAccept, State::Fulfilled),
        (State::AwaitingConfirmation, Action::VerdictReject, State::Failed),
    ] {
        let record = parties.in_state(state).await;
        assert_eq!(parties.read(&record).await["awaiting"], json!(["principal"]));
        // Neither another organisation's administrator nor this one's without the scope.
        parties.act_with(&parties.other.admin, &record, action).await.problem(404, "not-found");
        let observer = parties.app.with_profile(&parties.org, "admin-observer").await;
        parties.act_with(&observer, &record, action).await.problem(403, "scope-missing");
        assert_eq!(parties.must(&record, Role::Admin, action).await, end);
        let entries =
            parties.app.all(&parties.org.agent, &format!("/v1/records/{record}/entries")).await;
        assert_eq!(entries.last().unwrap()["body"]["actor"], json!({ "role": "admin" }));
        parties.verified(&record).await;
    }
    for state in [State::DisputedTier1, State::DisputedTier2] {
        let record = parties.in_state(state).await;
        let taken = parties.must(&record, Role::Admin, Action::EscalateToHuman).await;
        assert_eq!(taken, State::DisputedTier3);
        let end = parties.must(&record, Role::Admin, Action::ResolveUphold).await;
        assert_eq!(end, State::Failed);
    }
}
