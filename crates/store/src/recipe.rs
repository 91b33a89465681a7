//! An answer about one entry, and the recipe by which it is made again.
//!
//! An answer repeats what the vault holds anyway: the statement, the body, hashes. So what is kept
//! under an idempotency key is not the answer but how it is put together of these, of phrases that
//! all answers share, and of the few bytes that are its own. Both are written in one pass: a recipe
//! costs the append path neither a search for repetitions nor more than some two hundred bytes.
//!
//! Format: [`MARK`], then steps. A step is one byte, for [`LITERAL`] followed by a length and so many
//! bytes, for [`BODY`] by start and length of a part of the body; numbers are LEB128.

use std::fmt;
use std::ops::Range;

use deed_chain::base64url;
use deed_chain::hash::Hash;
use uuid::Uuid;

/// Tells a recipe from a compressed answer, which begins with its length in four bytes: no answer has
/// that length.
pub(crate) const MARK: [u8; 4] = [0xff; 4];

const LITERAL: u8 = 0;
const BODY: u8 = 1;
const STATEMENT: u8 = 2;
const ID: u8 = 3;
const HASH: u8 = 4;
const PREVIOUS: u8 = 5;
/// The first phrase; the others follow.
const FIRST_PHRASE: u8 = 16;

/// Room for an answer without its body.
const ANSWER_BYTES: usize = 2048;

/// Text that answers have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is named after the member that it leads to")]
pub enum Phrase {
    RecordId,
    OrgId,
    Type,
    TypeVersion,
    StatusRecorded,
    PrincipalAgentId,
    RequestedBy,
    ParentRecordId,
    RootRecordId,
    References,
    Criteria,
    CreatedAt,
    FirstHead,
    FirstEntry,
    Previous,
    SignedStatement,
    Body,
    NextSteps,
    Read,
    ReadEnd,
    Entries,
    EntriesEnd,
    AddNote,
    AddNoteEnd,
    Delegate,
    Export,
    ExportEnd,
}

impl Phrase {
    /// In the order of the variants. Part of the storage format: add at the end, change nothing.
    const TEXTS: [&'static str; 27] = [
        r#""record":{"id":""#,
        r#"","orgId":""#,
        r#"","type":"#,
        r#","typeVersion":"#,
        r#","status":"RECORDED""#,
        r#","principalAgentId":""#,
        r#","requestedBy":"#,
        r#","parentRecordId":""#,
        r#","rootRecordId":""#,
        r#","references":"#,
        r#","criteria":"#,
        r#","createdAt":""#,
        r#"","head":{"position":0,"hash":""#,
        r#""}},"entry":{"position":0,"hash":""#,
        r#"","previous":""#,
        r#"","signedStatement":""#,
        r#"","body":"#,
        r#","nextSteps":["#,
        r#"{"action":"read","method":"GET","href":"/v1/records/"#,
        r#"","description":"read the record"}"#,
        r#"{"action":"entries","method":"GET","href":"/v1/records/"#,
        r#"/entries","description":"read its signed entries"}"#,
        r#"{"action":"add-note","method":"POST","href":"/v1/records/"#,
        r#"/notes","description":"append a signed note: a correction adds, it never edits"}"#,
        r#"{"action":"delegate","method":"POST","href":"/v1/records","description":"notarize a child of this record: send its id as parentRecordId"}"#,
        r#"{"action":"export","method":"GET","href":"/v1/records/"#,
        r#"/audit-export","description":"get a document that verifies offline"}"#,
    ];

    fn text(self) -> &'static [u8] {
        Self::TEXTS[self as usize].as_bytes()
    }
}

/// What a recipe is carried out with, all of it from one row of the vault.
struct Pantry<'a> {
    id: [u8; 36],
    hash: [u8; 64],
    previous: [u8; 64],
    statement: String,
    body: &'a [u8],
}

impl<'a> Pantry<'a> {
    fn new(id: Uuid, hash: &Hash, previous: &Hash, entry: &[u8], body: &'a [u8]) -> Self {
        let mut text = [0; 36];
        id.hyphenated().encode_lower(&mut text);
        let statement = base64url::encode(entry);
        Self { id: text, hash: hex(hash), previous: hex(previous), statement, body }
    }
}

fn hex(hash: &Hash) -> [u8; 64] {
    let mut text = [0; 64];
    for (byte, digits) in hash.0.iter().zip(text.chunks_exact_mut(2)) {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        digits[0] = DIGITS[usize::from(byte >> 4)];
        digits[1] = DIGITS[usize::from(byte & 15)];
    }
    text
}

/// An answer about one entry under construction.
pub struct Answer<'a> {
    pantry: Pantry<'a>,
    text: Vec<u8>,
    recipe: Vec<u8>,
    /// Where the literal bytes at the end of the text begin that the recipe does not have yet.
    literal: usize,
}

impl fmt::Debug for Answer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer").field("bytes", &self.text.len()).finish_non_exhaustive()
    }
}

impl<'a> Answer<'a> {
    /// An empty answer about the entry of record `id` with this hash, predecessor, statement and body.
    #[must_use]
    pub fn about(id: Uuid, hash: &Hash, previous: &Hash, entry: &[u8], body: &'a [u8]) -> Self {
        let mut recipe = Vec::with_capacity(320);
        recipe.extend_from_slice(&MARK);
        Self {
            pantry: Pantry::new(id, hash, previous, entry, body),
            text: Vec::with_capacity(ANSWER_BYTES + 2 * body.len()),
            recipe,
            literal: 0,
        }
    }

    /// Bytes of its own.
    pub fn literal(&mut self, bytes: &[u8]) {
        self.text.extend_from_slice(bytes);
    }

    /// A string of its own, quoted.
    pub fn string(&mut self, text: &str) {
        deed_chain::json::write_string(text, &mut self.text);
    }

    /// A UUID of its own.
    pub fn uuid(&mut self, id: Uuid) {
        self.literal(id.hyphenated().encode_lower(&mut [0; 36]).as_bytes());
    }

    /// A phrase.
    pub fn phrase(&mut self, phrase: Phrase) {
        self.step(FIRST_PHRASE + phrase as u8);
        self.end_step(phrase.text());
    }

    /// The record's id.
    pub fn id(&mut self) {
        self.step(ID);
        let id = self.pantry.id;
        self.end_step(&id);
    }

    /// The entry's hash.
    pub fn hash(&mut self) {
        self.step(HASH);
        let hash = self.pantry.hash;
        self.end_step(&hash);
    }

    /// The hash of the entry before it.
    pub fn previous(&mut self) {
        self.step(PREVIOUS);
        let previous = self.pantry.previous;
        self.end_step(&previous);
    }

    /// The statement in base64url.
    pub fn statement(&mut self) {
        self.step(STATEMENT);
        self.text.extend_from_slice(self.pantry.statement.as_bytes());
        self.literal = self.text.len();
    }

    /// A part of the body.
    ///
    /// # Panics
    /// When the body has no such part.
    pub fn body(&mut self, part: Range<usize>) {
        self.step(BODY);
        write_number(part.start, &mut self.recipe);
        write_number(part.len(), &mut self.recipe);
        let body = self.pantry.body;
        self.end_step(&body[part]);
    }

    fn step(&mut self, step: u8) {
        self.close_literal();
        self.recipe.push(step);
    }

    fn end_step(&mut self, bytes: &[u8]) {
        self.text.extend_from_slice(bytes);
        self.literal = self.text.len();
    }

    fn close_literal(&mut self) {
        let literal = &self.text[self.literal..];
        if !literal.is_empty() {
            self.recipe.push(LITERAL);
            write_number(literal.len(), &mut self.recipe);
            self.recipe.extend_from_slice(literal);
        }
    }

    /// The answer, and its recipe.
    #[must_use]
    pub fn done(mut self) -> (Vec<u8>, Vec<u8>) {
        self.close_literal();
        (self.text, self.recipe)
    }
}

fn write_number(mut number: usize, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Carries out a recipe (with its mark) on the row of the vault that it is about; `None` when it is
/// damaged.
pub(crate) fn make(
    recipe: &[u8],
    id: Uuid,
    hash: &Hash,
    previous: &Hash,
    entry: &[u8],
    body: &[u8],
) -> Option<Vec<u8>> {
    let pantry = Pantry::new(id, hash, previous, entry, body);
    let mut rest = Steps(recipe.strip_prefix(&MARK)?);
    let mut text = Vec::with_capacity(ANSWER_BYTES + 2 * body.len());
    while let Some(step) = rest.byte() {
        match step {
            LITERAL => {
                let length = rest.number()?;
                text.extend_from_slice(rest.bytes(length)?);
            }
            BODY => {
                let (start, length) = (rest.number()?, rest.number()?);
                text.extend_from_slice(body.get(start..start.checked_add(length)?)?);
            }
            STATEMENT => text.extend_from_slice(pantry.statement.as_bytes()),
            ID => text.extend_from_slice(&pantry.id),
            HASH => text.extend_from_slice(&pantry.hash),
            PREVIOUS => text.extend_from_slice(&pantry.previous),
            _ => {
                let phrase = usize::from(step.checked_sub(FIRST_PHRASE)?);
                text.extend_from_slice(Phrase::TEXTS.get(phrase)?.as_bytes());
            }
        }
    }
    Some(text)
}

/// The rest of a recipe.
struct Steps<'a>(&'a [u8]);

impl<'a> Steps<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn bytes(&mut self, length: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }

    fn number(&mut self) -> Option<usize> {
        let mut number = 0_usize;
        for shift in (0..usize::BITS).step_by(7) {
            let byte = self.byte()?;
            number |= usize::from(byte & 0x7f).checked_shl(shift)?;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = br#"{"criteria":{"a":1},"kind":"record.recorded"}"#;

    fn written() -> (Vec<u8>, Vec<u8>) {
        let mut answer =
            Answer::about(Uuid::from_u128(7), &Hash([1; 32]), &Hash([2; 32]), b"entry", BODY);
        answer.literal(b"{");
        answer.phrase(Phrase::RecordId);
        answer.id();
        answer.phrase(Phrase::OrgId);
        answer.uuid(Uuid::from_u128(9));
        answer.string("a \"quoted\" text");
        answer.string(&"long ".repeat(100));
        answer.hash();
        answer.previous();
        answer.statement();
        answer.body(12..19);
        answer.body(0..BODY.len());
        answer.literal(b"]}");
        answer.done()
    }

    fn made(recipe: &[u8]) -> Option<Vec<u8>> {
        make(recipe, Uuid::from_u128(7), &Hash([1; 32]), &Hash([2; 32]), b"entry", BODY)
    }

    #[test]
    fn a_recipe_makes_the_answer_again() {
        let (text, recipe) = written();
        assert_eq!(made(&recipe), Some(text));
    }

    #[test]
    fn a_damaged_recipe_makes_nothing_or_something_else_but_does_not_panic() {
        let (text, recipe) = written();
        for at in 0..recipe.len() {
            let _shorter = made(&recipe[..at]);
            for bit in 0..8 {
                let mut other = recipe.clone();
                other[at] ^= 1 << bit;
                assert_ne!(made(&other), Some(text.clone()), "byte {at}, bit {bit}");
            }
        }
    }

    #[test]
    fn every_phrase_has_its_text() {
        assert_eq!(Phrase::ExportEnd as usize + 1, Phrase::TEXTS.len());
        assert!(Phrase::Previous.text().ends_with(br#""previous":""#));
        assert!(Phrase::Delegate.text().starts_with(br#"{"action":"delegate""#));
    }
}
