//! `deed verify`.

use std::fs::File;
use std::io::{self, Read, Write as _};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use deed_chain::key_set::KeySet;
use deed_chain::verify::{Checked, Report, Verdict, verify};
use serde_json::Value;

use crate::cli::Verify;
use crate::output;

/// Largest export that is read, in bytes. Verifying takes a small multiple of it in memory.
const MAX_EXPORT_BYTES: u64 = 512 * 1024 * 1024;
/// Largest key set that is read, in bytes.
const MAX_KEYS_BYTES: u64 = 4 * 1024 * 1024;

/// Exit code when a check failed.
pub(super) const TAMPERED: u8 = 1;
/// Exit code when not all checks could be made.
pub(super) const CANNOT_TELL: u8 = 2;

/// Verifies an export and says what was checked. Whatever keeps it from being judged, a file that
/// cannot be read included, is the exit code for "cannot tell", never the one for "tampered".
pub(crate) fn run(args: &Verify) -> ExitCode {
    match judge(args).and_then(|report| print(&report, args.json).map(|()| report)) {
        Ok(report) => match report.verdict {
            Verdict::Valid => ExitCode::SUCCESS,
            Verdict::Tampered { .. } => ExitCode::from(TAMPERED),
            Verdict::CannotTell { .. } => ExitCode::from(CANNOT_TELL),
        },
        Err(error) => {
            output::failure(format!("cannot tell: {error:#}"));
            ExitCode::from(CANNOT_TELL)
        }
    }
}

fn judge(args: &Verify) -> Result<Report> {
    let keys = args.keys.as_deref().map(read_keys).transpose()?;
    let export = read(&args.file, MAX_EXPORT_BYTES)?;
    Ok(verify(&export, keys.as_ref()))
}

pub(super) fn read_keys(path: &Path) -> Result<KeySet> {
    let bytes = read(path, MAX_KEYS_BYTES)?;
    // An export has a member `keys` too, and verified against itself any forgery is valid.
    if serde_json::from_slice::<Value>(&bytes).is_ok_and(|file| file.get("format").is_some()) {
        bail!("{} is an export: keys that come with a document prove nothing", path.display());
    }
    KeySet::parse(&bytes).with_context(|| format!("{} is not a set of public keys", path.display()))
}

fn read(path: &Path, limit: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if path == Path::new("-") {
        io::stdin().lock().take(limit + 1).read_to_end(&mut bytes).context("standard input")?;
    } else {
        let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
        file.take(limit + 1)
            .read_to_end(&mut bytes)
            .with_context(|| format!("cannot read {}", path.display()))?;
    }
    if bytes.len() as u64 > limit {
        bail!("{} is larger than {limit} bytes", path.display());
    }
    Ok(bytes)
}

fn print(report: &Report, as_json: bool) -> Result<()> {
    if as_json {
        output::line(serde_json::to_string_pretty(report)?)?;
    } else {
        output::line(describe(report)?.trim_end())?;
    }
    Ok(())
}

/// The report for people.
fn describe(report: &Report) -> io::Result<String> {
    let mut text = Vec::new();
    match &report.verdict {
        Verdict::Valid => writeln!(text, "VALID: every check passed, under the keys given.")?,
        Verdict::Tampered { failure } => {
            writeln!(text, "TAMPERED: a check failed.")?;
            if let Some(record) = failure.record {
                writeln!(text, "  record    {record}")?;
            }
            if let Some(position) = failure.position {
                writeln!(text, "  position  {position}")?;
            }
            writeln!(text, "  reason    {}", failure.reason)?;
            writeln!(text, "  detail    {}", failure.detail)?;
        }
        Verdict::CannotTell { reason } => writeln!(text, "CANNOT TELL: {reason}.")?,
    }
    // What a forged document says of itself is not worth repeating.
    if !matches!(report.verdict, Verdict::Tampered { .. }) {
        for (name, value) in [
            ("issuer", report.issuer.clone()),
            ("installation", report.installation_id.clone()),
            ("record", report.root.map(|root| root.to_string())),
        ] {
            if let Some(value) = value {
                writeln!(text, "  {name:<13} {value}")?;
            }
        }
    }
    writeln!(text, "Checked{}:", before_failure(report))?;
    for (count, what) in counted(&report.checked).into_iter().filter(|(count, _)| *count > 0) {
        writeln!(text, "  {count:>7}  {what}")?;
    }
    Ok(String::from_utf8_lossy(&text).into_owned())
}

fn before_failure(report: &Report) -> &'static str {
    match report.verdict {
        Verdict::Tampered { .. } => ", before that",
        _ => "",
    }
}

fn counted(checked: &Checked) -> [(u64, &'static str); 12] {
    [
        (checked.keys, "keys in the document are sound and bear their own thumbprint"),
        (checked.trusted_keys, "keys are among the keys given"),
        (checked.genesis, "genesis statement"),
        (checked.export_statements, "export statement: nothing was dropped, nothing added"),
        (checked.records, "records, each complete"),
        (checked.entries, "entries"),
        (checked.signatures, "signatures (Ed25519)"),
        (checked.links, "links from an entry to the one before it, or to the genesis"),
        (checked.bodies, "bodies have the hash that was signed"),
        (checked.erased, "bodies were erased, and the erasure is recorded"),
        (checked.parent_links, "links from a child record to its parent"),
        (checked.parents_outside, "links to a parent outside this document (not followed)"),
    ]
}
