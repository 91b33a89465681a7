//! `deed migrate`, `deed keys platform`, `deed api` and `deed worker` on a real database.

use std::net::SocketAddr;

use deed_testkit::{Process, Signal, TestDatabase};
use serde_json::{Value, json};

use crate::command::{Outcome, deed};
use crate::http::{ask, post, send};
use crate::{DEADLINE, keys};

/// A deployment: a database and the environment of its processes.
pub(crate) struct Deployment {
    database: TestDatabase,
    pub(crate) variables: Vec<(String, String)>,
}

impl Deployment {
    pub(crate) async fn migrated() -> Self {
        let database = TestDatabase::create().await;
        let mut variables = keys::generated();
        for (name, value) in [
            ("DATABASE_URL", database.urls().app.as_str()),
            ("DATABASE_MIGRATION_URL", database.urls().owner.as_str()),
            ("ISSUER_URL", "https://deed.test"),
            ("LISTEN_ADDRESS", "127.0.0.1:0"),
            ("WORKER_LISTEN_ADDRESS", "127.0.0.1:0"),
            ("HTTP_DRAIN_DELAY", "0s"),
            ("LOG_FORMAT", "json"),
            ("LOG_LEVEL", "debug"),
        ] {
            variables.push((name.to_owned(), value.to_owned()));
        }
        let deployment = Self { database, variables };
        let first = deployment.run(&["migrate"]);
        assert_eq!(first.code, 0, "{}", first.stderr);
        assert!(first.stdout.contains("signed the genesis statement"), "{}", first.stdout);
        deployment
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Outcome {
        let variables: Vec<_> =
            self.variables.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        deed(arguments, &variables)
    }

    /// Starts a process that serves; gives it with its address.
    pub(crate) async fn start(&self, command: &str) -> (Process, SocketAddr) {
        let mut builder = Process::builder(env!("CARGO_BIN_EXE_deed")).arg(command);
        for (name, value) in &self.variables {
            builder = builder.env(name, value);
        }
        let mut process = builder.spawn();
        let line = process.wait_line(|line| line.contains("\"listening\""), DEADLINE).await;
        let event: Value = serde_json::from_str(&line).unwrap();
        (process, event["address"].as_str().unwrap().parse().unwrap())
    }

    /// That no secret is in what a process wrote.
    pub(crate) fn assert_discreet(&self, output: &[String], more: &[&str]) {
        let passwords = [&self.database.urls().app, &self.database.urls().owner];
        let passwords = passwords.map(|url| url.split([':', '@']).nth(2).unwrap());
        let secrets = self.variables.iter().map(|(_, value)| value.as_str()).take(2);
        for secret in secrets.chain(passwords).chain(more.iter().copied()) {
            assert!(secret.len() > 8, "{secret} is too short to look for");
            assert!(output.iter().all(|line| !line.contains(secret)), "{output:#?}");
        }
    }
}

/// Size of a large body, in bytes.
const LARGE: usize = 100_000_000;

/// Largest resident memory that a process has had, in bytes.
fn peak_memory(process: &Process) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}

#[tokio::test]
async fn migrating_again_changes_nothing() {
    let deployment = Deployment::migrated().await;
    let again = deployment.run(&["migrate"]);
    assert_eq!(again.code, 0, "{}", again.stderr);
    assert!(again.stdout.starts_with("the schema is at version"), "{}", again.stdout);
}

#[tokio::test]
async fn the_api_serves_drains_and_tells_no_secret() {
    let deployment = Deployment::migrated().await;
    let minted = deployment.run(&["keys", "platform", "--label", "test"]);
    assert_eq!(minted.code, 0, "{}", minted.stderr);
    let platform = minted.stdout.trim_end();
    assert!(platform.starts_with("deed_plt_") && !platform.contains(char::is_whitespace));

    let (mut api, address) = deployment.start("api").await;
    assert_eq!(ask(address, "GET", "/readyz", "", "").await.0, 200);
    let org = post(address, "/v1/admin/orgs", platform, &json!({ "name": "Example" })).await;
    let wanted = json!({ "orgId": org["id"], "name": "agent" });
    let agent = post(address, "/v1/admin/agents", platform, &wanted).await;
    let wanted = json!({ "role": "agent", "orgId": org["id"], "agentId": agent["id"] });
    let key = post(address, "/v1/admin/api-keys", platform, &wanted).await;
    let key = key["secret"].as_str().unwrap();
    let record = json!({ "type": "notarize-generic-v1", "criteria": { "summary": "tested" } });
    post(address, "/v1/records", key, &record).await;

    api.signal(Signal::SIGTERM);
    assert!(api.wait_exit(DEADLINE).await.success());
    let mut output = api.output();
    output.push(minted.stderr);
    deployment.assert_discreet(&output, &[platform, key]);
}

#[tokio::test]
async fn large_bodies_do_not_fill_the_memory() {
    let deployment = Deployment::migrated().await;
    let minted = deployment.run(&["keys", "platform", "--label", "test"]);
    let (api, address) = deployment.start("api").await;
    let head = "POST /v1/admin/orgs HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";
    let key = format!("Authorization: Bearer {}\r\n", minted.stdout.trim_end());
    let announced = |size: usize| format!("{head}Content-Length: {size}\r\n\r\n");
    let chunked = |key: &str, size: usize| {
        format!("{head}{key}Transfer-Encoding: chunked\r\n\r\n{size:x}\r\n")
    };
    let large = async |head: String| {
        let mut request = head.into_bytes();
        request.resize(request.len() + LARGE, b' ');
        send(address, &request).await.0
    };
    let before = peak_memory(&api);
    assert_eq!(large(announced(LARGE)).await, 413);
    // Without a key: refused before the body is read, however long it is.
    assert_eq!(large(chunked("", LARGE)).await, 401);
    // With one, it is read as far as the limit.
    assert_eq!(large(chunked(&key, LARGE)).await, 413);
    let grown = peak_memory(&api) - before;
    // Code that runs for the first time, threads and connections take some memory too, more or less of it; a
    // body that was kept would take all of its size.
    assert!(grown < LARGE / 2, "{grown} bytes more than before");
}

#[tokio::test]
async fn the_worker_reports_its_health() {
    let deployment = Deployment::migrated().await;
    let (mut worker, address) = deployment.start("worker").await;
    for (path, status) in [("/livez", 200), ("/readyz", 200), ("/metrics", 200), ("/", 404)] {
        assert_eq!(ask(address, "GET", path, "", "").await.0, status, "{path}");
    }
    worker.signal(Signal::SIGINT);
    assert!(worker.wait_exit(DEADLINE).await.success());
    deployment.assert_discreet(&worker.output(), &[]);
}

#[tokio::test]
async fn a_process_refuses_a_database_of_another_server() {
    let mut deployment = Deployment::migrated().await;
    for (name, value) in &mut deployment.variables {
        if name == "ISSUER_URL" {
            "https://other.test".clone_into(value);
        }
    }
    for arguments in [&["api"][..], &["migrate"], &["keys", "platform"]] {
        let outcome = deployment.run(arguments);
        assert_eq!(outcome.code, 1, "{arguments:?}");
        assert!(outcome.stderr.contains("https://deed.test"), "{}", outcome.stderr);
    }
}
