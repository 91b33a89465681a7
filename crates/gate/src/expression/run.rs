//! Running a program. Jumps only go forward, so each step runs at most once.

use serde_json::Value;

use super::Source;
use crate::decimal::Decimal;
use crate::limits::TEXT_BYTES;
use crate::rule::Documents;
use crate::show;

/// One instruction of a program in postfix order.
#[derive(Debug)]
pub(super) enum Step {
    Number(Decimal),
    Text(String),
    Bool(bool),
    Read(Source),
    Has(Source),
    Apply(Function),
    Combine(Binary),
    /// Goes to `target` with the left operand when that decides, else drops it.
    Logic {
        and: bool,
        target: usize,
    },
    /// The right operand of `&&` and `||` must be a boolean too.
    AssertBool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    Negate,
    Not,
    Abs,
    Number,
    Size,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Binary {
    Equal,
    Unequal,
    Less,
    AtMost,
    More,
    AtLeast,
    Plus,
    Minus,
    Times,
}

impl Step {
    /// False for a last step whose result is certainly no boolean.
    pub(super) fn is_boolean_if_anything(&self) -> bool {
        match self {
            Self::Bool(_) | Self::Read(_) | Self::Has(_) | Self::AssertBool => true,
            Self::Apply(function) => *function == Function::Not,
            Self::Combine(operator) => {
                !matches!(operator, Binary::Plus | Binary::Minus | Binary::Times)
            }
            Self::Number(_) | Self::Text(_) | Self::Logic { .. } => false,
        }
    }
}

/// A value on the stack.
#[derive(Debug, Clone)]
enum Item<'v> {
    Number(Decimal),
    Text(&'v str),
    Bool(bool),
    /// Null, an array or an object: only `size` takes it.
    Other(&'v Value),
}

impl Item<'_> {
    fn kind(&self) -> &'static str {
        match self {
            Self::Number(_) => "a number",
            Self::Text(_) => "a text",
            Self::Bool(_) => "a boolean",
            Self::Other(value) => show::kind(value),
        }
    }
}

/// # Errors
/// Why the expression has no value for these documents, one sentence.
pub(super) fn run(program: &[Step], documents: Documents<'_>) -> Result<bool, String> {
    let mut stack = Vec::new();
    let mut at = 0;
    while let Some(step) = program.get(at) {
        at += 1;
        let item = match step {
            Step::Number(number) => Item::Number(number.clone()),
            Step::Text(text) => Item::Text(text),
            Step::Bool(value) => Item::Bool(*value),
            Step::Read(source) => read(source, documents)?,
            Step::Has(source) => Item::Bool(source.of(documents).is_some()),
            Step::Apply(function) => apply(*function, pop(&mut stack)?)?,
            Step::Combine(operator) => {
                let right = pop(&mut stack)?;
                combine(*operator, &pop(&mut stack)?, &right)?
            }
            Step::AssertBool => Item::Bool(boolean(&pop(&mut stack)?)?),
            Step::Logic { and, target } => {
                let left = boolean(&pop(&mut stack)?)?;
                if left == *and {
                    continue;
                }
                at = *target;
                Item::Bool(left)
            }
        };
        stack.push(item);
    }
    boolean(&pop(&mut stack)?)
}

fn pop<'v>(stack: &mut Vec<Item<'v>>) -> Result<Item<'v>, String> {
    stack.pop().ok_or_else(|| "the expression lacks a value".to_owned())
}

fn read<'v>(source: &Source, documents: Documents<'v>) -> Result<Item<'v>, String> {
    let name = source.document.name();
    match source.of(documents) {
        None => Err(format!("there is nothing at {} in the {name}", source.pointer)),
        Some(Value::Bool(value)) => Ok(Item::Bool(*value)),
        Some(Value::String(text)) => Ok(Item::Text(text)),
        Some(number @ Value::Number(_)) => Decimal::read(number)
            .map(Item::Number)
            .map_err(|_| format!("the number at {} in the {name} is over a limit", source.pointer)),
        Some(other) => Ok(Item::Other(other)),
    }
}

fn boolean(item: &Item<'_>) -> Result<bool, String> {
    match item {
        Item::Bool(value) => Ok(*value),
        other => Err(format!("expected a boolean, found {}", other.kind())),
    }
}

fn apply<'v>(function: Function, item: Item<'v>) -> Result<Item<'v>, String> {
    match (function, item) {
        (Function::Not, item) => Ok(Item::Bool(!boolean(&item)?)),
        (Function::Negate, Item::Number(number)) => Ok(Item::Number(number.negated())),
        (Function::Abs, Item::Number(number)) => Ok(Item::Number(number.abs())),
        (Function::Number, item @ Item::Number(_)) => Ok(item),
        (Function::Number, Item::Text(text)) => match Decimal::parse(text) {
            Some(number) => Ok(Item::Number(number)),
            None => Err(format!("expected {}, found another text", Decimal::EXPECTED)),
        },
        (Function::Size, Item::Text(text)) => within(text).map(|text| count(text.chars().count())),
        (Function::Size, Item::Other(Value::Array(items))) => Ok(count(items.len())),
        (Function::Size, Item::Other(Value::Object(members))) => Ok(count(members.len())),
        (Function::Size, other) => {
            Err(format!("size expects a text, an array or an object, found {}", other.kind()))
        }
        (_, other) => Err(format!(
            "expected a number, found {}; number(...) reads one from a text",
            other.kind()
        )),
    }
}

fn count<'v>(number: usize) -> Item<'v> {
    Item::Number(Decimal::from(u64::try_from(number).unwrap_or(u64::MAX)))
}

fn within(text: &str) -> Result<&str, String> {
    if text.len() <= TEXT_BYTES {
        return Ok(text);
    }
    Err(format!("a text has more than {TEXT_BYTES} bytes"))
}

fn combine<'v>(operator: Binary, left: &Item<'v>, right: &Item<'v>) -> Result<Item<'v>, String> {
    use std::cmp::Ordering::{Equal, Greater, Less};
    let equality = matches!(operator, Binary::Equal | Binary::Unequal);
    let order = match (left, right) {
        (Item::Number(left), Item::Number(right)) => {
            if let Some(number) = operator.combine(left, right) {
                return bounded(number);
            }
            left.cmp(right)
        }
        (Item::Text(left), Item::Text(right)) if equality => within(left)?.cmp(within(right)?),
        (Item::Bool(left), Item::Bool(right)) if equality => left.cmp(right),
        _ => {
            return Err(format!(
                "{} and {} cannot be combined so; number(...) reads a number from a text",
                left.kind(),
                right.kind()
            ));
        }
    };
    Ok(Item::Bool(match operator {
        Binary::Equal => order == Equal,
        Binary::Unequal => order != Equal,
        Binary::Less => order == Less,
        Binary::AtMost => order != Greater,
        Binary::More => order == Greater,
        _ => order != Less,
    }))
}

fn bounded<'v>(number: Decimal) -> Result<Item<'v>, String> {
    if number.is_bounded() {
        return Ok(Item::Number(number));
    }
    Err("a result has digits beyond 1e-1000 or 1e1000".to_owned())
}
