//! The testkit's own promises.
#![allow(clippy::unwrap_used)]

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use deed_testkit::{Process, Template, TestDatabase};
use tokio_postgres::{Client, NoTls};

const DEADLINE: Duration = Duration::from_secs(60);

async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

async fn setup(url: &str) {
    let client = connect(url).await;
    let sql = "CREATE TABLE t (v text); INSERT INTO t VALUES ('from the template');\
               GRANT SELECT ON t TO deed_app";
    client.batch_execute(sql).await.unwrap();
}

#[tokio::test]
async fn each_test_gets_its_own_copy_and_it_is_dropped() {
    static SETUPS: AtomicU32 = AtomicU32::new(0);
    let prepare = || {
        // Unique, so that an earlier run's template on the same server does not count.
        let key = format!("{}", std::process::id());
        async move {
            Template::prepare("own-test", &key, async |urls| {
                SETUPS.fetch_add(1, Ordering::SeqCst);
                setup(&urls.owner).await;
            })
            .await
        }
    };
    let (template, again) = tokio::join!(prepare(), prepare());
    assert_eq!(SETUPS.load(Ordering::SeqCst), 1);

    let first = TestDatabase::from_template(&template).await;
    let second = TestDatabase::from_template(&again).await;
    assert_ne!(first.name(), second.name());
    let owner = connect(&first.urls().owner).await;
    owner.batch_execute("UPDATE t SET v = 'changed'").await.unwrap();
    let app = connect(&second.urls().app).await;
    let value: String = app.query_one("SELECT v FROM t", &[]).await.unwrap().get(0);
    assert_eq!(value, "from the template");
    let denied = app.batch_execute("DELETE FROM t").await.unwrap_err();
    assert_eq!(denied.code().unwrap().code(), "42501");

    let gone = second.name().to_owned();
    drop(second);
    let superuser = connect(&first.urls().superuser).await;
    let rows = superuser.query("SELECT 1 FROM pg_database WHERE datname = $1", &[&gone]).await;
    assert!(rows.unwrap().is_empty());
}

#[tokio::test]
async fn an_empty_database_belongs_to_the_owner_role() {
    let database = TestDatabase::create().await;
    let client = connect(&database.urls().superuser).await;
    let sql = "SELECT pg_get_userbyid(datdba)::text FROM pg_database \
               WHERE datname = current_database()";
    let owner: String = client.query_one(sql, &[]).await.unwrap().get(0);
    assert_eq!(owner, "deed_owner");
}

#[tokio::test]
async fn lines_are_waited_for_in_order_and_signals_arrive() {
    let script = "trap 'echo bye; exit 7' TERM; echo one; echo two >&2; echo \"$ONLY_OURS\"; \
                  while :; do sleep 0.05; done";
    let mut process = Process::builder("sh").args(["-c", script]).env("ONLY_OURS", "ours").spawn();
    process.wait_line(|line| line == "one", DEADLINE).await;
    process.wait_line(|line| line == "ours", DEADLINE).await;
    process.stop();
    process.terminate();
    process.cont();
    process.wait_line(|line| line == "bye", DEADLINE).await;
    assert_eq!(process.wait_exit(DEADLINE).await.code(), Some(7));
    assert!(process.output().contains(&"two".to_owned()));
}

#[tokio::test]
#[should_panic(expected = "ended without the line: \n  | something else")]
async fn a_line_that_never_comes_is_told_with_the_output() {
    let mut process = Process::builder("sh").args(["-c", "echo something else"]).spawn();
    process.wait_line(|line| line == "ready", DEADLINE).await;
}

#[tokio::test]
async fn the_wrapper_gives_a_server_and_takes_it_away() {
    let script = "echo \"$DEED_TEST_DATABASE_URL\"; exit 3";
    let wrapper = env!("CARGO_BIN_EXE_deed-testkit");
    let mut process = Process::builder(wrapper).args(["sh", "-c", script]).spawn();
    assert_eq!(process.wait_exit(DEADLINE).await.code(), Some(3));
    let url = process.output().remove(0);
    assert!(url.starts_with("postgresql://deed_superuser:"), "{url}");
    assert!(tokio_postgres::connect(&url, NoTls).await.is_err());
}

/// When the wrapper is killed, its watchdog ends the server: the connection is closed for us.
#[tokio::test]
async fn a_killed_wrapper_leaves_no_server_behind() {
    // Ends with the wrapper, for nothing else would end it. Until we wait, the wrapper is a zombie.
    let script = "echo \"$DEED_TEST_DATABASE_URL\"; while kill -0 $PPID; do sleep 0.1; done";
    let wrapper = env!("CARGO_BIN_EXE_deed-testkit");
    let mut process = Process::builder(wrapper).args(["sh", "-c", script]).spawn();
    let url = process.wait_line(|line| line.starts_with("postgresql:"), DEADLINE).await;
    let (_client, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
    process.kill9();
    process.wait_exit(DEADLINE).await;
    let ended = tokio::time::timeout(DEADLINE, connection).await.expect("the server ends");
    assert!(ended.is_err(), "the server closes the connection with a reason");
}
