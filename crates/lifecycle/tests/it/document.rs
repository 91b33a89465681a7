//! `docs/state-machine.md` is the table, rendered.

use std::fmt::Write as _;
use std::path::Path;

use deed_lifecycle::{Action, ENTRANCES, Guard, Role, State, TABLE, VerdictMode};

#[test]
fn the_committed_document_is_the_generated_one() {
    let generated = document();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/state-machine.md");
    if std::env::var_os("UPDATE_DOCS").is_some_and(|value| value == "1") {
        std::fs::write(&path, &generated).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == generated,
        "docs/state-machine.md is stale: run the test with UPDATE_DOCS=1"
    );
}

fn document() -> String {
    let mut text = String::from(
        "# The life of a record\n\n\
         Generated from the table in `crates/lifecycle/src/table.rs`; rewrite it with\n\
         `UPDATE_DOCS=1 cargo test -p deed-lifecycle`. How to use it: [gated-work.md](gated-work.md).\n\n",
    );
    diagram(&mut text);
    states(&mut text);
    transitions(&mut text);
    actions(&mut text);
    guards(&mut text);
    text
}

fn diagram(text: &mut String) {
    text.push_str("```mermaid\nstateDiagram-v2\n");
    for (state, how) in ENTRANCES {
        let _ =
            writeln!(text, "    [*] --> {}: {}", state.as_str(), how.split(':').next().unwrap());
    }
    let mut drawn: Vec<(State, State, Vec<&str>)> = Vec::new();
    for row in &TABLE {
        match drawn.iter_mut().find(|d| (d.0, d.1) == (row.from, row.to)) {
            Some(edge) if edge.2.contains(&row.action.as_str()) => {}
            Some(edge) => edge.2.push(row.action.as_str()),
            None => drawn.push((row.from, row.to, vec![row.action.as_str()])),
        }
    }
    for (from, to, actions) in drawn {
        let _ = writeln!(text, "    {} --> {}: {}", from.as_str(), to.as_str(), actions.join(", "));
    }
    for state in State::ALL {
        if state.is_terminal() {
            let _ = writeln!(text, "    {} --> [*]", state.as_str());
        }
    }
    text.push_str("```\n\n");
}

fn states(text: &mut String) {
    text.push_str("## States\n\n| state | | deadline runs | meaning |\n|---|---|---|---|\n");
    for state in State::ALL {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} |",
            state.as_str(),
            if state.is_terminal() { "terminal" } else { "" },
            if state.has_running_deadline() { "yes" } else { "" },
            state.meaning(),
        );
    }
    text.push_str(
        "\nA terminal state owes nobody anything. A failure alone can be reopened, once, by a dispute.\n\n",
    );
}

fn transitions(text: &mut String) {
    text.push_str(
        "## Transitions\n\nWhat is not in this table is refused.\n\n\
         | in | action | by | if | then | signal |\n|---|---|---|---|---|---|\n",
    );
    for row in &TABLE {
        let roles: Vec<&str> = row.roles.iter().map(Role::as_str).collect();
        let guards: Vec<&str> = row.guards.iter().map(|guard| guard.as_str()).collect();
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} |",
            row.from.as_str(),
            row.action.as_str(),
            roles.join(", "),
            guards.join(", "),
            row.to.as_str(),
            row.signal.map_or("", |signal| signal.as_str()),
        );
    }
    text.push('\n');
}

fn actions(text: &mut String) {
    text.push_str("## Actions\n\n| action | entry | meaning |\n|---|---|---|\n");
    for action in Action::ALL {
        let _ =
            writeln!(text, "| {} | `{}` | {} |", action.as_str(), action.event(), action.meaning());
    }
    text.push('\n');
}

fn guards(text: &mut String) {
    text.push_str("## Guards\n\n| guard | holds when |\n|---|---|\n");
    for guard in Guard::ALL {
        let _ = writeln!(text, "| {} | {} |", guard.as_str(), guard.meaning());
    }
    let modes: Vec<&str> = VerdictMode::ALL.iter().map(|mode| mode.as_str()).collect();
    let _ = writeln!(text, "\nVerdict modes: {}.", modes.join(", "));
}
