//! A client that knows nothing but what answers say: `nextSteps`, `allowedActions` and
//! `recoveryHint`. It walks every flow to its end.

use std::collections::{BTreeMap, BTreeSet};

use deed_lifecycle::{Action, VerdictMode};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::parties::Parties;
use crate::support::{Answer, text};

/// A repeatable choice among equals.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % u64::try_from(sides).unwrap()).unwrap()
    }
}

/// One client: a key, and the steps that the newest answer gave it.
struct Client<'a> {
    key: &'a str,
    /// An agent that it may name where a body has the nil UUID.
    colleague: &'a str,
    steps: Vec<Value>,
    /// A step that an earlier answer gave, to try when it may be too late.
    stale: Option<Value>,
    refused: usize,
}

impl<'a> Client<'a> {
    fn new(key: &'a str, colleague: &'a str) -> Self {
        Self { key, colleague, steps: Vec::new(), stale: None, refused: 0 }
    }

    /// Reads a record; what it may do is what the answer says.
    async fn look(&mut self, parties: &Parties, url: &str) {
        let answer = parties.app.get(self.key, url).await;
        if answer.status == 404 {
            self.steps.clear();
            return;
        }
        self.learn(&answer);
    }

    /// Keeps the steps that change something about the record itself.
    fn learn(&mut self, answer: &Answer) {
        let body: Value = serde_json::from_slice(&answer.bytes).unwrap();
        let steps = body["nextSteps"].as_array().cloned().unwrap_or_default();
        let changes = |step: &Value| {
            step["method"] == "POST" && step["action"] != "add-note" && step["action"] != "delegate"
        };
        self.steps = steps.into_iter().filter(changes).collect();
    }

    /// Sends a step as the answer gave it.
    async fn send(&mut self, parties: &Parties, step: &Value) -> Answer {
        let mut body = step["body"].clone();
        if body.is_null() {
            body = json!({});
        }
        for member in body.as_object_mut().unwrap().values_mut() {
            if *member == json!(Uuid::nil()) {
                *member = json!(self.colleague);
            }
        }
        let answer = parties.app.post(self.key, text(step, "/href"), body).await;
        if answer.status == 200 {
            self.stale = Some(step.clone());
            self.learn(&answer);
        } else {
            let problem: Value = serde_json::from_slice(&answer.bytes).unwrap();
            assert_eq!(answer.status, 422, "{problem}");
            assert!(problem["recoveryHint"].as_str().is_some_and(|hint| !hint.is_empty()));
            let named = problem["allowedActions"].as_array().unwrap();
            self.learn(&answer);
            let steps: Vec<&Value> = self.steps.iter().map(|step| &step["action"]).collect();
            assert_eq!(named.iter().collect::<Vec<_>>(), steps, "{problem}");
            self.refused += 1;
        }
        answer
    }
}

/// Which step is taken where several are offered: one that was taken less often, and among those
/// the one that comes first in an order of names that differs from walk to walk. No name means
/// anything to it.
struct Taste {
    seed: u64,
    taken: BTreeMap<String, u32>,
}

impl Taste {
    fn choose(&mut self, clients: &[Client<'_>]) -> Option<(usize, Value)> {
        let offered = clients
            .iter()
            .enumerate()
            .flat_map(|(who, client)| client.steps.iter().map(move |step| (who, step)));
        let (who, step) = offered.min_by_key(|(who, step)| {
            let name = text(step, "/action");
            let mut order = self.seed;
            for byte in name.bytes() {
                order = (order ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            }
            (self.taken.get(&name).copied().unwrap_or(0), Dice(order).roll(1 << 30), *who)
        })?;
        *self.taken.entry(text(step, "/action")).or_default() += 1;
        Some((who, step.clone()))
    }
}

/// Walks one record from its creation to an end; gives the state and how many entries there are.
async fn walk(parties: &Parties, mode: VerdictMode, dice: &mut Dice) -> (String, u64, usize) {
    let mut wanted = parties.draft(mode);
    let mut taste = Taste { seed: dice.0, taken: BTreeMap::new() };
    wanted["autoActivate"] = json!(dice.roll(3) == 0);
    let made = parties.app.post(&parties.org.agent, "/v1/records", wanted).await.ok(201);
    let url = format!("/v1/records/{}", text(&made, "/record/id"));
    let mut clients = [
        Client::new(&parties.org.agent, &parties.other.agent_id),
        Client::new(&parties.performer, &parties.other.agent_id),
        Client::new(&parties.other.agent, &parties.other.agent_id),
        Client::new(&parties.org.admin, &parties.other.agent_id),
    ];
    for _ in 0..200 {
        for client in &mut clients {
            client.look(parties, &url).await;
        }
        // Now and then somebody repeats a step of before: a refusal must lead back.
        let who = dice.roll(clients.len());
        if let Some(stale) = clients[who].stale.take().filter(|_| dice.roll(2) == 0) {
            clients[who].send(parties, &stale).await;
            continue;
        }
        let record = parties.read(url.rsplit('/').next().unwrap()).await;
        if record["awaiting"].as_array().unwrap().iter().any(|role| role == "system") {
            judge(parties, &text(&record, "/id"), dice).await;
            continue;
        }
        let Some((who, step)) = taste.choose(&clients) else {
            let id = text(&record, "/id");
            let refused = clients.iter().map(|client| client.refused).sum();
            return (text(&record, "/status"), parties.verified(&id).await, refused);
        };
        let answer = clients[who].send(parties, &step).await;
        assert_eq!(answer.status, 200, "{step} was offered: {}", answer.text());
    }
    panic!("{url} does not end");
}

/// What the worker does in its own time.
async fn judge(parties: &Parties, record: &str, dice: &mut Dice) {
    let evaluations =
        [Action::EvaluationPassed, Action::EvaluationFailed, Action::EvaluationUndecided];
    let again = [Action::ReevaluationPassed, Action::ReevaluationFailed];
    let action = evaluations[dice.roll(3)];
    if !parties.system(record, action).await {
        assert!(parties.system(record, again[dice.roll(2)]).await);
    }
}

#[tokio::test]
async fn a_client_that_only_reads_answers_walks_every_flow_to_its_end() {
    let parties = Parties::new().await;
    let mut ends: BTreeMap<String, usize> = BTreeMap::new();
    let mut refusals = 0;
    for mode in VerdictMode::ALL {
        for seed in 0..30 {
            let mut dice = Dice(seed);
            let (end, entries, refused) = walk(&parties, mode, &mut dice).await;
            assert!(entries >= 2, "{end} after {entries} entries");
            *ends.entry(end).or_default() += 1;
            refusals += refused;
        }
    }
    let reached: BTreeSet<&str> = ends.keys().map(String::as_str).collect();
    let wanted = BTreeSet::from(["CANCELLED", "FAILED", "FULFILLED", "REJECTED", "REMEDIATED"]);
    assert_eq!(reached, wanted, "{ends:?}");
    assert!(refusals > 20, "only {refusals} refusals were recovered from");
}
