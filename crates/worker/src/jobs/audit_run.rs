//! `audit.run`: an audit that was asked for over the API. How far it is lies in its row, so that
//! another worker goes on where this one went away.

use std::time::Duration;

use deed_audit::{Counts, Event, Finding, Options, Outcome, Progress};
use deed_store::Store;
use deed_store::audit::Reader;
use deed_store::audits::Audit;
use deed_store::queue::ClaimedJob;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::anchors::Anchors;
use crate::kind::JobError;

/// Attempts before what could be told is the answer.
pub(super) const ATTEMPTS: u32 = 20;
/// Time between two notes of how far it is.
const NOTE_EVERY: Duration = Duration::from_secs(2);
/// Findings that are kept, of faults and of notes.
const MOST_FINDINGS: [usize; 2] = [900, 100];
/// Bytes of a detail that are kept.
const MOST_DETAIL: usize = 500;
/// Events that wait to be taken in.
const EVENTS: usize = 64;

pub(super) async fn run(store: Store, job: ClaimedJob, anchors: Anchors) -> Result<(), JobError> {
    let id = job.payload.get("audit").and_then(Value::as_str).and_then(|id| id.parse().ok());
    let id: Uuid = id.ok_or_else(|| JobError::Dead("the payload names no audit".to_owned()))?;
    let audit = store.audit(id).await?;
    let mut kept = Kept::of(&audit);
    if audit.with_anchors && anchors.is_empty() {
        let reason = "this worker has no anchors in its configuration";
        let (progress, findings) = (json!({ "reason": reason }), kept.findings());
        store.finish_audit(job.held, id, "cannot-tell", &progress, &findings).await?;
        return Ok(());
    }
    let options = Options {
        // It runs beside other work.
        lanes: std::thread::available_parallelism().map_or(1, |cores| cores.get().div_ceil(2)),
        after: audit.cursor.unwrap_or_default(),
        anchors: if audit.with_anchors { anchors.places().to_vec() } else { Vec::new() },
        keys: None,
    };
    let (events, mut happening) = mpsc::channel(EVENTS);
    let stop = CancellationToken::new();
    // When this is dropped, because the lease is lost or the worker stops, the audit ends too.
    let _guard = stop.clone().drop_guard();
    let running = deed_audit::run(Reader::of(&store), options, events, stop.clone());
    let noting = async {
        let mut noted = Instant::now();
        while let Some(event) = happening.recv().await {
            kept.take(event);
            if noted.elapsed() >= NOTE_EVERY {
                let (cursor, findings) = (kept.progress.cursor, kept.findings());
                store.advance_audit(id, cursor, &kept.progress(), &findings).await?;
                noted = Instant::now();
            }
        }
        Ok::<_, deed_store::Error>(())
    };
    let (outcome, noted) = tokio::join!(running, noting);
    noted?;
    finish(&store, &job, id, kept, outcome).await
}

async fn finish(
    store: &Store,
    job: &ClaimedJob,
    id: Uuid,
    mut kept: Kept,
    outcome: Outcome,
) -> Result<(), JobError> {
    kept.progress = outcome.progress;
    if let Some(reason) = &outcome.reason
        && job.attempt < ATTEMPTS
    {
        let cursor = kept.progress.cursor;
        store.advance_audit(id, cursor, &kept.progress(), &kept.findings()).await?;
        return Err(JobError::Retry(reason.clone()));
    }
    let mut progress = kept.progress();
    progress["reason"] = json!(outcome.reason);
    let verdict = if kept.faults > 0 { "tampered" } else { outcome.verdict.as_str() };
    tracing::info!(audit = %id, verdict, faults = kept.faults, "an audit has ended");
    Ok(store.finish_audit(job.held, id, verdict, &progress, &kept.findings()).await?)
}

/// What is known of an audit, earlier attempts included.
struct Kept {
    earlier: Counts,
    progress: Progress,
    findings: Vec<Value>,
    faults: u64,
    notes: u64,
}

impl Kept {
    fn of(audit: &Audit) -> Self {
        let findings = audit.findings.as_array().cloned().unwrap_or_default();
        let number = |name: &str| audit.progress.get(name).and_then(Value::as_u64).unwrap_or(0);
        let checked = |name: &str| {
            audit.progress.pointer(&format!("/checked/{name}")).and_then(Value::as_u64).unwrap_or(0)
        };
        Self {
            // Anchors are compared anew by each attempt.
            earlier: Counts {
                records: checked("records"),
                entries: checked("entries"),
                checkpoints: checked("checkpoints"),
                ..Counts::default()
            },
            progress: Progress { cursor: audit.cursor, ..Progress::default() },
            findings,
            faults: number("faults"),
            notes: number("notes"),
        }
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Progress(progress) => {
                let cursor = progress.cursor.or(self.progress.cursor);
                self.progress = Progress { cursor, ..progress };
            }
            Event::Found(finding) => self.found(finding),
        }
    }

    fn found(&mut self, mut finding: Finding) {
        finding.detail.truncate(finding.detail.floor_char_boundary(MOST_DETAIL));
        let value = json!(finding);
        // Found by an earlier attempt too.
        if self.findings.contains(&value) {
            return;
        }
        let [faults, notes] = MOST_FINDINGS;
        let (count, most) =
            if finding.fault { (&mut self.faults, faults) } else { (&mut self.notes, notes) };
        *count += 1;
        if *count <= most as u64 {
            self.findings.push(value);
        }
    }

    fn findings(&self) -> Value {
        Value::from(self.findings.clone())
    }

    fn progress(&self) -> Value {
        let (now, earlier) = (self.progress.checked, self.earlier);
        let checked = Counts {
            records: now.records + earlier.records,
            entries: now.entries + earlier.entries,
            checkpoints: now.checkpoints + earlier.checkpoints,
            ..now
        };
        json!({
            "checked": checked,
            "ofRecords": self.progress.of_records + earlier.records,
            "faults": self.faults,
            "notes": self.notes,
        })
    }
}
