//! `deed migrate`.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use deed_store::migrate::{Migration, Outcome, migrate};
use deed_store::{Clock, StoreConfig};

use crate::config::{Environment, Identity, Process, Settings};
use crate::{commands, output, telemetry};

/// Migrates the database of the settings.
pub(crate) async fn run() -> Result<ExitCode> {
    let settings = Settings::read(&Environment::of_process(), Process::Migrate)?;
    telemetry::start(&settings.log())?;
    let owner = settings.store_as_owner("deed-migrate");
    let outcome = with(&owner, &settings.app_role(), &settings.identity()).await?;
    for migration in &outcome.applied {
        output::line(format!("applied {migration}"))?;
    }
    if outcome.genesis_written {
        output::line("signed the genesis statement of this installation")?;
    }
    output::line(format!("the schema is at version {}", outcome.schema_version))?;
    Ok(ExitCode::SUCCESS)
}

/// Migrates the database that `owner` owns.
pub(super) async fn with(
    owner: &StoreConfig,
    app_role: &str,
    identity: &Identity,
) -> Result<Outcome> {
    let signer = commands::signer(identity)?;
    let run = Migration {
        owner,
        app_role,
        signer: &signer,
        issuer: &identity.issuer,
        now: Clock::System.now(),
    };
    migrate(&run).await.context("the database cannot be migrated")
}
