//! `deed version`.

use std::process::ExitCode;

use anyhow::Result;
use serde_json::json;

use crate::output;

/// Prints the version of the program and of the schema it was built for.
pub(crate) fn run(as_json: bool) -> Result<ExitCode> {
    let version = env!("CARGO_PKG_VERSION");
    let schema = deed_store::migrate::expected_version();
    if as_json {
        output::line(json!({ "version": version, "schemaVersion": schema }))?;
    } else {
        output::line(format!("deed {version} (schema version {schema})"))?;
    }
    Ok(ExitCode::SUCCESS)
}
