//! What our cells send.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::http::{Client, Request};
use crate::load::{Expect, MARKER_HOLE, Template, Workload};
use crate::stack::{CRITERIA, Stack, TYPE_NAME};

/// Records that "spread" notes go to.
const SPREAD: usize = 1000;
/// Items of one batch request.
const BATCH: usize = 100;
/// Share of requests that are invalid in the cell that has some.
const INVALID_SHARE: f64 = 0.01;
/// A key that is used up before the cells begin.
const USED_KEY: &str = "bench-used-key";
/// No record has this id.
const NO_RECORD: &str = "00000000-0000-7000-8000-000000000000";

/// The load of every kind of cell.
pub(crate) struct Workloads {
    /// Valid records.
    pub(crate) notarize: Workload,
    /// One per cent invalid ones among them.
    pub(crate) with_invalid: Workload,
    /// Notes to many records.
    pub(crate) spread: Workload,
    /// Notes to one record.
    pub(crate) hot: Workload,
}

impl Workloads {
    /// Creates the records that notes go to, and prebuilds all requests.
    pub(crate) async fn new(stack: &Stack) -> Result<Self> {
        let host = stack.server().address();
        let mut client = stack.agent_client();
        let records = create_records(&mut client, SPREAD + 1).await?;
        let (hot, spread) = records.split_first().context("no record was created")?;
        let post = Post { host, bearer: stack.agent_key() };
        let notarize = Workload::of(vec![post.record(CRITERIA, Expect::Created)?]);
        let used = json!({"type": TYPE_NAME, "criteria": criteria(1)?}).to_string();
        client
            .send(&Request::post("/v1/records", Some(USED_KEY), used.as_bytes()))
            .await?
            .expect(201)?;
        Ok(Self {
            with_invalid: notarize.clone().with_invalid(invalid(&post)?, INVALID_SHARE),
            notarize,
            spread: Workload::of(spread.iter().map(|id| post.note(id)).collect::<Result<_>>()?),
            hot: Workload::of(vec![post.note(hot)?]),
        })
    }
}

/// Prebuilds requests of one server and key.
struct Post<'a> {
    host: SocketAddr,
    bearer: &'a str,
}

impl Post<'_> {
    fn record(&self, criteria: &str, expect: Expect) -> Result<Template> {
        self.body(&format!("{{\"type\":\"{TYPE_NAME}\",\"criteria\":{}}}", criteria.trim()), expect)
    }

    fn body(&self, body: &str, expect: Expect) -> Result<Template> {
        Template::new(self.host, self.bearer, "/v1/records", None, body, expect)
    }

    fn note(&self, record: &str) -> Result<Template> {
        let path = format!("/v1/records/{record}/notes");
        let body = json!({
            "text": format!("observation {MARKER_HOLE}: traffic shifted, error rate normal"),
            "data": {"errorRate": 0.0021, "latencyMs": 41, "shifted": 25, "healthy": true},
        });
        Template::new(self.host, self.bearer, &path, None, &body.to_string(), Expect::Created)
    }
}

/// Refusals of every kind that a client causes: by the Type's schema, by what PostgreSQL cannot store,
/// and two that only the database can find.
fn invalid(post: &Post<'_>) -> Result<Vec<Template>> {
    let refused = Expect::Refused;
    let against_schema = CRITERIA.replacen("\"production\"", "\"moon\"", 1);
    let with_nul = CRITERIA.replacen("payments-gateway", "payments\\u0000gateway", 1);
    let orphan = format!(
        "{{\"type\":\"{TYPE_NAME}\",\"parentRecordId\":\"{NO_RECORD}\",\"criteria\":{}}}",
        CRITERIA.trim()
    );
    let other_body = format!("{{\"type\":\"{TYPE_NAME}\",\"criteria\":{}}}", CRITERIA.trim());
    Ok(vec![
        post.record(&against_schema, refused)?,
        post.record(&with_nul, refused)?,
        post.body(&orphan, refused)?,
        Template::new(post.host, post.bearer, "/v1/records", Some(USED_KEY), &other_body, refused)?,
    ])
}

/// Valid criteria with `serial` in their marker.
fn criteria(serial: u64) -> Result<Value> {
    Ok(serde_json::from_str(&CRITERIA.replacen(MARKER_HOLE, &format!("{serial:010}"), 1))?)
}

async fn create_records(client: &mut Client, count: usize) -> Result<Vec<String>> {
    let mut ids = Vec::with_capacity(count);
    while ids.len() < count {
        let size = BATCH.min(count - ids.len());
        let item = json!({"type": TYPE_NAME, "criteria": criteria(ids.len() as u64)?});
        let body = json!({"records": vec![item; size]}).to_string();
        let request = Request::post("/v1/records/batch", None, body.as_bytes());
        let answer = client.send(&request).await?.expect(200)?;
        for result in answer["results"].as_array().context("batch without results")? {
            let id = result["record"]["id"].as_str();
            ids.push(id.with_context(|| format!("batch item refused: {result}"))?.to_owned());
        }
    }
    Ok(ids)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn criteria_are_of_the_size_they_are_said_to_be() {
        assert!((550..650).contains(&CRITERIA.len()), "{}", CRITERIA.len());
        assert_eq!(criteria(7).unwrap()["changeId"], "CHG-0000000007");
    }

    #[test]
    fn the_invalid_bodies_differ_from_the_valid_one() {
        assert!(CRITERIA.contains("\"production\"") && CRITERIA.contains("payments-gateway"));
    }
}
