//! Random actions of several agents, over the real store, against a model of the machine.
//! Failures that were found are kept in `model.proptest-regressions` and run first.

use std::time::Duration;

use deed_lifecycle::{Action, Facts, Role, Roles, State, VerdictMode, decide};
use proptest::prelude::*;
use proptest::test_runner::{Config, FileFailurePersistence, TestRunner};
use serde_json::{Value, json};

use crate::parties::{Parties, type_of};
use crate::support::text;

/// What happens next.
#[derive(Debug, Clone, Copy)]
enum Op {
    /// A party tries an action.
    Act(Role, Action),
    /// Minutes pass.
    Wait(u8),
    /// The sweep runs.
    Sweep,
}

/// How the record begins.
#[derive(Debug, Clone, Copy)]
struct Start {
    mode: VerdictMode,
    auto_activate: bool,
    /// Minutes until the deadline.
    deadline: Option<u8>,
    /// The principal does the work itself.
    alone: bool,
}

fn starts() -> impl Strategy<Value = Start> {
    let mode = prop::sample::select(VerdictMode::ALL.to_vec());
    let deadline = prop::option::weighted(0.3, 10..60_u8);
    (mode, any::<bool>(), deadline, any::<bool>()).prop_map(
        |(mode, auto_activate, deadline, alone)| Start { mode, auto_activate, deadline, alone },
    )
}

/// Mostly what can happen in some state; the machine of the model says whether it can now.
fn ops() -> impl Strategy<Value = Vec<Op>> {
    let rows: Vec<Op> = deed_lifecycle::TABLE
        .iter()
        .flat_map(|row| row.roles.iter().map(|role| Op::Act(role, row.action)))
        .collect();
    let any_role = prop::sample::select(vec![Role::Principal, Role::Performer, Role::Admin]);
    let http = prop::sample::select(Action::ALL.to_vec());
    let op = prop_oneof![
        12 => prop::sample::select(rows),
        2 => (any_role, http).prop_map(|(role, action)| Op::Act(role, action)),
        1 => (1..40_u8).prop_map(Op::Wait),
        1 => Just(Op::Sweep),
    ];
    prop::collection::vec(op, 10..60)
}

/// The record as it should be: a fold over what happened, with its own bookkeeping.
#[derive(Debug)]
struct Model {
    start: Start,
    state: State,
    minutes: i64,
    revisions: i16,
    disputed: bool,
    judged_again: bool,
    verdict_by_rules: bool,
    accessor: bool,
    entries: u64,
    signals: i64,
}

impl Model {
    fn new(start: Start) -> Self {
        let state = if start.auto_activate { State::Active } else { State::Draft };
        Self {
            start,
            state,
            minutes: 0,
            revisions: 0,
            disputed: false,
            judged_again: false,
            verdict_by_rules: false,
            accessor: false,
            entries: 1,
            signals: 0,
        }
    }

    fn facts(&self) -> Facts {
        Facts {
            mode: self.start.mode,
            deadline_passed: self.start.deadline.is_some_and(|d| i64::from(d) <= self.minutes),
            performer_named: true,
            revisions: self.revisions,
            disputed: self.disputed,
            verdict_by_rules: self.verdict_by_rules,
            reevaluation_due: self.disputed && !self.judged_again,
            concerns_newest: true,
        }
    }

    fn roles(&self, role: Role) -> Roles {
        let roles = Roles::of(&[role]);
        let alone = self.start.alone && role == Role::Principal;
        roles.with(Role::Performer, alone)
    }

    /// Whether an action is carried out, and if so does it.
    fn act(&mut self, role: Role, action: Action) -> bool {
        // Alone, nobody else is the performer.
        let stranger = self.start.alone && role == Role::Performer;
        let roles = if stranger { Roles::NONE } else { self.roles(role) };
        let Ok(row) = decide(self.state, action, roles, &self.facts()) else { return false };
        self.state = row.to;
        self.entries += 1;
        self.signals += i64::from(row.signal.is_some());
        if row.signal.is_some() || action == Action::ResolveUphold {
            self.verdict_by_rules = row.roles == Roles::of(&[Role::System]);
        }
        match action {
            Action::RequestRevision => self.revisions += 1,
            Action::Dispute => self.disputed = true,
            Action::ReevaluationPassed | Action::ReevaluationFailed => self.judged_again = true,
            Action::EscalateToReview => self.accessor = true,
            _ => {}
        }
        true
    }
}

async fn begin(parties: &Parties, start: Start) -> String {
    let mut wanted = json!({ "type": type_of(start.mode), "criteria": { "what": "a report" },
        "autoActivate": start.auto_activate });
    if !start.alone {
        wanted["performerAgentId"] = json!(parties.performer_id);
    }
    if let Some(minutes) = start.deadline {
        let now = parties.app.app.store().clock().now();
        wanted["deadline"] =
            json!((now + Duration::from_secs(60 * u64::from(minutes))).to_rfc3339());
    }
    parties.create(wanted).await
}

fn is_the_servers(action: Action) -> bool {
    use Action as A;
    matches!(
        action,
        A::EvaluationPassed
            | A::EvaluationFailed
            | A::EvaluationUndecided
            | A::ReevaluationPassed
            | A::ReevaluationFailed
            | A::Expire
    )
}

async fn run(parties: &Parties, start: Start, ops: &[Op]) -> Result<(), TestCaseError> {
    let mut model = Model::new(start);
    let record = begin(parties, start).await;
    for op in ops {
        match *op {
            Op::Wait(minutes) => {
                parties.app.advance(Duration::from_secs(60 * u64::from(minutes)));
                model.minutes += i64::from(minutes);
            }
            Op::Sweep => {
                parties.app.app.store().expire_due(256).await.unwrap();
                model.act(Role::System, Action::Expire);
            }
            Op::Act(Role::System, action) => {
                let expected = model.act(Role::System, action);
                prop_assert_eq!(parties.system(&record, action).await, expected, "{:?}", op);
            }
            Op::Act(_, action) if is_the_servers(action) => {}
            Op::Act(role, action) => act(parties, &mut model, &record, role, action).await?,
        }
        prop_assert_eq!(parties.state(&record).await, model.state, "after {:?}", op);
    }
    check_row(parties, &model, &record).await
}

async fn act(
    parties: &Parties,
    model: &mut Model,
    record: &str,
    role: Role,
    action: Action,
) -> Result<(), TestCaseError> {
    let before = model.state;
    let unseen = role == Role::Accessor && !model.accessor;
    let expected = model.act(role, action);
    let answer = parties.act(record, role, action).await;
    let body: Value = serde_json::from_slice(&answer.bytes).unwrap();
    let wanted = if expected {
        200
    } else if unseen {
        404
    } else {
        422
    };
    prop_assert_eq!(answer.status.as_u16(), wanted, "{:?} in {:?}: {}", action, before, body);
    if wanted == 422 {
        prop_assert_eq!(text(&body, "/currentState"), before.as_str());
    }
    Ok(())
}

/// The row, the chain and the outbox at the end.
async fn check_row(parties: &Parties, model: &Model, record: &str) -> Result<(), TestCaseError> {
    let read = parties.read(record).await;
    prop_assert_eq!(&read["revisions"], &json!(model.revisions));
    prop_assert_eq!(parties.verified(record).await, model.entries);
    let client = parties.app.superuser().await;
    let sql = "SELECT due_at IS NOT NULL, head_position,
        (SELECT count(*) FROM events e WHERE e.record_id = r.id AND kind = 'signal.emitted')
        FROM records r WHERE id::text = $1";
    let row = client.query_one(sql, &[&record]).await.unwrap();
    let runs = model.start.deadline.is_some() && model.state.has_running_deadline();
    prop_assert_eq!(row.get::<_, bool>(0), runs, "the deadline runs");
    prop_assert_eq!(row.get::<_, i64>(1).unsigned_abs() + 1, model.entries);
    prop_assert_eq!(row.get::<_, i64>(2), model.signals);
    Ok(())
}

#[test]
fn the_store_does_what_the_model_does() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let parties = runtime.block_on(Parties::new());
    let found = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lifecycle/model.proptest-regressions");
    let config = Config {
        cases: 48,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(found))),
        ..Config::default()
    };
    let result = TestRunner::new(config)
        .run(&(starts(), ops()), |(start, ops)| runtime.block_on(run(&parties, start, &ops)));
    result.unwrap_or_else(|failure| panic!("{failure}"));
}
