//! Checks of single answers, made from the wire format alone and not with the server's code.

use anyhow::{Context, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::load::Sample;

/// A 201 carries a record and its signed entry, whose hash is that of its bytes; a refusal is a problem
/// document (RFC 9457) with its own status.
pub(crate) fn sample(sample: &Sample) -> Result<()> {
    let answer: Value = serde_json::from_slice(&sample.body).context("not JSON")?;
    if sample.status != 201 {
        ensure!(answer["status"] == sample.status, "problem without its status: {answer}");
        ensure!(answer["recoveryHint"].is_string(), "problem without recoveryHint: {answer}");
        return Ok(());
    }
    ensure!(answer["record"]["id"].is_string(), "no record in {answer}");
    ensure!(answer["nextSteps"].is_array(), "no nextSteps in {answer}");
    entry(&answer["entry"])
}

/// The hash that an entry names is the leaf hash (RFC 9162 section 2.1.1) of the entry's bytes.
pub(crate) fn entry(entry: &Value) -> Result<()> {
    let statement = entry["signedStatement"].as_str().context("entry without statement")?;
    let bytes = URL_SAFE_NO_PAD.decode(statement).context("statement is not base64url")?;
    let hash = Sha256::new().chain_update([0]).chain_update(&bytes).finalize();
    ensure!(entry["hash"] == hex::encode(hash), "hash is not that of the statement: {entry}");
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_changed_statement_is_seen() {
        // SHA-256 of the single byte 0: the leaf hash of no bytes at all.
        let hash = "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d";
        let good = serde_json::json!({"signedStatement": "", "hash": hash});
        entry(&good).unwrap();
        let bad = serde_json::json!({"signedStatement": "AA", "hash": hash});
        assert!(entry(&bad).is_err());
    }

    #[test]
    fn a_problem_must_say_its_status() {
        let body = br#"{"status":422,"recoveryHint":"x"}"#.to_vec();
        assert!(sample(&Sample { status: 422, body: body.clone() }).is_ok());
        assert!(sample(&Sample { status: 400, body }).is_err());
    }
}
