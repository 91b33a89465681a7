use std::collections::HashSet;

use uuid::Uuid;

use super::{Checked, CheckedChain, Failure, Parent, Place, Reason};
use crate::Hash;

/// Checks that every child hangs on an entry of its parent, and nothing but the root hangs on
/// something outside the document.
pub(super) fn check(
    chains: &[CheckedChain],
    root: Uuid,
    checked: &mut Checked,
) -> Result<(), Failure> {
    let present: HashSet<Uuid> = chains.iter().map(|chain| chain.id).collect();
    let entries: HashSet<(Uuid, Hash)> =
        chains.iter().flat_map(|chain| chain.hashes.iter().map(|hash| (chain.id, *hash))).collect();
    for chain in chains {
        let place = Place::entry(chain.id, 0);
        match chain.parent {
            Parent::Entry { record, hash } if present.contains(&record) => {
                let detail = format_args!("{hash} is no entry of the parent {record}");
                place.require(entries.contains(&(record, hash)), Reason::ParentMismatch, detail)?;
                checked.parent_links += 1;
            }
            Parent::Entry { record, .. } => {
                let detail = format_args!("its parent {record} is not in the document");
                place.require(chain.id == root, Reason::OrphanRecord, detail)?;
                checked.parents_outside += 1;
            }
            Parent::None => {
                place.require(chain.id == root, Reason::OrphanRecord, "it has no parent")?;
            }
            // What it hung on is gone with the body; its erasure is proven by the chain.
            Parent::Erased => {}
        }
    }
    Ok(())
}
