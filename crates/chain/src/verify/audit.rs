use uuid::Uuid;

use super::{
    Checked, Failure, Parent, Place, Reason, chain, chain::Progress, genesis, statement::Checker,
};
use crate::{
    Entry, Hash, base64url, body::MAX_DEPTH, bundle::Sealed, checkpoint::Checkpoint, json,
    key_set::KeySet, sha256,
};

/// Applies the checks of [`verify`](super::verify()) to rows as a database gives them, one by one, so
/// that any number of chains is audited in little memory. It can be shared among threads.
#[derive(Debug)]
pub struct Auditor {
    issuer: String,
    keys: KeySet,
    genesis: Hash,
}

/// One entry as it lies in a database: the columns are judged along with the statement.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    /// Position from 0.
    pub position: u64,
    /// Entry hash.
    pub hash: Hash,
    /// Hash of the entry before, or of the genesis statement.
    pub previous: Hash,
    /// COSE_Sign1 bytes.
    pub statement: &'a [u8],
    /// Body in canonical form.
    pub body: &'a [u8],
}

/// A chain of which all entries so far were checked.
pub struct AuditedChain(Progress);

impl AuditedChain {
    /// The record.
    #[must_use]
    pub const fn record(&self) -> Uuid {
        self.0.id
    }

    /// Number of entries so far.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.0.next
    }

    /// The entry of another record on which this chain hangs.
    #[must_use]
    pub const fn parent(&self) -> Option<(Uuid, Hash)> {
        match self.0.parent {
            Parent::Entry { record, hash } => Some((record, hash)),
            Parent::None | Parent::Erased => None,
        }
    }
}

impl Auditor {
    /// An auditor of one installation, once its genesis statement (COSE_Sign1 bytes) and the body of
    /// it are verified. `keys` are those that the caller trusts.
    ///
    /// # Errors
    /// The first check of the genesis statement that fails.
    pub fn new(
        installation_id: Uuid,
        issuer: &str,
        statement: &[u8],
        body: &[u8],
        keys: KeySet,
    ) -> Result<Self, Failure> {
        let mut checked = Checked::default();
        let mut checker = Checker::new(issuer, &keys, &mut checked);
        let body = parse(Place::part("genesis"), body)?;
        let sealed = Sealed { statement: base64url::encode(statement), body };
        let genesis = genesis::check(&mut checker, &installation_id.to_string(), &sealed)?;
        Ok(Self { issuer: issuer.to_owned(), keys, genesis })
    }

    /// Entry hash of the genesis statement.
    #[must_use]
    pub const fn genesis(&self) -> Hash {
        self.genesis
    }

    /// The chain of a record, before its first entry.
    #[must_use]
    pub const fn begin(&self, record: Uuid) -> AuditedChain {
        AuditedChain(Progress::new(record, self.genesis))
    }

    /// Checks the next entry of a chain.
    ///
    /// # Errors
    /// The first check that fails; the chain is of no use then.
    pub fn entry(
        &self,
        chain: &mut AuditedChain,
        row: Row<'_>,
        checked: &mut Checked,
    ) -> Result<(), Failure> {
        let progress = &mut chain.0;
        let place = Place::entry(progress.id, row.position);
        let mut checker = Checker::new(&self.issuer, &self.keys, checked);
        let opened = checker.open_entry(place, &Entry::from_bytes(row.statement.to_vec()))?;
        let hash = opened.hash;
        let same = row.hash == hash;
        place.require(same, Reason::HashMismatch, format_args!("the entry's hash is {hash}"))?;
        chain::check_link(place, progress, row.position, &opened)?;
        place.require(
            row.previous == progress.previous,
            Reason::PreviousMismatch,
            format_args!("the column says {}, the statement {}", row.previous, progress.previous),
        )?;
        checker.checked.links += 1;
        let body = signed(place, row.body, &opened.body_hash)?;
        chain::check_body(&mut checker, place, progress, Some(&body), &opened)?;
        progress.advance(hash);
        checker.checked.entries += 1;
        Ok(())
    }

    /// Checks what can only be told at the end of a chain.
    ///
    /// # Errors
    /// The first check that fails.
    pub fn end(&self, chain: &AuditedChain, checked: &mut Checked) -> Result<(), Failure> {
        checked.erased += chain.0.end()?;
        checked.records += 1;
        Ok(())
    }

    /// Checks the statement of a checkpoint (COSE_Sign1 bytes) and its body, and gives what it says
    /// of its chain, which is not looked at.
    ///
    /// # Errors
    /// The first check that fails.
    pub fn checkpoint(&self, statement: &[u8], body: &[u8]) -> Result<Checkpoint, Failure> {
        let place = Place::part("checkpoint");
        let mut checked = Checked::default();
        let mut checker = Checker::new(&self.issuer, &self.keys, &mut checked);
        let opened = checker.open_entry(place, &Entry::from_bytes(statement.to_vec()))?;
        let unlinked = opened.claims.link.is_none();
        place.require(unlinked, Reason::CheckpointInvalid, "it has a place in a chain")?;
        let body = signed(place, body, &opened.body_hash)?;
        checker.body(place, &body, &opened.body_hash)?;
        let invalid = "the body is not that of a checkpoint";
        let checkpoint = Checkpoint::of_body(&body)
            .ok_or_else(|| place.fail(Reason::CheckpointInvalid, invalid))?;
        place.require(
            checkpoint.record == opened.claims.subject,
            Reason::SubjectMismatch,
            "the statement is about another record than its body",
        )?;
        Ok(checkpoint)
    }
}

/// Reads a body whose bytes were signed. The hash is that of the canonical form, which the bytes
/// therefore have.
fn signed(place: Place, body: &[u8], hash: &Hash) -> Result<serde_json::Value, Failure> {
    let found = sha256(body);
    place.require(
        found == *hash,
        Reason::BodyHashMismatch,
        format_args!("the body's hash is {found}, signed was {hash}"),
    )?;
    parse(place, body)
}

fn parse(place: Place, body: &[u8]) -> Result<serde_json::Value, Failure> {
    json::parse(body, MAX_DEPTH).map_err(|error| place.fail(Reason::BodyMalformed, error))
}
