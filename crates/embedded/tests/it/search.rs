//! Finding PostgreSQL: what is preferred, what is passed over, and what is said about it.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use crate::common::{binaries, folder, script, start};
use deed_embedded::{Error, Options, RunAs, Search, find_or_fetch};
use nix::unistd::Uid;

/// A bin folder whose programs only say a version.
fn fake(bin: &Path, version: &str) {
    fs::create_dir_all(bin).unwrap();
    for name in ["postgres", "initdb"] {
        script(&bin.join(name), &format!("echo '{name} (PostgreSQL) {version}'"));
    }
}

/// A search that sees nothing of this machine.
pub(crate) fn nothing_here(cache: &Path) -> Search {
    Search {
        explicit: None,
        path: Vec::new(),
        places: Vec::new(),
        cache: cache.to_owned(),
        run_as: RunAs::detect().unwrap(),
        pythons: Vec::new(),
        major: None,
    }
}

async fn version_found(search: &Search) -> String {
    find_or_fetch(search, &|_| {}).await.unwrap().version().to_owned()
}

#[tokio::test]
async fn the_named_folder_must_hold_17_or_later() {
    let dir = folder();
    let bin = dir.path().join("bin");
    let named = Search { explicit: Some(bin.clone()), ..nothing_here(dir.path()) };

    let message = find_or_fetch(&named, &|_| {}).await.unwrap_err().to_string();
    assert!(message.contains("DEED_POSTGRES_BIN"), "{message}");
    fake(&bin, "15.18 (Debian 15.18-0+deb12u1)");
    let message = find_or_fetch(&named, &|_| {}).await.unwrap_err().to_string();
    assert!(message.contains("DEED_POSTGRES_BIN") && message.contains("15.18"), "{message}");
    fake(&bin, "17.2");
    assert_eq!(version_found(&named).await, "17.2");
    fs::remove_file(bin.join("initdb")).unwrap();
    let message = find_or_fetch(&named, &|_| {}).await.unwrap_err().to_string();
    assert!(message.contains("no initdb"), "{message}");
}

#[tokio::test]
async fn path_comes_first_then_the_newest_usual_place() {
    let dir = folder();
    let places: Vec<_> = ["15.1", "17.5", "19.1", "18.1"]
        .map(|version| {
            let bin = dir.path().join(version).join("bin");
            fake(&bin, version);
            bin
        })
        .into();
    let linked = dir.path().join("linked");
    fs::create_dir(&linked).unwrap();
    symlink(places[0].join("postgres"), linked.join("postgres")).unwrap();
    let mut search = Search { places: places.clone(), ..nothing_here(dir.path()) };

    search.path = vec![dir.path().join("absent"), linked.clone()];
    assert_eq!(version_found(&search).await, "19.1", "15.1 on the path is passed over");
    search.major = Some(17);
    assert_eq!(version_found(&search).await, "17.5", "the data decide");
    search.major = None;
    fs::remove_file(linked.join("postgres")).unwrap();
    symlink(places[1].join("postgres"), linked.join("postgres")).unwrap();
    assert_eq!(version_found(&search).await, "17.5", "the path decides");
}

#[tokio::test]
async fn what_was_passed_over_is_told_when_nothing_fits() {
    let dir = folder();
    let bin = dir.path().join("bin");
    fake(&bin, "15.18");
    let search = Search { places: vec![bin], major: Some(17), ..nothing_here(dir.path()) };
    let error = find_or_fetch(&search, &|_| {}).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }));
    let message = error.to_string();
    assert!(message.contains("PostgreSQL 15.18 in"), "{message}");
    assert!(message.contains("DEED_POSTGRES_BIN"), "{message}");
}

/// Root's own programs may lie where the account that runs PostgreSQL cannot enter.
#[tokio::test]
async fn programs_out_of_the_accounts_reach_are_copied() {
    let real = binaries().await;
    let dir = folder();
    let closed = dir.path().join("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, Permissions::from_mode(0o700)).unwrap();
    let bin = closed.join("bin");
    fake(&bin, real.version());
    let named = Search { explicit: Some(bin.clone()), ..nothing_here(&dir.path().join("cache")) };
    let found = find_or_fetch(&named, &|_| {}).await.unwrap();
    // Anyone but root runs PostgreSQL itself, and so can enter what it found.
    assert_eq!(found.folder() == bin, !Uid::effective().is_root());
    assert_eq!(find_or_fetch(&named, &|_| {}).await.unwrap().folder(), found.folder());
}

#[tokio::test]
async fn a_failing_initdb_is_told_and_the_next_start_works() {
    let dir = folder();
    let real = binaries().await;
    let bin = dir.path().join("bin");
    fake(&bin, real.version());
    let broken = "for last; do :; done; echo junk >\"$last/junk\"; echo 'disk is full' >&2; exit 1";
    script(&bin.join("initdb"), broken);
    let named = Search { explicit: Some(bin), ..nothing_here(dir.path()) };
    let found = find_or_fetch(&named, &|_| {}).await.unwrap();
    let data = dir.path().join("data");
    let options = Options { durable: false, ..Options::new(found, &data) };
    let refused = deed_embedded::Cluster::start(options, &|_| {}).await.unwrap_err();
    assert!(refused.to_string().contains("disk is full"), "{refused}");

    let options = Options { durable: false, ..Options::new(real, &data) };
    start(options).await.stop().await.unwrap();
}
