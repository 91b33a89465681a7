//! `docs/events.md` is the catalogue, rendered.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use deed_notify::{EventType, Group};
use serde_json::Value;

#[test]
fn the_committed_document_is_the_generated_one() {
    let generated = document();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/events.md");
    if std::env::var_os("UPDATE_DOCS").is_some_and(|value| value == "1") {
        std::fs::write(&path, &generated).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == generated, "docs/events.md is stale: run the test with UPDATE_DOCS=1");
}

const INTRODUCTION: &str = "# Events

Generated from the catalogue in `crates/notify/src`; rewrite it with `UPDATE_DOCS=1 cargo test -p deed-notify`.

Whatever happens to a record, and whatever is administered, leaves an event, written by the transaction that
causes it: an event is there if and only if its cause is.

```json
{
  \"id\": \"9a623838-67b6-87ed-916a-feb2c6ef8a52\",
  \"type\": \"record.recorded\",
  \"timestamp\": \"2026-01-15T12:00:00.123Z\",
  \"orgId\": \"0196f000-0000-7000-8000-000000000001\",
  \"recordId\": \"0196f000-0000-7000-8000-000000000002\",
  \"position\": 0,
  \"data\": { \"type\": \"notarize-generic-v1\", \"...\": \"...\" }
}
```

`type`, `timestamp` and `data` are where [Standard Webhooks](https://www.standardwebhooks.com) wants them. As a
CloudEvent 1.0 the same event has `specversion`, `source` (the server's issuer URL), `subject` (the record), `time` and
`datacontenttype`, and the extensions `orgid` and `entryposition`. `id` is stable: whoever gets an event twice knows it by that.

An event says *that* something happened to a record, not what was agreed, handed in or noted: who may read that finds it by
`recordId` and `position` (`GET /v1/records/{id}/entries`), and can check it against `entryHash`. Members may be added to `data`
in later versions; readers pass over those that they do not know.

## Reading them

`GET /v1/events` (scope `events:read`) gives events in one order, oldest first, none left out. A key sees the events of its
organisation about things that it may read: an agent's key sees no events about API keys. The third party of a dispute
reads the record, but not the other organisation's events.

* Begin without a cursor (the oldest event that is kept) or with `since`; go on with `nextCursor`, which is always there.
  `more` says whether to go on at once. A page may be empty although `more` is true.
* `types=record.verdict,signal.emitted` narrows. `wait=30` waits for an event when there is none, at most three quarters of
  `HTTP_REQUEST_TIMEOUT`.
* With `Accept: text/event-stream` the answer is a stream of Server-Sent Events from now on, or after `Last-Event-ID`, which is
  a cursor. It ends after 15 minutes, when the key ends (within 15 seconds), and when the process stops; clients come
  again by themselves. A process serves as many streams and waiting requests as a quarter of `HTTP_MAX_CONNECTIONS`; beyond it
  a stream is answered 503, and a request does not wait.

An event is shown once every transaction has ended that began before it was complete, mostly within 200 ms. **A transaction that
stays open anywhere in the PostgreSQL server and has written something holds events back**; nothing is lost by it.

Events are kept for 30 days, longer while the checkpoints or webhooks have not seen them. A cursor that is older gets the problem
`events-expired` (410): read the present state, then begin anew. The chains themselves are kept for ever.

";

fn document() -> String {
    let mut text = INTRODUCTION.to_owned();
    for group in Group::ALL {
        let _ = writeln!(
            text,
            "## {}\n\n| type | what has happened | data |\n|---|---|---|",
            group.title()
        );
        for event in EventType::ALL.iter().filter(|event| event.group() == group) {
            let name = event.data_name();
            let _ = writeln!(
                text,
                "| `{}` | {} | [{name}](#{name}) |",
                event.as_str(),
                event.meaning()
            );
        }
        text.push('\n');
    }
    let forms: BTreeMap<&str, Value> =
        EventType::ALL.iter().map(|event| (event.data_name(), event.data_schema())).collect();
    text.push_str("## Data\n\n");
    for (name, schema) in forms {
        let _ = writeln!(text, "### {name}\n\n| member | | |\n|---|---|---|");
        members(&mut text, "", &schema);
        text.push('\n');
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

fn members(text: &mut String, prefix: &str, schema: &Value) {
    let required: Vec<&str> =
        schema["required"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    for (name, member) in schema["properties"].as_object().unwrap() {
        let always = if required.contains(&name.as_str()) { "always" } else { "" };
        let about = member["description"].as_str().unwrap_or("");
        let _ = writeln!(text, "| `{prefix}{name}` | {always} | {about} |");
        if member["type"] == "object" {
            members(text, &format!("{prefix}{name}."), member);
        }
    }
}
