//! Starting, stopping and recovering a real PostgreSQL.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use crate::common::{ask, connect, folder, quick, start, try_connect};
use deed_embedded::{Cluster, Error, Options, Stopped, data_major_version};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid, getpgid, getpgrp};

const KEEP: &str = "CREATE TABLE kept (v text); INSERT INTO kept VALUES ('here')";

async fn refusal(options: Options) -> Error {
    Cluster::start(options, &|_| {}).await.expect_err("a refusal")
}

#[tokio::test]
async fn data_outlive_a_stop_and_everyone_needs_a_password() {
    let dir = folder();
    let options = quick(dir.path()).await;
    let cluster = start(options.clone()).await;
    assert!(cluster.is_new());
    let endpoint = cluster.endpoint().clone();
    for url in [endpoint.superuser_tcp_url("postgres"), endpoint.superuser_socket_url("postgres")] {
        let client = connect(&url).await;
        assert_eq!(ask(&client, "SHOW data_checksums").await, "on");
        assert_eq!(ask(&client, "SHOW server_encoding").await, "UTF8");
        let locale =
            "SELECT datlocprovider::text || datlocale FROM pg_database WHERE datname='postgres'";
        assert_eq!(ask(&client, locale).await, "bC.UTF-8");
    }
    for url in [
        endpoint.tcp_url("deed_superuser", "guess", "postgres"),
        endpoint.socket_url("deed_superuser", "guess", "postgres"),
    ] {
        let refused = try_connect(&url).await.err().unwrap();
        assert_eq!(refused.code().unwrap().code(), "28P01");
    }
    let password_file = fs::metadata(dir.path().join("superuser-password")).unwrap();
    assert_eq!(password_file.permissions().mode() & 0o777, 0o600);
    let client = connect(&endpoint.superuser_tcp_url("postgres")).await;
    client.batch_execute(KEEP).await.unwrap();
    assert_eq!(cluster.stop().await.unwrap(), Stopped::Fast);

    let cluster = start(options).await;
    assert!(!cluster.is_new());
    let client = connect(&cluster.endpoint().superuser_socket_url("postgres")).await;
    assert_eq!(ask(&client, "SELECT v FROM kept").await, "here");
    assert_eq!(cluster.stop().await.unwrap(), Stopped::Fast);
}

#[tokio::test]
async fn a_killed_server_is_noticed_and_its_data_recover() {
    let dir = folder();
    // A crash of the server alone, not of the machine: written is enough, synced need not be.
    let settings = vec![("synchronous_commit".to_owned(), "on".to_owned())];
    let options = Options { settings, ..quick(dir.path()).await };
    let mut cluster = start(options.clone()).await;
    let client = connect(&cluster.endpoint().superuser_tcp_url("postgres")).await;
    client.batch_execute(KEEP).await.unwrap();
    kill(Pid::from_raw(cluster.pid()), Signal::SIGKILL).unwrap();
    assert!(!cluster.wait().await.unwrap().success());
    drop(cluster);

    let cluster = start(options).await;
    let client = connect(&cluster.endpoint().superuser_tcp_url("postgres")).await;
    assert_eq!(ask(&client, "SELECT v FROM kept").await, "here");
    let log = fs::read_to_string(cluster.log_file()).unwrap();
    assert!(log.contains("automatic recovery in progress"), "{log}");
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn a_server_that_a_killed_run_left_behind_is_replaced() {
    let dir = folder();
    let options = quick(dir.path()).await;
    let cluster = start(options.clone()).await;
    let orphan = Pid::from_raw(cluster.pid());
    let endpoint = cluster.detach();
    let client = connect(&endpoint.superuser_tcp_url("postgres")).await;
    client.batch_execute(KEEP).await.unwrap();

    let cluster = start(options).await;
    assert_ne!(cluster.pid(), orphan.as_raw());
    assert!(try_connect(&endpoint.superuser_tcp_url("postgres")).await.is_err());
    let client = connect(&cluster.endpoint().superuser_tcp_url("postgres")).await;
    assert_eq!(ask(&client, "SELECT v FROM kept").await, "here");
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn a_stale_pid_file_with_the_number_of_another_process_does_not_matter() {
    let dir = folder();
    let options = quick(dir.path()).await;
    start(options.clone()).await.stop().await.unwrap();
    // Ours: a live process that is no PostgreSQL, and that must not be signalled.
    let stale = format!("{}\n{}\n1\n2\n/tmp\n*\n3 4\nready\n", std::process::id(), "/elsewhere");
    fs::write(dir.path().join("pgdata/postmaster.pid"), stale).unwrap();
    start(options).await.stop().await.unwrap();
}

#[tokio::test]
async fn a_folder_in_use_is_refused_with_the_holder_and_its_server_goes_on() {
    let dir = folder();
    let options = quick(dir.path()).await;
    let cluster = start(options.clone()).await;
    let message = refusal(options).await.to_string();
    let folder = dir.path().canonicalize().unwrap();
    assert!(message.contains(&format!("{} is in use", folder.display())), "{message}");
    assert!(message.contains(&format!("process {}", std::process::id())), "{message}");
    let client = connect(&cluster.endpoint().superuser_tcp_url("postgres")).await;
    assert_eq!(ask(&client, "SELECT 'alive'").await, "alive");

    let ours = getpgrp();
    let theirs = getpgid(Some(Pid::from_raw(cluster.pid()))).unwrap();
    assert_ne!(ours, theirs, "Ctrl-C at the terminal must not reach PostgreSQL");
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn a_taken_port_is_named() {
    let dir = folder();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let options = Options { port: Some(port), ..quick(dir.path()).await };
    let error = refusal(options.clone()).await;
    assert!(matches!(error, Error::PortTaken { port: named } if named == port), "{error}");

    drop(listener);
    let cluster = start(options).await;
    assert_eq!(cluster.endpoint().port(), port);
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn an_interrupted_initdb_leaves_nothing_half_done() {
    let dir = folder();
    let part = dir.path().join("pgdata-0.part");
    fs::create_dir(&part).unwrap();
    fs::write(part.join("PG_VERSION"), "18\n").unwrap();
    assert_eq!(data_major_version(dir.path()), None);
    let cluster = start(quick(dir.path()).await).await;
    assert!(cluster.is_new());
    assert!(!part.exists());
    let pgdata = fs::metadata(dir.path().join("pgdata")).unwrap();
    assert_ne!(pgdata.uid(), 0, "PostgreSQL's folder must not be root's");
    assert_eq!(pgdata.uid() == Uid::effective().as_raw(), !Uid::effective().is_root());
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn what_is_no_data_of_ours_or_of_another_version_is_refused() {
    let dir = folder();
    let pgdata = dir.path().join("pgdata");
    fs::create_dir(&pgdata).unwrap();
    fs::write(pgdata.join("letter.txt"), "dear").unwrap();
    let error = refusal(quick(dir.path()).await).await;
    assert!(matches!(error, Error::NotOurs { .. }), "{error}");

    fs::write(pgdata.join("PG_VERSION"), "16\n").unwrap();
    assert_eq!(data_major_version(dir.path()), Some(16));
    let message = refusal(quick(dir.path()).await).await.to_string();
    assert!(message.contains("written by PostgreSQL 16"), "{message}");
    assert_eq!(fs::read_to_string(pgdata.join("letter.txt")).unwrap(), "dear");
}

#[tokio::test]
async fn a_long_path_gets_its_socket_elsewhere() {
    let dir = folder();
    let long = dir.path().join("a".repeat(60)).join("b".repeat(60));
    let cluster = start(quick(&long).await).await;
    let socket_dir = cluster.endpoint().socket_dir().to_owned();
    assert!(!socket_dir.starts_with(&long));
    assert_eq!(fs::metadata(&socket_dir).unwrap().permissions().mode() & 0o777, 0o700);
    let client = connect(&cluster.endpoint().superuser_socket_url("postgres")).await;
    assert_eq!(ask(&client, "SELECT 'reached'").await, "reached");
    cluster.stop().await.unwrap();
    assert!(!socket_dir.exists());
}

#[tokio::test]
async fn a_server_that_cannot_start_says_why() {
    let dir = folder();
    let settings = vec![("shared_buffers".to_owned(), "much".to_owned())];
    let options = Options { settings, ..quick(dir.path()).await };
    let message = refusal(options).await.to_string();
    assert!(message.contains("shared_buffers") && message.contains("postgres.log"), "{message}");
}

#[tokio::test]
async fn a_folder_that_the_account_cannot_enter_is_told() {
    let dir = folder();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let options = quick(&dir.path().join("data")).await;
    let started = Cluster::start(options, &|_| {}).await;
    if Uid::effective().is_root() {
        let message = started.expect_err("another account must enter").to_string();
        assert!(message.contains("must let that account pass"), "{message}");
    } else {
        started.expect("our own folder").stop().await.unwrap();
    }
}
