//! Making a new data folder, all or nothing.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::process::Stdio;

use uuid::Uuid;

use crate::binaries::Binaries;
use crate::endpoint::SUPERUSER;
use crate::error::{Context, Error};
use crate::files;
use crate::folder::DataFolder;

/// UTF8, the builtin C.UTF-8 collation (the same on every machine), checksums, and passwords for
/// everyone, also on the socket: the socket's folder does not tell roles apart.
const ARGUMENTS: [&str; 7] = [
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--data-checksums",
    "--auth=scram-sha-256",
    "--no-instructions",
];

/// Creates `pgdata` and the superuser's password. A crash in the middle leaves no `pgdata`, so
/// that the next start begins anew. `durable` syncs the new files to disk.
pub(crate) async fn create(
    folder: &DataFolder,
    binaries: &Binaries,
    durable: bool,
) -> Result<(), Error> {
    remove_interrupted(folder.path());
    // A name of its own: the initdb of a killed run may still live, and would clean up its folder.
    let part = folder.path().join(format!("pgdata-{}.part", Uuid::new_v4().simple()));
    DirBuilder::new().mode(0o700).create(&part).context("creating", &part)?;
    folder.give(&part)?;
    folder.check_reachable(&part, binaries).await?;

    let password_file = folder.password_file();
    files::remove(&password_file)?;
    // Two random UUIDs hold 244 random bits.
    let password = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
    files::write_private(&password_file, &password)?;
    folder.give(&password_file)?;

    let mut command = binaries.run_as().command(&binaries.program("initdb"));
    command.args(ARGUMENTS).arg(format!("--username={SUPERUSER}"));
    command.arg("--pwfile").arg(&password_file).arg("--pgdata").arg(&part);
    if !durable {
        command.arg("--no-sync");
    }
    command.stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    let output = command.output().await.context("running", &binaries.program("initdb"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let lines: Vec<&str> = said.lines().filter(|line| !line.is_empty()).collect();
        let detail = lines[lines.len().saturating_sub(4)..].join("; ");
        return Err(Error::Initdb { detail });
    }
    let pgdata = folder.pgdata();
    fs::rename(&part, &pgdata).context("creating", &pgdata)?;
    files::sync_dir(folder.path())
}

/// Removes what interrupted runs of initdb left; what cannot be removed does no harm.
fn remove_interrupted(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with("pgdata-")
            && name.ends_with(".part")
            && let Err(error) = files::remove(&entry.path())
        {
            tracing::debug!(%error, "an interrupted data folder stays");
        }
    }
}
