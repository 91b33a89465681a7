//! Who works together in these tests, and how they act.

use std::time::Duration;

use deed_chain::{KeySet, Verdict, verify};
use deed_lifecycle::{Action, Role, State, VerdictMode};
use deed_store::append::{Appended, Content, Extend};
use deed_store::records::Actor;
use deed_store::transition::{Set, Transition};
use serde_json::{Map, Value, json};

use crate::support::{Answer, Org, TestApp, text};

/// Two agents of one organisation, its administrator, and a third party of another one.
pub(crate) struct Parties {
    pub(crate) app: TestApp,
    pub(crate) org: Org,
    pub(crate) performer: String,
    pub(crate) performer_id: String,
    pub(crate) other: Org,
}

/// The only completion that the rules of these tests are told to be about.
pub(crate) fn completion() -> Value {
    json!({ "evidence": "https://example.test/4711" })
}

/// Name of the Type with this verdict mode.
pub(crate) fn type_of(mode: VerdictMode) -> String {
    format!("work-{}-v1", mode.as_str())
}

impl Parties {
    pub(crate) async fn new() -> Self {
        let app = TestApp::new().await;
        let org = app.org("a").await;
        let other = app.org("b").await;
        let performer_id = app.agent(&org.id, "performer").await;
        let wanted = json!({ "role": "agent", "orgId": org.id, "agentId": performer_id });
        let performer = app.mint(wanted).await;
        for mode in VerdictMode::ALL {
            let mut wanted = json!({
                "name": type_of(mode),
                "recordSchema": {
                    "type": "object",
                    "properties": { "what": { "type": "string", "examples": ["a report"] } },
                    "required": ["what"],
                    "additionalProperties": false
                },
                "completionSchema": {
                    "type": "object",
                    "properties": {
                        "evidence": { "type": "string", "examples": ["https://example.test/1"] }
                    },
                    "required": ["evidence"],
                    "additionalProperties": false
                },
                "verdictMode": mode.as_str(),
            });
            if mode != VerdictMode::Principal {
                wanted["rulesConfig"] = json!({ "mappings": [
                    { "name": "same", "criteria": "/what", "evidence": "/evidence", "type": "string" }
                ] });
            }
            app.post(&org.admin, "/v1/types", wanted).await.ok(201);
        }
        Self { app, org, performer, performer_id, other }
    }

    /// A request for a draft of the principal's with the performer named.
    pub(crate) fn draft(&self, mode: VerdictMode) -> Value {
        json!({ "type": type_of(mode), "criteria": { "what": "a report" },
            "performerAgentId": self.performer_id })
    }

    /// Creates a record as the principal; gives its id.
    pub(crate) async fn create(&self, wanted: Value) -> String {
        let made = self.app.post(&self.org.agent, "/v1/records", wanted).await.ok(201);
        text(&made, "/record/id")
    }

    /// Key of whoever has this role in a record.
    pub(crate) fn key(&self, role: Role) -> &str {
        match role {
            Role::Principal => &self.org.agent,
            Role::Performer => &self.performer,
            Role::Accessor => &self.other.agent,
            Role::Admin => &self.org.admin,
            Role::System => panic!("the server has no key"),
        }
    }

    /// Path below a record and body of an action, written down by hand.
    pub(crate) fn request(&self, action: Action) -> (&'static str, Value) {
        match action {
            Action::Amend => ("amend", json!({ "criteria": { "what": "two reports" } })),
            Action::Propose => ("propose", json!({})),
            Action::Accept => ("accept", json!({})),
            Action::Refuse => ("refuse", json!({ "reason": "no time" })),
            Action::Activate => ("activate", json!({})),
            Action::Complete => ("completions", json!({ "completion": completion() })),
            Action::VerdictAccept => ("outcome", json!({ "outcome": "accept" })),
            Action::VerdictReject => ("outcome", json!({ "outcome": "reject", "reason": "no" })),
            Action::RequestRevision => ("outcome", json!({ "outcome": "request-revision" })),
            Action::Cancel => ("cancel", json!({})),
            Action::Dispute => ("dispute", json!({ "reason": "it is there" })),
            Action::EscalateToReview => {
                ("dispute/escalate", json!({ "tier": 2, "accessorAgentId": self.other.agent_id }))
            }
            Action::EscalateToHuman => ("dispute/escalate", json!({ "tier": 3 })),
            Action::WithdrawDispute => ("dispute/withdraw", json!({})),
            Action::ResolveOverturn => ("dispute/resolve", json!({ "resolution": "overturn" })),
            Action::ResolveUphold => ("dispute/resolve", json!({ "resolution": "uphold" })),
            Action::ResolveRemediate => ("dispute/resolve", json!({ "resolution": "remediate" })),
            _ => panic!("{} is the server's", action.as_str()),
        }
    }

    /// Sends an action of a party.
    pub(crate) async fn act(&self, record: &str, role: Role, action: Action) -> Answer {
        self.act_with(self.key(role), record, action).await
    }

    /// Sends an action with a key.
    pub(crate) async fn act_with(&self, key: &str, record: &str, action: Action) -> Answer {
        let (path, body) = self.request(action);
        self.app.post(key, format!("/v1/records/{record}/{path}"), body).await
    }

    /// An action of a party, or of the server, that must succeed.
    pub(crate) async fn must(&self, record: &str, role: Role, action: Action) -> State {
        if role == Role::System {
            assert!(self.system(record, action).await, "{} is refused", action.as_str());
            return self.state(record).await;
        }
        let answer = self.act(record, role, action).await.ok(200);
        State::parse(&text(&answer, "/record/status")).unwrap()
    }

    /// What the worker does; gives whether it was done.
    pub(crate) async fn system(&self, record: &str, action: Action) -> bool {
        let now = self.app.app.store().clock().now();
        let transition = Transition {
            actor: Actor::System,
            action,
            fields: Map::new(),
            set: Set::default(),
            concerning: None,
            at: now,
        };
        let item = Extend {
            record: record.parse().unwrap(),
            content: Content::Transition(Box::new(transition)),
            issued_at: now.timestamp(),
            idempotency: None,
            status: 0,
            render: Box::new(|_| Vec::new()),
        };
        match self.app.app.appender().extend(item).await {
            Ok(Appended::Written(_)) => true,
            Err(deed_store::Error::Refused(_)) => false,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn read(&self, record: &str) -> Value {
        self.app.get(&self.org.agent, format!("/v1/records/{record}")).await.ok(200)
    }

    pub(crate) async fn state(&self, record: &str) -> State {
        State::parse(&text(&self.read(record).await, "/status")).unwrap()
    }

    /// Expires whatever is due an hour from now.
    pub(crate) async fn let_expire(&self) -> usize {
        self.app.advance(Duration::from_secs(3600));
        self.app.app.store().expire_due(256).await.unwrap()
    }

    /// A record that is in this state.
    pub(crate) async fn in_state(&self, state: State) -> String {
        if state == State::Recorded {
            return self.app.record_id(&self.org.agent, "notarized").await;
        }
        let mode = match state {
            State::Evaluating => VerdictMode::Auto,
            State::AwaitingConfirmation => VerdictMode::AutoThenPrincipal,
            _ => VerdictMode::Principal,
        };
        let mut wanted = self.draft(mode);
        if state == State::Expired {
            let soon = self.app.app.store().clock().now() + Duration::from_secs(60);
            wanted["deadline"] = json!(soon.to_rfc3339());
        }
        let record = self.create(wanted).await;
        if state == State::Expired {
            assert_eq!(self.let_expire().await, 1);
        }
        for (role, action) in way_to(state) {
            self.must(&record, role, action).await;
        }
        assert_eq!(self.state(&record).await, state);
        record
    }

    /// Exports a record and verifies it with the published keys; gives its number of entries.
    pub(crate) async fn verified(&self, record: &str) -> u64 {
        let path = format!("/v1/records/{record}/audit-export");
        let export = self.app.get(&self.org.agent, path).await;
        let keys = self.app.get("", "/.well-known/deed-vault-keys.json").await;
        let keys = KeySet::parse(&keys.bytes).unwrap();
        let report = verify(&export.bytes, Some(&keys));
        assert_eq!(report.verdict, Verdict::Valid, "{}", export.text());
        serde_json::to_value(&report).unwrap()["checked"]["entries"].as_u64().unwrap()
    }
}

/// The shortest way from a draft to a state.
fn way_to(state: State) -> Vec<(Role, Action)> {
    use Role::{Performer, Principal, System};
    let to = |before: State, step: (Role, Action)| {
        let mut way = way_to(before);
        way.push(step);
        way
    };
    match state {
        State::Draft | State::Recorded | State::Expired => Vec::new(),
        State::Proposed => to(State::Draft, (Principal, Action::Propose)),
        State::Accepted => to(State::Proposed, (Performer, Action::Accept)),
        State::Active => to(State::Accepted, (Principal, Action::Activate)),
        State::Evaluating | State::AwaitingVerdict => {
            to(State::Active, (Performer, Action::Complete))
        }
        State::AwaitingConfirmation => to(State::Evaluating, (System, Action::EvaluationFailed)),
        State::Rework => to(State::AwaitingVerdict, (Principal, Action::RequestRevision)),
        State::Fulfilled => to(State::AwaitingVerdict, (Principal, Action::VerdictAccept)),
        State::Failed => to(State::AwaitingVerdict, (Principal, Action::VerdictReject)),
        State::Cancelled => to(State::Draft, (Principal, Action::Cancel)),
        State::Rejected => to(State::Proposed, (Performer, Action::Refuse)),
        State::DisputedTier1 => to(State::Failed, (Performer, Action::Dispute)),
        State::DisputedTier2 => to(State::DisputedTier1, (Principal, Action::EscalateToReview)),
        State::DisputedTier3 => to(State::DisputedTier2, (Performer, Action::EscalateToHuman)),
        State::Remediated => to(State::DisputedTier1, (Principal, Action::ResolveRemediate)),
    }
}
