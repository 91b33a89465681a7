//! The rules judge completions: the job `gate.evaluate` over a real store.

mod dead;
mod judgements;
mod once;
mod support;
