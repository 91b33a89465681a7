//! `docs/configuration.md`, generated from the table.

use std::fmt::Write as _;

use super::table::TABLE;
use super::variable::{Concern, Default, Process, Variable};

const INTRODUCTION: &str = "\
# Configuration

<!-- Generated from crates/deed/src/config/table.rs: `UPDATE_DOCS=1 cargo test -p deed` writes it. -->

Deed is configured by environment variables. `deed config` prints what is in force and where each
value came from. A value that is not accepted, a required one that is missing, and a misspelt name
stop the process with a message that names the variable.

* **Secrets** can be given in a file instead: `NAME_FILE` holds its path. Setting both is an error.
  One line end at the end of the file is ignored. No secret is ever printed.
* **Durations** have a unit: `500ms`, `10s`, `2m`. **Sizes** are bytes or have one: `64KiB`, `1MiB`.
* A variable that begins like one of ours and is not listed here is refused.
";

/// The whole document.
pub(crate) fn document() -> String {
    let mut text = INTRODUCTION.to_owned();
    for concern in Concern::ALL {
        let (title, introduction) = concern.describe();
        // Writing to a String cannot fail.
        let _ = write!(text, "\n## {title}\n\n{introduction}\n\n");
        text.push_str("| variable | default | read by | what it is |\n|---|---|---|---|\n");
        for variable in TABLE.iter().filter(|variable| variable.concern == concern) {
            let _ = writeln!(text, "{}", row(variable));
        }
    }
    text
}

fn row(variable: &Variable) -> String {
    let name = variable.name;
    let mut default = show(variable.default);
    if let Some(in_up) = variable.default_in_up {
        let _ = write!(default, " (`deed up`: {})", show(in_up));
    }
    let secret = variable
        .file_variable()
        .map_or_else(String::new, |file| format!("<br>**secret**, or `{file}`"));
    let readers: Vec<String> = variable.used_by.iter().map(Process::to_string).collect();
    let (about, accepts) = (variable.about, variable.kind.accepts());
    let readers = readers.join(", ");
    format!("| `{name}`{secret} | {default} | {readers} | {about} It must be {accepts}. |")
}

fn show(default: Default) -> String {
    match default {
        Default::Required => "required".to_owned(),
        Default::Value(value) => format!("`{value}`"),
        Default::Otherwise(text) => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_document_is_the_generated_one() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration.md");
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(path, document()).expect("docs/configuration.md is written");
        }
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            committed == document(),
            "docs/configuration.md differs from the table: UPDATE_DOCS=1 cargo test -p deed"
        );
    }

    #[test]
    fn every_variable_is_described_once() {
        let text = document();
        for variable in TABLE {
            assert_eq!(text.matches(&format!("| `{}`", variable.name)).count(), 1);
            assert!(!variable.used_by.is_empty() && variable.about.ends_with('.'));
        }
    }
}
