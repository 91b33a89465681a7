//! `deed keys`.

use std::process::ExitCode;

use anyhow::Result;
use base64::Engine as _;
use deed_store::{Signer, random};

use crate::config::{Environment, Process, Settings};
use crate::{commands, output, telemetry};

/// `deed keys generate`: a signing key and an API key secret, as lines of an environment file.
pub(crate) fn generate() -> Result<ExitCode> {
    // One line, which every reader of environment files takes.
    let pem = Signer::generate_pem()?;
    let key: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    output::line(format!("VAULT_SIGNING_KEY={key}"))?;
    output::line(format!("API_KEY_SECRET={}", new_pepper()))?;
    Ok(ExitCode::SUCCESS)
}

/// A new API key secret: base64 of 32 random bytes.
pub(crate) fn new_pepper() -> String {
    base64::engine::general_purpose::STANDARD.encode(random::bytes::<32>())
}

/// `deed keys platform`: a key made in the database, alone on standard output.
pub(crate) async fn platform(label: &str) -> Result<ExitCode> {
    let settings = Settings::read(&Environment::of_process(), Process::Keys)?;
    telemetry::start(&settings.log())?;
    let store = commands::connect(&settings, "deed-keys").await?;
    let key = deed_api::platform_key(&store, &settings.api_key_secret(), label).await?;
    store.close();
    output::line(key)?;
    Ok(ExitCode::SUCCESS)
}
