//! `deed config`: what is in force, and from where.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::fault::Fault;
use super::settings::{Origin, Setting, Settings};
use super::variable::{Default, Process};

/// For people: a line a variable, then what is wrong.
pub(crate) fn text(settings: &Settings, faults: &[Fault]) -> String {
    let rows: Vec<[String; 3]> = settings
        .iter()
        .map(|setting| [setting.variable.name.to_owned(), value(setting), origin(setting)])
        .collect();
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let (names, values) = (width(0), width(1));
    let mut text = String::new();
    for [name, value, origin] in &rows {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{name:names$}  {value:values$}  {origin}");
    }
    for fault in faults {
        let _ = writeln!(text, "\n{fault}");
    }
    text
}

/// For programs.
pub(crate) fn json(settings: &Settings, faults: &[Fault]) -> Value {
    let settings: Vec<Value> = settings
        .iter()
        .map(|setting| {
            let (origin, file) = match &setting.origin {
                Origin::Default => ("default", None),
                Origin::Environment => ("environment", None),
                Origin::File(path) => ("file", Some(path.to_string_lossy())),
                Origin::Unset => ("unset", None),
            };
            json!({
                "name": setting.variable.name,
                "value": setting.shown,
                "secret": setting.variable.kind.is_secret(),
                "origin": origin,
                "file": file,
                "usedBy": readers(setting),
            })
        })
        .collect();
    let faults: Vec<String> = faults.iter().map(Fault::to_string).collect();
    json!({ "settings": settings, "faults": faults })
}

fn readers(setting: &Setting) -> Vec<String> {
    setting.variable.used_by.iter().map(Process::to_string).collect()
}

fn value(setting: &Setting) -> String {
    match (&setting.shown, &setting.origin) {
        (_, Origin::Unset) => "-".to_owned(),
        (Some(shown), _) => shown.clone(),
        (None, _) => "<redacted>".to_owned(),
    }
}

fn origin(setting: &Setting) -> String {
    match &setting.origin {
        Origin::Default => "default".to_owned(),
        Origin::Environment => "environment".to_owned(),
        Origin::File(path) => format!("file {}", path.display()),
        Origin::Unset => match setting.variable.default {
            Default::Otherwise(text) => format!("not set: {text}"),
            _ => format!("not set; needed by {}", readers(setting).join(", ")),
        },
    }
}
