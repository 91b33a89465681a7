//! `deed up`, with a PostgreSQL of its own.

use std::fs::Permissions;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use deed_testkit::{Process, Signal};

use crate::DEADLINE;
use crate::command::deed;

fn up(data_dir: &Path) -> Process {
    let builder = Process::builder(env!("CARGO_BIN_EXE_deed")).arg("up").args(["--port", "0"]);
    builder.arg("--data-dir").arg(data_dir).terminate_on_drop().spawn()
}

/// The id of the record that is verified.
async fn verified(process: &mut Process) -> String {
    let line = process.wait_line(|line| line.starts_with("verified"), DEADLINE).await;
    line.split_whitespace().last().unwrap().to_owned()
}

fn platform_keys(output: &[String]) -> usize {
    output.iter().filter(|line| line.trim().starts_with("deed_plt_")).count()
}

#[tokio::test]
async fn verifies_a_first_record_stops_and_finds_its_data_again() {
    let folder = tempfile::tempdir().unwrap();
    // As root, the account that runs PostgreSQL must be able to pass.
    std::fs::set_permissions(folder.path(), Permissions::from_mode(0o711)).unwrap();
    let data = folder.path().join("data");
    let mut first = up(&data);
    let record = verified(&mut first).await;
    first.wait_line(|line| line.starts_with("Ctrl-C stops everything"), DEADLINE).await;
    assert_eq!(platform_keys(&first.output()), 1);

    // A second one at the same time is told who is in the way.
    let name = data.to_str().unwrap();
    let second = deed(&["up", "--port", "0", "--data-dir", name], &[("PATH", "/usr/bin:/bin")]);
    assert_eq!(second.code, 1);
    assert!(second.stderr.contains(&format!("process {}", first.pid())), "{}", second.stderr);

    // What it keeps proves the record without it.
    let keys = data.join("keys.json");
    let (export, keys) = (data.join("export.json"), keys.to_str().unwrap());
    let offline = deed(&["verify", export.to_str().unwrap(), "--keys", keys], &[]);
    assert_eq!(offline.code, 0, "{}", offline.stdout);

    // The environment that it writes is all that an audit needs.
    let environment = std::fs::read_to_string(data.join("secrets/deed.env")).unwrap();
    let variables: Vec<(&str, &str)> =
        environment.lines().filter_map(|line| line.split_once('=')).collect();
    let variables: Vec<(&str, &str)> =
        variables.into_iter().map(|(name, value)| (name, value.trim_matches('\''))).collect();
    let audited = deed(&["audit", "--anchors", "--keys", keys], &variables);
    let outcome: serde_json::Value =
        serde_json::from_str(audited.stdout.lines().last().unwrap()).unwrap();
    assert_eq!((audited.code, &outcome["verdict"]), (0, &"intact".into()), "{}", audited.stdout);
    assert_eq!(outcome["checked"]["records"], 1);
    let elsewhere =
        [("DATABASE_URL", "postgres://x@127.0.0.1:1/x"), ("ISSUER_URL", "http://x.example")];
    assert_eq!(deed(&["audit"], &elsewhere).code, 2, "it cannot be told");
    assert_eq!(deed(&["audit", "--anchors"], &elsewhere).code, 2, "there is no anchor");

    first.signal(Signal::SIGINT);
    assert!(first.wait_exit(DEADLINE).await.success());
    assert_eq!(first.output().last().map(String::as_str), Some("Stopped."));
    for secret in std::fs::read_dir(data.join("secrets")).unwrap() {
        let secret = std::fs::read_to_string(secret.unwrap().path()).unwrap();
        assert!(first.output().iter().all(|line| !line.contains(secret.trim())));
    }

    let mut again = up(&data);
    again.wait_line(|line| line.starts_with("Found the data of an earlier run"), DEADLINE).await;
    assert_eq!(verified(&mut again).await, record);
    again.signal(Signal::SIGTERM);
    assert!(again.wait_exit(DEADLINE).await.success());
    assert_eq!(platform_keys(&again.output()), 0);
}

#[tokio::test]
async fn a_kill_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), Permissions::from_mode(0o711)).unwrap();
    let data = folder.path().join("data");
    let mut killed = up(&data);
    let record = verified(&mut killed).await;
    killed.kill9();
    killed.wait_exit(DEADLINE).await;
    let mut again = up(&data);
    assert_eq!(verified(&mut again).await, record);
    again.signal(Signal::SIGINT);
    assert!(again.wait_exit(DEADLINE).await.success());
}

#[test]
fn a_port_that_is_taken_is_named_with_the_option() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let data = folder.path().join("data");
    let outcome = deed(&["up", "--port", &port, "--data-dir", data.to_str().unwrap()], &[]);
    assert_eq!(outcome.code, 1);
    assert!(outcome.stderr.contains(&format!("127.0.0.1:{port}")), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("--port"), "{}", outcome.stderr);
    assert!(!data.exists(), "nothing was begun");
}

#[test]
fn a_folder_with_something_else_in_it_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("thesis.txt"), "years of work").unwrap();
    let name = folder.path().to_str().unwrap();
    let outcome = deed(&["up", "--port", "0", "--data-dir", name], &[]);
    assert_eq!(outcome.code, 1);
    assert!(outcome.stderr.contains("holds something else"), "{}", outcome.stderr);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}
