//! The offline judgement of an export document: no network, no database, no trust in the server.
//!
//! [`Auditor`] applies the same checks to rows as a database gives them.

mod audit;
mod chain;
mod document;
mod export;
mod genesis;
mod keys;
mod parents;
mod report;
mod statement;

pub use audit::{AuditedChain, Auditor, Row};
pub use report::{Checked, Failure, Reason, Report, Verdict};

use uuid::Uuid;

use crate::{Hash, key_set::KeySet};

/// Judges an export document. The caller bounds the size of `bytes`; memory use is a small
/// multiple of it.
///
/// `trusted` holds the keys that the caller got from the installation by another way, and every
/// key in the document must be among them. Without it everything is still checked against the
/// keys in the document, but the verdict is at best [`Verdict::CannotTell`]: whoever forges a
/// document can put their own keys into it.
pub fn verify(bytes: &[u8], trusted: Option<&KeySet>) -> Report {
    let mut report = Report {
        verdict: Verdict::Valid,
        issuer: None,
        installation_id: None,
        root: None,
        checked: Checked::default(),
    };
    report.verdict = match judge(bytes, trusted, &mut report) {
        Ok(()) if trusted.is_some() => Verdict::Valid,
        Ok(()) => Verdict::CannotTell {
            reason: "every check passed, but the document was signed by keys that came with it: \
                     pin the installation's keys with --keys"
                .to_owned(),
        },
        Err(Stop::Tampered(failure)) => Verdict::Tampered { failure },
        Err(Stop::CannotTell(reason)) => Verdict::CannotTell { reason },
    };
    report
}

/// What ends the judgement early.
enum Stop {
    Tampered(Failure),
    CannotTell(String),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Tampered(failure)
    }
}

fn judge(bytes: &[u8], trusted: Option<&KeySet>, report: &mut Report) -> Result<(), Stop> {
    let bundle = document::read(bytes)?;
    report.issuer = Some(bundle.issuer.clone());
    report.installation_id = Some(bundle.installation_id.clone());
    let keys = keys::read(&bundle.keys, trusted, &mut report.checked)?;
    let mut checker = statement::Checker::new(&bundle.issuer, &keys, &mut report.checked);
    let genesis = genesis::check(&mut checker, &bundle.installation_id, &bundle.genesis)?;
    let export = export::open(&mut checker, &bundle)?;
    report.root = Some(export.root);
    export::check_records(&export, &bundle)?;
    let mut chains = Vec::with_capacity(bundle.records.len());
    for (record, covered) in bundle.records.iter().zip(&export.records) {
        let chain = chain::check(&mut checker, covered.id, record, &genesis)?;
        export::check_extent(covered, &chain)?;
        checker.checked.records += 1;
        chains.push(chain);
    }
    checker.checked.export_statements += 1;
    parents::check(&chains, export.root, checker.checked)?;
    checker.all_keys_used()?;
    Ok(())
}

/// A chain that was checked.
struct CheckedChain {
    id: Uuid,
    /// Hashes of all entries, in order.
    hashes: Vec<Hash>,
    /// What entry 0 says about a parent.
    parent: Parent,
}

/// What entry 0 says about a parent.
enum Parent {
    None,
    Entry {
        record: Uuid,
        hash: Hash,
    },
    /// The body was erased, and what it said with it.
    Erased,
}

/// Which part of the document a check is about.
#[derive(Debug, Clone, Copy)]
struct Place {
    name: &'static str,
    record: Option<Uuid>,
    position: Option<u64>,
}

impl Place {
    const fn part(name: &'static str) -> Self {
        Self { name, record: None, position: None }
    }

    const fn record(id: Uuid) -> Self {
        Self { name: "record", record: Some(id), position: None }
    }

    const fn entry(id: Uuid, position: u64) -> Self {
        Self { name: "entry", record: Some(id), position: Some(position) }
    }

    fn fail(self, reason: Reason, detail: impl std::fmt::Display) -> Failure {
        let detail = match self.record {
            Some(_) => detail.to_string(),
            None => format!("{}: {detail}", self.name),
        };
        Failure { record: self.record, position: self.position, reason, detail }
    }

    /// Fails with `reason` unless `holds`.
    fn require(
        self,
        holds: bool,
        reason: Reason,
        detail: impl std::fmt::Display,
    ) -> Result<(), Failure> {
        if holds { Ok(()) } else { Err(self.fail(reason, detail)) }
    }
}

/// Reads a UUID in its one accepted spelling.
fn uuid(text: &str) -> Option<Uuid> {
    Uuid::try_parse(text).ok().filter(|id| id.to_string() == text)
}
