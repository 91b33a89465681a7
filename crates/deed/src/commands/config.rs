//! `deed config`.

use std::process::ExitCode;

use anyhow::Result;

use crate::config::{Environment, Settings, document, show};
use crate::output;

/// Prints every setting, whichever process it is for, and what is wrong with it; or what settings
/// there are.
pub(crate) fn run(as_json: bool, describe: bool) -> Result<ExitCode> {
    if describe {
        output::line(document().trim_end())?;
        return Ok(ExitCode::SUCCESS);
    }
    let (settings, faults) = Settings::survey(&Environment::of_process(), None);
    if as_json {
        output::line(format!("{:#}", show::json(&settings, &faults)))?;
    } else {
        output::line(show::text(&settings, &faults).trim_end())?;
    }
    Ok(if faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
