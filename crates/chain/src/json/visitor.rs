//! The parser proper: one serde pass that builds the value.

use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value, map::Entry};

use super::{error::JsonError, scan::Inexact};

/// Beyond this a double no longer tells two neighbouring integers apart.
const MAX_SAFE_INTEGER: u64 = 1 << 53;

/// Longest piece of a client's text that an error repeats, in characters.
const EXCERPT: usize = 64;

/// Builds the value of `text`, refusing the number that the scan objected to when it comes up.
pub(super) fn build(text: &str, inexact: Option<Inexact<'_>>) -> Result<Value, JsonError> {
    let mut state = State { inexact, numbers: 0, problem: None, path: Vec::new() };
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let outcome = Seed { state: &mut state }.deserialize(&mut deserializer);
    match outcome.and_then(|value| deserializer.end().map(|()| value)) {
        Ok(value) => Ok(value),
        Err(error) => Err(state.explain(&error)),
    }
}

/// What the visitor refuses over and above serde_json.
enum Problem {
    DuplicateKey,
    Inexact,
    Nul,
}

/// Shared by the visitors of one document.
struct State<'a> {
    inexact: Option<Inexact<'a>>,
    numbers: usize,
    problem: Option<Problem>,
    /// Steps from the failure outwards, collected only while an error unwinds.
    path: Vec<String>,
}

impl State<'_> {
    fn fail<E: de::Error>(&mut self, problem: Problem) -> E {
        self.problem = Some(problem);
        E::custom("refused")
    }

    /// Counts a number; an error if it is the one that the scan objected to.
    fn number<E: de::Error>(&mut self) -> Result<(), E> {
        if self.inexact.as_ref().is_some_and(|inexact| inexact.ordinal == self.numbers) {
            return Err(self.fail(Problem::Inexact));
        }
        self.numbers += 1;
        Ok(())
    }

    fn string<E: de::Error>(&mut self, text: &str) -> Result<(), E> {
        if text.as_bytes().contains(&0) { Err(self.fail(Problem::Nul)) } else { Ok(()) }
    }

    fn explain(self, error: &serde_json::Error) -> JsonError {
        let pointer: String = self.path.iter().rev().map(|step| format!("/{step}")).collect();
        // serde_json itself stops at a number too large for a double.
        let out_of_range = self.problem.is_none()
            && self.inexact.as_ref().is_some_and(|inexact| inexact.ordinal == self.numbers)
            && error.to_string().starts_with("number out of range");
        match (self.problem, self.inexact) {
            (Some(Problem::DuplicateKey), _) => JsonError::DuplicateKey { pointer },
            (Some(Problem::Nul), _) => JsonError::Nul { pointer },
            (problem, Some(Inexact { offset, text, .. })) if problem.is_some() || out_of_range => {
                JsonError::InexactNumber { pointer, offset, text: excerpt(text) }
            }
            _ => syntax(pointer, error),
        }
    }
}

fn syntax(pointer: String, error: &serde_json::Error) -> JsonError {
    let (line, column) = (error.line(), error.column());
    let text = error.to_string();
    let message = text.strip_suffix(&format!(" at line {line} column {column}")).unwrap_or(&text);
    JsonError::Syntax { pointer, line, column, message: message.to_owned() }
}

fn excerpt(text: &str) -> String {
    match text.char_indices().nth(EXCERPT) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

/// Escapes a key as a reference token of RFC 6901.
fn token(key: &str) -> String {
    excerpt(key).replace('~', "~0").replace('/', "~1")
}

struct Seed<'s, 'a> {
    state: &'s mut State<'a>,
}

impl<'de> DeserializeSeed<'de> for Seed<'_, '_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_, '_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Value, E> {
        self.state.number()?;
        Ok(if value <= MAX_SAFE_INTEGER { value.into() } else { from_double(value as f64) })
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Value, E> {
        self.state.number()?;
        let safe = value.unsigned_abs() <= MAX_SAFE_INTEGER;
        Ok(if safe { value.into() } else { from_double(value as f64) })
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        self.state.number()?;
        Ok(from_double(value))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Value, E> {
        self.state.string(value)?;
        Ok(Value::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        loop {
            match access.next_element_seed(Seed { state: self.state }) {
                Ok(Some(item)) => items.push(item),
                Ok(None) => return Ok(Value::Array(items)),
                Err(error) => {
                    self.state.path.push(items.len().to_string());
                    return Err(error);
                }
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = access.next_key::<String>()? {
            self.state.string(&key)?;
            let value = match access.next_value_seed(Seed { state: self.state }) {
                Ok(value) => value,
                Err(error) => {
                    self.state.path.push(token(&key));
                    return Err(error);
                }
            };
            match map.entry(key) {
                Entry::Vacant(slot) => slot.insert(value),
                Entry::Occupied(slot) => {
                    self.state.path.push(token(slot.key()));
                    return Err(self.state.fail(Problem::DuplicateKey));
                }
            };
        }
        Ok(Value::Object(map))
    }
}

/// A whole number becomes an integer, so that equal numbers are equal values.
fn from_double(value: f64) -> Value {
    if value.fract() == 0.0 && value.abs() <= MAX_SAFE_INTEGER as f64 {
        return Value::from(value as i64);
    }
    Number::from_f64(value).map_or(Value::Null, Value::Number)
}
