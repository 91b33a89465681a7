//! The reckoning: what was acknowledged against what is there.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use deed_chain::{KeySet, Verdict};
use serde_json::Value;

use super::client::Shared;
use super::operation::{Acknowledged, RUN_REFERENCE};
use crate::http::{Client, Request};
use crate::say;

/// Checks run at the same time.
const WORKERS: usize = 8;
/// Items of a page, the most that the API gives.
const PAGE: usize = 200;
/// At most this many defects are told in words.
const MOST_TOLD: usize = 20;

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// Acknowledged entries that are not there.
    pub(crate) lost: u64,
    /// Entries that are there but not with the bytes that were acknowledged.
    pub(crate) changed: u64,
    /// Records or notes that no acknowledgement accounts for.
    pub(crate) duplicated: u64,
    /// Chains with a missing or repeated position.
    pub(crate) gaps: u64,
    /// Chains that did not verify.
    pub(crate) unverified: u64,
    /// Chains that verified against the pinned key.
    pub(crate) verified: u64,
    /// Repeated requests that were answered with the identical bytes.
    pub(crate) replays_identical: u64,
    /// Repeated requests that were not.
    pub(crate) replays_differing: u64,
    told: usize,
}

impl Findings {
    /// Whether nothing is wrong.
    pub(crate) fn clean(&self) -> bool {
        self.lost + self.changed + self.duplicated + self.gaps == 0
            && self.unverified + self.replays_differing == 0
    }

    fn tell(&mut self, defect: &str) {
        self.told += 1;
        if self.told <= MOST_TOLD {
            say!("DEFECT {defect}");
        }
    }

    /// Adds what another check found.
    pub(crate) fn add(&mut self, other: &Self) {
        self.lost += other.lost;
        self.changed += other.changed;
        self.duplicated += other.duplicated;
        self.gaps += other.gaps;
        self.unverified += other.unverified;
        self.verified += other.verified;
        self.replays_identical += other.replays_identical;
        self.replays_differing += other.replays_differing;
        self.told += other.told;
    }
}

/// Access for the checks.
#[derive(Debug)]
pub(crate) struct Auditor {
    shared: Arc<Shared>,
    bearer: String,
    pinned: Arc<KeySet>,
}

impl Auditor {
    /// Pins the keys that the server publishes now, before anything happens.
    pub(crate) async fn pin(shared: Arc<Shared>, bearer: &str) -> Result<Self> {
        let mut client = Client::new(shared.addresses[0], "");
        let reply = client.send(&Request::get("/.well-known/deed-vault-keys.json")).await?;
        ensure!(reply.status == 200, "no published keys: {}", reply.excerpt());
        let pinned = KeySet::parse(&reply.body).context("published keys")?;
        Ok(Self { shared, bearer: bearer.to_owned(), pinned: Arc::new(pinned) })
    }

    fn client(&self, index: usize) -> Client {
        let address = self.shared.addresses[index % self.shared.addresses.len()];
        Client::new(address, &self.bearer)
    }

    /// Every acknowledged entry is in its chain with its bytes, and each chain is whole and verifies.
    pub(crate) async fn chains(&self, acknowledged: &[Acknowledged]) -> Result<Findings> {
        let mut by_record: BTreeMap<String, Vec<Acknowledged>> = BTreeMap::new();
        for one in acknowledged {
            by_record.entry(one.record.clone()).or_default().push(one.clone());
        }
        let mut parts: Vec<Vec<(String, Vec<Acknowledged>)>> = vec![Vec::new(); WORKERS];
        for (index, one) in by_record.into_iter().enumerate() {
            parts[index % WORKERS].push(one);
        }
        let mut tasks = tokio::task::JoinSet::new();
        for (index, part) in parts.into_iter().enumerate() {
            let (mut client, pinned) = (self.client(index), Arc::clone(&self.pinned));
            tasks.spawn(async move {
                let mut findings = Findings::default();
                for (record, expected) in part {
                    chain(&mut client, &pinned, &record, &expected, &mut findings).await?;
                }
                anyhow::Ok(findings)
            });
        }
        let mut findings = Findings::default();
        while let Some(done) = tasks.join_next().await {
            findings.add(&done??);
        }
        Ok(findings)
    }

    /// The records of this run in the database are exactly the acknowledged ones.
    pub(crate) async fn listing(&self, run: &str, expected: &HashSet<&str>) -> Result<Findings> {
        let mut client = self.client(0);
        let mut found: HashMap<String, u64> = HashMap::new();
        let mut cursor: Option<String> = None;
        loop {
            let mut path = format!(
                "/v1/records?referenceKey={RUN_REFERENCE}&referenceValue={run}&limit={PAGE}"
            );
            if let Some(cursor) = &cursor {
                path = format!("{path}&cursor={cursor}");
            }
            let page = client.get_json(&path).await?;
            for item in page["items"].as_array().context("list without items")? {
                let id = item["id"].as_str().context("item without id")?;
                *found.entry(id.to_owned()).or_default() += 1;
            }
            match page["nextCursor"].as_str() {
                Some(next) => cursor = Some(next.to_owned()),
                None => break,
            }
        }
        let mut findings = Findings::default();
        for (id, times) in &found {
            if *times != 1 || !expected.contains(id.as_str()) {
                findings.duplicated += 1;
                findings
                    .tell(&format!("record {id} is listed {times} time(s), acknowledged or not"));
            }
        }
        for id in expected.iter().filter(|id| !found.contains_key(**id)) {
            findings.lost += 1;
            findings.tell(&format!("record {id} is not listed"));
        }
        Ok(findings)
    }

    /// Asks again what was answered long ago: the same key and body get the same bytes.
    pub(crate) async fn replays(&self, sample: &[&Acknowledged]) -> Result<Findings> {
        let mut findings = Findings::default();
        for (index, one) in sample.iter().enumerate() {
            let operation = &one.operation;
            let request = Request::post(&operation.path, Some(&operation.key), &operation.body);
            let reply = self.client(index).send(&request).await?;
            if reply.status == 201 && reply.body == one.answer {
                findings.replays_identical += 1;
            } else {
                findings.replays_differing += 1;
                findings.tell(&format!(
                    "a retry of {} got {}: {}",
                    operation.key,
                    reply.status,
                    reply.excerpt()
                ));
            }
        }
        Ok(findings)
    }
}

/// All entries of a record, page by page.
pub(crate) async fn entries(client: &mut Client, record: &str) -> Result<Vec<Value>> {
    let mut all = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let mut path = format!("/v1/records/{record}/entries?limit={PAGE}");
        if let Some(cursor) = &cursor {
            path = format!("{path}&cursor={cursor}");
        }
        let page = client.get_json(&path).await?;
        let items = page["items"].as_array().context("entries without items")?;
        all.extend(items.iter().cloned());
        match page["nextCursor"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => return Ok(all),
        }
    }
}

async fn chain(
    client: &mut Client,
    pinned: &KeySet,
    record: &str,
    expected: &[Acknowledged],
    findings: &mut Findings,
) -> Result<()> {
    let found = entries(client, record).await?;
    compare(record, &found, expected, findings);
    let path = format!("/v1/records/{record}/audit-export");
    let export = client.send(&Request::get(&path)).await?;
    ensure!(export.status == 200, "GET {path}: {} {}", export.status, export.excerpt());
    match deed_chain::verify(&export.body, Some(pinned)).verdict {
        Verdict::Valid => findings.verified += 1,
        other => {
            findings.unverified += 1;
            findings.tell(&format!("the chain of {record} does not verify: {other:?}"));
        }
    }
    Ok(())
}

/// Position 0 belongs to the record's creation, which for a shared record nobody here counts.
fn compare(record: &str, found: &[Value], expected: &[Acknowledged], findings: &mut Findings) {
    for (index, entry) in found.iter().enumerate() {
        if entry["position"] != index {
            findings.gaps += 1;
            findings.tell(&format!("{record} has {} at place {index}", entry["position"]));
            break;
        }
    }
    let mut accounted: HashSet<u64> = HashSet::new();
    for one in expected {
        let place = usize::try_from(one.position).unwrap_or(usize::MAX);
        match found.get(place) {
            None => {
                findings.lost += 1;
                findings.tell(&format!("{record} ends before acknowledged position {place}"));
            }
            Some(entry)
                if entry["hash"] != one.hash || entry["signedStatement"] != one.statement =>
            {
                findings.changed += 1;
                findings.tell(&format!("{record} position {place} is not what was acknowledged"));
            }
            Some(entry) if !entry["body"].to_string().contains(&one.operation.marker) => {
                findings.changed += 1;
                findings.tell(&format!("{record} position {place} does not say what was sent"));
            }
            Some(_) => {}
        }
        if !accounted.insert(one.position) {
            findings.duplicated += 1;
            findings.tell(&format!("{record} position {place} was acknowledged twice"));
        }
    }
    for position in 1..found.len() as u64 {
        if !accounted.contains(&position) {
            findings.duplicated += 1;
            findings.tell(&format!("{record} position {position} is there but nobody was told"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crash::operation::note;
    use serde_json::json;

    fn acknowledged(position: u64) -> Acknowledged {
        Acknowledged {
            operation: note("r", 0, &format!("m{position}")),
            answer: Vec::new(),
            record: "r".to_owned(),
            position,
            hash: format!("h{position}"),
            statement: format!("s{position}"),
        }
    }

    fn entry(position: u64) -> Value {
        json!({
            "position": position,
            "hash": format!("h{position}"),
            "signedStatement": format!("s{position}"),
            "body": {"text": format!("m{position}")},
        })
    }

    fn findings(found: &[Value], expected: &[Acknowledged]) -> (u64, u64, u64, u64) {
        let mut findings = Findings::default();
        compare("r", found, expected, &mut findings);
        (findings.lost, findings.changed, findings.duplicated, findings.gaps)
    }

    #[test]
    fn each_defect_is_named_as_what_it_is() {
        let whole = [entry(0), entry(1), entry(2)];
        let both = [acknowledged(1), acknowledged(2)];
        assert_eq!(findings(&whole, &both), (0, 0, 0, 0));
        assert_eq!(findings(&whole[..2], &both), (1, 0, 0, 0));
        assert_eq!(findings(&whole, &both[..1]), (0, 0, 1, 0));
        assert_eq!(
            findings(&whole, &[acknowledged(1), acknowledged(1), acknowledged(2)]),
            (0, 0, 1, 0)
        );
        let mut changed = whole.clone();
        changed[1]["signedStatement"] = json!("other");
        assert_eq!(findings(&changed, &both), (0, 1, 0, 0));
        let mut other = whole.clone();
        other[2]["body"]["text"] = json!("m1");
        assert_eq!(findings(&other, &both), (0, 1, 0, 0));
        assert_eq!(findings(&[entry(0), entry(2), entry(1)], &both), (0, 2, 0, 1));
    }
}
