//! Expressions: conditions over criteria and evidence, in a small language of our own.
//!
//! ```text
//! number(evidence("/paid")) <= criteria("/budget") && size(evidence("/photos")) >= 3
//! ```
//!
//! It is total by construction: the source has at most 2 KiB, is compiled without recursion to a list of
//! instructions that only jumps forward, so each runs at most once, and what is computed is bounded in
//! digits. Numbers are exact decimals; there is no division, because it is not exact.

mod compile;
mod run;
mod token;

use serde_json::Value;

use crate::fault::{Faults, Members};
use crate::limits::EXPRESSION_BYTES;
use crate::outcome::{Finding, Judged};
use crate::pointer::Pointer;
use crate::rule::Documents;
use crate::show::{self, shorten};
use crate::tolerance::Tolerance;
use run::Step;

/// Most sources that an outcome shows.
const SHOWN_SOURCES: usize = 8;

/// A compiled expression.
#[derive(Debug)]
pub(crate) struct Expression {
    source: String,
    program: Vec<Step>,
}

/// A value that an expression reads.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Source {
    document: Document,
    pointer: Pointer,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Document {
    Criteria,
    Evidence,
}

impl Document {
    fn name(self) -> &'static str {
        match self {
            Self::Criteria => "criteria",
            Self::Evidence => "evidence",
        }
    }
}

impl Source {
    fn of<'v>(&self, documents: Documents<'v>) -> Option<&'v Value> {
        self.pointer.of(match self.document {
            Document::Criteria => documents.criteria,
            Document::Evidence => documents.evidence,
        })
    }
}

impl Expression {
    /// Takes `expression`.
    pub(crate) fn take(members: &mut Members<'_>, faults: &mut Faults) -> Option<Self> {
        let expected = "an expression of 1 to 2048 bytes";
        let source = members.required("expression", expected, faults, |value| {
            value.as_str().filter(|text| (1..=EXPRESSION_BYTES).contains(&text.len()))
        })?;
        match compile::compile(source) {
            Ok(program) => Some(Self { source: source.to_owned(), program }),
            Err(fault) => {
                let found = format!("{} at character {}", fault.found, fault.character(source));
                faults.add(&members.path("expression"), fault.expected, found);
                None
            }
        }
    }

    pub(crate) fn judge(&self, documents: Documents<'_>) -> Finding {
        let judged = match run::run(&self.program, documents) {
            Ok(true) => Judged::Pass,
            Ok(false) => Judged::Fail("the expression is false"),
            Err(reason) => Judged::Error(reason),
        };
        Finding {
            judged,
            comparison: None,
            expected: Some(shorten(&self.source)),
            found: Some(self.sources(documents)),
            tolerance: Tolerance::None,
        }
    }

    /// What the first sources hold, each once.
    fn sources(&self, documents: Documents<'_>) -> String {
        let mut shown: Vec<&Source> = Vec::new();
        for step in &self.program {
            if let Step::Read(source) | Step::Has(source) = step
                && !shown.contains(&source)
                && shown.len() < SHOWN_SOURCES
            {
                shown.push(source);
            }
        }
        let each = shown.into_iter().map(|source| {
            let value = source.of(documents).map_or("nothing".to_owned(), show::value);
            format!("{} {}: {value}", source.document.name(), shorten(&source.pointer.to_string()))
        });
        each.collect::<Vec<_>>().join("; ")
    }
}

#[cfg(test)]
mod tests;
