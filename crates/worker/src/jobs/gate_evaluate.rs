//! `gate.evaluate`: the rules of a Type judge the newest completion of a record.
//!
//! The judgement is a step of the state machine, decided under the record's lock: of two workers with
//! the same job one writes it, and the other one is refused. It is a function of rules, criteria and
//! completion alone, so it does not matter which.

use std::sync::Arc;

use deed_gate::{Outcome, Result as Judged, Rules, Tolerances};
use deed_lifecycle::{Action, State};
use deed_store::append::{Appender, Content, Extend};
use deed_store::queue::ClaimedJob;
use deed_store::records::{Actor, EvaluationInput, Record};
use deed_store::transition::{Set, Transition, evaluation_key};
use deed_store::upkeep::DeadEvaluation;
use deed_store::{Error, Store};
use moka::future::Cache;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::kind::JobError;

/// Bytes of rules kept; parsed ones take a few times their text.
const MOST_RULES_BYTES: u64 = 4 << 20;

/// Rules by their text, ready to apply: a version of a Type never changes, and judges again and again.
pub(super) type RulesByText = Cache<String, Arc<Rules>>;

pub(super) fn rules_by_text() -> RulesByText {
    let weigh = |text: &String, _: &Arc<Rules>| u32::try_from(text.len()).unwrap_or(u32::MAX);
    Cache::builder().weigher(weigh).max_capacity(MOST_RULES_BYTES).build()
}

pub(super) async fn run(
    store: Store,
    appender: Appender,
    known: RulesByText,
    job: ClaimedJob,
) -> Result<(), JobError> {
    let (record, completion) = payload(&job.payload)?;
    let Some(input) = store.evaluation_input(record).await? else { return Ok(()) };
    // A revision has another job, and what was judged needs no second one.
    if input.completion_position != completion {
        return Ok(());
    }
    let Some(tolerances) = due(&input.record) else { return Ok(()) };
    let text = input.rules_config.clone().unwrap_or_default();
    let kept = known.get(&text).await;
    let is_new = kept.is_none();
    let judging = tokio::task::spawn_blocking(move || {
        let rules = kept.map_or_else(|| parse(&input).map(Arc::new), Ok);
        (judge(&input, rules.as_deref(), tolerances), rules)
    });
    let (step, rules) = judging.await.map_err(|e| JobError::Retry(e.to_string()))?;
    if let Ok(rules) = rules
        && is_new
    {
        known.insert(text, rules).await;
    }
    Ok(append(&store, &appender, record, completion, step).await?)
}

/// Ends the wait of a record for a job that is dead: what could not be judged goes to the principal,
/// and in a dispute to the parties. Nothing is left to do when the record waits for no judgement, or
/// for that of another job.
pub(super) async fn give_up(
    store: &Store,
    appender: &Appender,
    job: &DeadEvaluation,
) -> Result<(), JobError> {
    let (id, completion) = payload(&job.payload)?;
    let record = match store.record(id, None).await {
        Err(Error::NotFound(_)) => return Ok(()),
        found => found?,
    };
    let Some(tolerances) = due(&record).filter(|_| newest(&record) == Some(completion)) else {
        return Ok(());
    };
    // A dispute is about the same completion as the judgement before it, and has a job of its own.
    let asked = record.work.as_ref().and_then(|work| match tolerances {
        Tolerances::Configured => work.completion_position,
        Tolerances::Dispute => work.dispute_position,
    });
    if job.unique_key != asked.map(|position| evaluation_key(id, position)) {
        return Ok(());
    }
    tracing::error!(record = %id, job = %job.id, "all attempts to have rules judge have failed");
    let reason = "all attempts to apply the rules have failed";
    let evaluation = json!({ "result": Judged::Error, "reason": reason });
    let step = step(&record, completion, tolerances, Judged::Error, evaluation);
    Ok(append(store, appender, id, completion, step).await?)
}

/// What a judgement does: the action, and the members of its entry.
type Judgement = (Action, Map<String, Value>);

/// Appends a judgement, unless the record waits for it no more.
async fn append(
    store: &Store,
    appender: &Appender,
    record: Uuid,
    completion: i64,
    (action, fields): Judgement,
) -> Result<(), Error> {
    let at = store.clock().now();
    let transition = Transition {
        actor: Actor::System,
        action,
        fields,
        set: Set::default(),
        concerning: Some(completion),
        at,
    };
    let item = Extend {
        record,
        content: Content::Transition(Box::new(transition)),
        issued_at: at.timestamp(),
        idempotency: None,
        status: 0,
        render: Box::new(|_| Vec::new()),
    };
    match appender.extend(item).await {
        Ok(_) => Ok(()),
        Err(Error::Refused(refusal)) if due(&refusal.record).is_none() => Ok(()),
        Err(Error::Refused(refusal)) if newest(&refusal.record) != Some(completion) => Ok(()),
        Err(error) => Err(error),
    }
}

fn payload(payload: &Value) -> Result<(Uuid, i64), JobError> {
    let record = payload["recordId"].as_str().and_then(|id| Uuid::parse_str(id).ok());
    let completion = payload["completionPosition"].as_i64();
    let unreadable = || JobError::Dead("the payload names no record and completion".to_owned());
    record.zip(completion).ok_or_else(unreadable)
}

/// With which tolerances the rules have to judge this record now; `None` when they have not.
fn due(record: &Record) -> Option<Tolerances> {
    match record.status {
        State::Evaluating => Some(Tolerances::Configured),
        State::DisputedTier1 if record.work.as_ref().is_some_and(|w| w.reevaluation_due()) => {
            Some(Tolerances::Dispute)
        }
        _ => None,
    }
}

fn newest(record: &Record) -> Option<i64> {
    record.work.as_ref().and_then(|work| work.completion_position)
}

/// The step that the outcome means, and what its entry says.
fn judge(
    input: &EvaluationInput,
    rules: Result<&Rules, &String>,
    tolerances: Tolerances,
) -> Judgement {
    let (result, evaluation) = match outcome(input, rules, tolerances) {
        Ok(outcome) => (outcome.result, json!(outcome)),
        // What cannot be applied judges nobody; the record must not wait for it either.
        Err(reason) => (Judged::Error, json!({ "result": Judged::Error, "reason": reason })),
    };
    step(&input.record, input.completion_position, tolerances, result, evaluation)
}

fn step(
    record: &Record,
    completion: i64,
    tolerances: Tolerances,
    result: Judged,
    evaluation: Value,
) -> Judgement {
    let action = match (tolerances, result) {
        (Tolerances::Configured, Judged::Pass) => Action::EvaluationPassed,
        (Tolerances::Configured, Judged::Fail) => Action::EvaluationFailed,
        (Tolerances::Configured, Judged::Error) => Action::EvaluationUndecided,
        (Tolerances::Dispute, Judged::Pass) => Action::ReevaluationPassed,
        (Tolerances::Dispute, Judged::Fail | Judged::Error) => Action::ReevaluationFailed,
    };
    let criteria = record.work.as_ref().map(|work| work.criteria_position);
    let mut fields = Map::new();
    fields.insert("evaluation".to_owned(), evaluation);
    fields.insert("criteriaPosition".to_owned(), json!(criteria));
    fields.insert("completionPosition".to_owned(), json!(completion));
    (action, fields)
}

fn parse(input: &EvaluationInput) -> Result<Rules, String> {
    let config = input.rules_config.as_deref().ok_or("the Type has no rules")?;
    let config: Value = serde_json::from_str(config).map_err(|e| e.to_string())?;
    Rules::parse(&config).map_err(|faults| {
        faults.first().map_or_else(|| "unusable rules".to_owned(), ToString::to_string)
    })
}

fn outcome(
    input: &EvaluationInput,
    rules: Result<&Rules, &String>,
    tolerances: Tolerances,
) -> Result<Outcome, String> {
    let member = |body: &[u8], name: &str| -> Result<Value, String> {
        let body: Value = serde_json::from_slice(body).map_err(|e| e.to_string())?;
        body.get(name).cloned().ok_or_else(|| format!("an entry lacks {name}"))
    };
    let rules = rules.map_err(Clone::clone)?;
    let criteria = member(&input.criteria_body, "criteria")?;
    let evidence = member(&input.completion_body, "completion")?;
    Ok(rules.evaluate(&criteria, &evidence, tolerances))
}
