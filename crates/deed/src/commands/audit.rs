//! `deed audit`.

mod bar;

use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use deed_audit::{Event, Finding, Options, Outcome, Verdict};
use deed_store::audit::Reader;
use tokio::sync::mpsc;

use self::bar::Bar;
use super::verify::{CANNOT_TELL, TAMPERED, read_keys};
use crate::cli::Audit;
use crate::config::{Environment, Process, Settings};
use crate::{output, signals, telemetry};

/// Events that wait to be printed.
const EVENTS: usize = 256;

/// Audits the database of the settings. Whatever keeps it from being judged is the exit code for
/// "cannot tell", never the one for "tampered".
pub(crate) async fn run(args: Audit) -> Result<ExitCode> {
    Ok(match audit(&args).await {
        Ok(outcome) => match outcome.verdict {
            Verdict::Intact => ExitCode::SUCCESS,
            Verdict::Tampered => ExitCode::from(TAMPERED),
            Verdict::CannotTell => ExitCode::from(CANNOT_TELL),
        },
        Err(error) => {
            output::failure(format!("cannot tell: {error:#}"));
            ExitCode::from(CANNOT_TELL)
        }
    })
}

async fn audit(args: &Audit) -> Result<Outcome> {
    let settings = Settings::read(&Environment::of_process(), Process::Audit)?;
    telemetry::start(&settings.log())?;
    let stop = signals::shutdown_token()?;
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let lanes = args.lanes.map_or(cores, usize::from);
    let anchors = if args.anchors { settings.anchors(None)? } else { Vec::new() };
    if args.anchors && anchors.is_empty() {
        bail!(
            "--anchors needs ANCHOR_DIRECTORY or ANCHOR_S3_BUCKET: there is nothing to compare with"
        );
    }
    let options = Options {
        lanes,
        after: args.after.unwrap_or_default(),
        anchors,
        keys: args.keys.as_deref().map(read_keys).transpose()?,
    };
    let mut database = settings.store("deed-audit");
    // Each lane reads a page while it verifies another one; the anchors and the list of records beside.
    database.pool_size = 2 * lanes + 6;
    let issuer = settings.issuer().unwrap_or_default();
    let reader =
        Reader::connect(&database, &issuer).await.context("the database cannot be read")?;

    let json = args.json || !std::io::stdout().is_terminal();
    let mut bar = Bar::new(!json || std::io::stderr().is_terminal());
    let started = Instant::now();
    let (events, mut happening) = mpsc::channel(EVENTS);
    let running = deed_audit::run(reader.clone(), options, events, stop);
    let printing = async {
        while let Some(event) = happening.recv().await {
            match event {
                Event::Progress(progress) => bar.show(&progress),
                Event::Found(finding) => {
                    bar.clear();
                    output::line(if json {
                        serde_json::to_string(&finding)?
                    } else {
                        text(&finding)
                    })?;
                }
            }
        }
        bar.clear();
        Ok::<_, anyhow::Error>(())
    };
    let (outcome, printed) = tokio::join!(running, printing);
    printed?;
    reader.close();
    if json {
        output::line(serde_json::to_string(&outcome)?)?;
    } else {
        output::line(summary(&outcome, args, started).trim_end())?;
    }
    Ok(outcome)
}

/// A finding for people: one line.
fn text(finding: &Finding) -> String {
    let mut text =
        format!("{}  {:<18}", if finding.fault { "FAULT" } else { "note " }, finding.kind);
    if let Some(record) = finding.record {
        text.push_str(&format!("  record {record}"));
    }
    if let Some(position) = finding.position {
        text.push_str(&format!(" entry {position}"));
    }
    text.push_str(&format!("  {}", finding.detail));
    if let Some(anchor) = &finding.anchor {
        text.push_str(&format!("  ({anchor})"));
    }
    text
}

fn summary(outcome: &Outcome, args: &Audit, started: Instant) -> String {
    let checked = outcome.progress.checked;
    let headline = match outcome.verdict {
        Verdict::Intact => "INTACT: every check passed.".to_owned(),
        Verdict::Tampered => format!("TAMPERED: {} faults were found.", outcome.faults),
        Verdict::CannotTell => "CANNOT TELL: not every check could be made.".to_owned(),
    };
    let mut text = format!("{headline}\n");
    if let Some(reason) = &outcome.reason {
        text.push_str(&format!("  {reason}\n"));
        if let Some(cursor) = outcome.progress.cursor {
            let anchors = if args.anchors { " --anchors" } else { "" };
            text.push_str(&format!("  To go on: deed audit{anchors} --after {cursor}\n"));
        }
    }
    for (count, what) in [
        (checked.records, "records, their columns compared with their chains"),
        (checked.entries, "entries: signature, link, position, body, columns"),
        (checked.checkpoints, "checkpoints in the database"),
        (checked.anchor_objects, "objects of anchors"),
        (checked.anchored_checkpoints, "anchored checkpoints compared with the database"),
        (outcome.notes, "notes, which are no faults"),
    ] {
        if count > 0 {
            text.push_str(&format!("  {count:>10}  {what}\n"));
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    let rate = checked.entries as f64 / seconds.max(0.001);
    text.push_str(&format!("  in {seconds:.1} s, {rate:.0} entries a second\n"));
    if !args.anchors {
        text.push_str("  Without --anchors: whoever owns database and key could have written all of this anew.\n");
    }
    text
}
