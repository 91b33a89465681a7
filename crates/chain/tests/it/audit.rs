//! The checks of an export, applied to rows of a database.

use deed_chain::body::body_hash;
use deed_chain::checkpoint::Checkpoint;
use deed_chain::verify::{Auditor, Checked, Failure, Reason, Row};
use deed_chain::{Claims, Entry, Hash, json};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::cases::installation;
use crate::world::{ISSUER, START, id, key, known_keys, salt, seal};

fn auditor() -> Auditor {
    let installation = installation();
    let (statement, body) = &installation.genesis;
    let body = json::canonical(body);
    Auditor::new(installation.id, ISSUER, statement.as_bytes(), &body, known_keys()).unwrap()
}

/// A stored row.
#[derive(Clone)]
struct Stored {
    position: u64,
    hash: Hash,
    previous: Hash,
    statement: Vec<u8>,
    body: Vec<u8>,
}

/// The rows of record 1.
fn rows() -> Vec<Stored> {
    let (_, records) = installation().tree();
    let rows = records[0].1.iter().map(|(entry, body)| {
        let link = entry.decode().unwrap().claims.link.unwrap();
        Stored {
            position: link.position,
            hash: entry.hash(),
            previous: link.previous,
            statement: entry.as_bytes().to_vec(),
            body: json::canonical(body.as_ref().unwrap()),
        }
    });
    rows.collect()
}

fn audit(record: Uuid, rows: &[Stored]) -> Result<Checked, Failure> {
    let (auditor, mut checked) = (auditor(), Checked::default());
    let mut chain = auditor.begin(record);
    for row in rows {
        let Stored { position, hash, previous, statement, body } = row;
        let row = Row { position: *position, hash: *hash, previous: *previous, statement, body };
        auditor.entry(&mut chain, row, &mut checked)?;
    }
    auditor.end(&chain, &mut checked)?;
    assert_eq!(chain.size(), rows.len() as u64);
    Ok(checked)
}

#[test]
fn sound_rows_pass() {
    let checked = audit(id(1), &rows()).unwrap();
    assert_eq!((checked.records, checked.entries, checked.signatures), (1, 3, 3));
    assert_eq!((checked.links, checked.bodies), (3, 3));
}

#[test]
fn every_column_is_judged() {
    let fails = |change: fn(&mut Vec<Stored>)| {
        let mut changed = rows();
        change(&mut changed);
        let failure = audit(id(1), &changed).unwrap_err();
        (failure.reason, failure.position.unwrap())
    };
    assert_eq!(fails(|r| r[1].hash = Hash([7; 32])), (Reason::HashMismatch, 1));
    assert_eq!(fails(|r| r[1].previous = Hash([7; 32])), (Reason::PreviousMismatch, 1));
    assert_eq!(fails(|r| r[1].position = 5), (Reason::PositionMismatch, 5));
    assert_eq!(fails(|r| drop(r.remove(1))), (Reason::PositionSequence, 2));
    assert_eq!(fails(|r| drop(r.remove(0))), (Reason::PositionSequence, 1));
    assert_eq!(fails(|r| r[2].body = b"{}".to_vec()), (Reason::BodyHashMismatch, 2));
    assert_eq!(fails(|r| r[2].body.push(b' ')), (Reason::BodyHashMismatch, 2));
    assert_eq!(fails(|r| r[2].statement[20] ^= 1), (Reason::UnknownKey, 2));
    assert_eq!(fails(|r| *r[2].statement.last_mut().unwrap() ^= 1).1, 2);
    let other = audit(id(2), &rows()).unwrap_err();
    assert_eq!(other.reason, Reason::SubjectMismatch);
}

#[test]
fn the_genesis_statement_is_judged_first() {
    let installation = installation();
    let (statement, body) = &installation.genesis;
    let body = json::canonical(body);
    let judge = |id, issuer, keys| Auditor::new(id, issuer, statement.as_bytes(), &body, keys);
    let reason = |result: Result<Auditor, Failure>| result.unwrap_err().reason;
    assert_eq!(reason(judge(id(8), ISSUER, known_keys())), Reason::InstallationMismatch);
    let elsewhere = judge(installation.id, "https://other.example", known_keys());
    assert_eq!(reason(elsewhere), Reason::IssuerMismatch);
    let stranger = [crate::world::public(&key(9))].into_iter().collect();
    assert_eq!(reason(judge(installation.id, ISSUER, stranger)), Reason::UnknownKey);
}

fn checkpoint(subject: Uuid, body: &Value) -> (Entry, Vec<u8>) {
    let issuer = ISSUER.to_owned();
    let claims = Claims { issuer, subject, issued_at: START, link: None };
    (seal(&key(1), &claims, body), body_hash(body).0)
}

#[test]
fn a_checkpoint_says_what_was_signed() {
    let auditor = auditor();
    let made = Checkpoint { record: id(1), size: 3, head: Hash([5; 32]) };
    let body = made.body(&salt("c"));
    let (statement, bytes) = checkpoint(id(1), &body);
    assert_eq!(auditor.checkpoint(statement.as_bytes(), &bytes), Ok(made));

    let reason = |statement: &Entry, body: &[u8]| {
        auditor.checkpoint(statement.as_bytes(), body).unwrap_err().reason
    };
    let mut other = body.clone();
    other["checkpoint"]["size"] = json!(4);
    assert_eq!(reason(&statement, &json::canonical(&other)), Reason::BodyHashMismatch);
    let (elsewhere, bytes) = checkpoint(id(2), &body);
    assert_eq!(reason(&elsewhere, &bytes), Reason::SubjectMismatch);
    let mut other = body.clone();
    other["kind"] = json!("other");
    let (statement, bytes) = checkpoint(id(1), &other);
    assert_eq!(reason(&statement, &bytes), Reason::CheckpointInvalid);
    let (_, records) = installation().tree();
    let (entry, entry_body) = &records[0].1[0];
    let bytes = json::canonical(entry_body.as_ref().unwrap());
    assert_eq!(reason(entry, &bytes), Reason::CheckpointInvalid);
}
