//! What a client wants of a webhook, checked.

use std::collections::BTreeSet;

use deed_notify::address::Guard;
use deed_notify::{EventType, Group, endpoint};

use crate::problem::Problem;

/// Every event.
pub(super) const ALL: &str = "*";
/// Longest description, in characters.
const LONGEST_DESCRIPTION: usize = 200;

/// The URL as it will be requested.
pub(super) fn url(text: &str, guard: &Guard) -> Result<String, Problem> {
    endpoint::parse(text, guard).map(String::from).map_err(|error| {
        Problem::unprocessable(
            "webhook-url-refused",
            error.to_string(),
            "Use an https URL of a public host, on port 443 or one from 1024 on; the operator of the \
             server can open private networks.",
        )
    })
}

/// Names of types without repetition, or `*` alone.
pub(super) fn event_types(names: Vec<String>) -> Result<Vec<String>, Problem> {
    let refused = |detail: String| {
        Problem::unprocessable(
            "event-types-invalid",
            detail,
            "Name 1 or more types of events, as docs/events.md lists them, or \"*\" alone for all.",
        )
    };
    if names == [ALL] {
        return Ok(names);
    }
    if names.is_empty() {
        return Err(refused("eventTypes is empty".to_owned()));
    }
    for name in &names {
        let known = EventType::parse(name).filter(|event| *event != EventType::WebhookTest);
        if known.is_none() {
            let shown: String = name.chars().take(64).collect();
            return Err(refused(format!("{shown:?} is no type of event to subscribe to")));
        }
    }
    Ok(names.into_iter().collect::<BTreeSet<_>>().into_iter().collect())
}

/// Whether one of these events tells somebody to move something.
pub(super) fn settles(names: &[String]) -> bool {
    names.iter().any(|name| {
        name == ALL || EventType::parse(name).is_some_and(|event| event.group() == Group::Signals)
    })
}

/// For people; may be empty.
pub(super) fn description(text: String) -> Result<String, Problem> {
    if text.chars().count() <= LONGEST_DESCRIPTION && !text.chars().any(char::is_control) {
        return Ok(text);
    }
    Err(Problem::unprocessable(
        "request-invalid",
        format!(
            "description has at most {LONGEST_DESCRIPTION} characters and no control characters"
        ),
        "Choose a shorter, plain text.",
    ))
}

/// 422 for a word that is none of a few.
pub(super) fn one_of(what: &str, found: &str, words: &[&str]) -> Problem {
    let shown: String = found.chars().take(64).collect();
    Problem::unprocessable(
        "request-invalid",
        format!("{what} is {shown:?}"),
        &format!("Use {}.", words.join(" or ")),
    )
}
