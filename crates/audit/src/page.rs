//! Entries of a page, chain by chain. Pure: it runs on a thread of its own.

use deed_chain::hash::Hash;
use deed_chain::verify::{AuditedChain, Auditor, Checked, Row};
use deed_store::records::StoredEntry;
use uuid::Uuid;

use crate::finding::Finding;

/// Verifies chains of which the entries come in order, with the pages cut anywhere.
#[derive(Default)]
pub(crate) struct Verifier {
    chain: Option<Chain>,
}

struct Chain {
    so_far: AuditedChain,
    /// The first failure of a chain tells enough: what follows is not judged.
    failed: bool,
}

/// What came of a page.
pub(crate) struct Verified {
    pub(crate) verifier: Verifier,
    pub(crate) findings: Vec<Finding>,
    /// Records whose chains began on this page.
    pub(crate) begun: Vec<Uuid>,
    /// Records that hang on an entry of another one.
    pub(crate) parents: Vec<(Uuid, (Uuid, Hash))>,
    pub(crate) entries: u64,
}

impl Verifier {
    /// What can only be told at the end of a chain.
    pub(crate) fn end(&self, auditor: &Auditor) -> Option<Finding> {
        let chain = self.chain.as_ref().filter(|chain| !chain.failed)?;
        let ended = auditor.end(&chain.so_far, &mut Checked::default());
        ended.err().map(Finding::of_failure)
    }
}

pub(crate) fn verify(auditor: &Auditor, verifier: Verifier, page: &[StoredEntry]) -> Verified {
    let mut done = Verified {
        verifier,
        findings: Vec::new(),
        begun: Vec::new(),
        parents: Vec::new(),
        entries: page.len() as u64,
    };
    let mut checked = Checked::default();
    for stored in page {
        let record = stored.record_id;
        if done.verifier.chain.as_ref().is_none_or(|chain| chain.so_far.record() != record) {
            done.findings.extend(done.verifier.end(auditor));
            done.verifier.chain = Some(Chain { so_far: auditor.begin(record), failed: false });
            done.begun.push(record);
        }
        let Some(chain) = done.verifier.chain.as_mut().filter(|chain| !chain.failed) else {
            continue;
        };
        let row = Row {
            position: stored.position.unsigned_abs(),
            hash: stored.hash,
            previous: stored.previous,
            statement: &stored.entry,
            body: &stored.body,
        };
        match auditor.entry(&mut chain.so_far, row, &mut checked) {
            Ok(()) if stored.position == 0 => {
                done.parents.extend(chain.so_far.parent().map(|entry| (record, entry)));
            }
            Ok(()) => {}
            Err(failure) => {
                chain.failed = true;
                done.findings.push(Finding::of_failure(failure));
            }
        }
    }
    done
}
