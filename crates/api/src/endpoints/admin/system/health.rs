//! `GET /v1/admin/system-health`.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::extract::State;
use deed_store::anchors::{AnchorStanding, UPLOAD};
use deed_store::queue::{Depth, Figures, Histogram};
use serde::Serialize;
use utoipa::ToSchema;

use super::replicas::ReplicaView;
use crate::endpoints::probes::DatabaseView;
use crate::endpoints::records::view::time;
use crate::problem::Problem;
use crate::reply::{Reply, ok};
use crate::state::App;

/// Seconds after which a job that could run should have been taken.
const LATE: f64 = 60.0;
/// Seconds after which a checkpoint should be anchored.
const EXPOSED: f64 = 300.0;

/// What an operator looks at first.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct SystemHealthView {
    /// `ok`, or `attention` when something listed in `attention` needs a person.
    status: &'static str,
    attention: Vec<String>,
    database: DatabaseView,
    /// Every kind of job that has one, of at most a million jobs, or had one in the last hour; by name.
    queues: Vec<QueueView>,
    replicas: Vec<ReplicaView>,
    /// Places outside the database that a worker had in its configuration within the last day. With
    /// none, history could be rewritten unseen.
    anchors: Vec<AnchorView>,
}

/// Where one anchor stands.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct AnchorView {
    location: String,
    /// Every object up to this number is there.
    complete: u64,
    /// Objects that are not known to be there.
    objects_behind: u64,
    /// Checkpoints that are not known to be there; an upper bound.
    checkpoints_behind: u64,
    /// Age of the oldest of them: the exposure window.
    oldest_seconds: f64,
    /// What is wrong with its settings.
    fault: Option<String>,
    #[schema(format = DateTime)]
    checked_at: String,
}

impl From<AnchorStanding> for AnchorView {
    fn from(standing: AnchorStanding) -> Self {
        Self {
            location: standing.location,
            complete: standing.complete,
            objects_behind: standing.objects_behind,
            checkpoints_behind: standing.checkpoints_behind,
            oldest_seconds: standing.oldest_seconds,
            fault: standing.fault,
            checked_at: time(standing.checked_at),
        }
    }
}

/// The jobs of one kind.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct QueueView {
    kind: String,
    /// They could run now.
    waiting: u64,
    /// Workers hold them.
    active: u64,
    /// Their time has not come.
    delayed: u64,
    /// Out of attempts; see `GET /v1/admin/jobs?state=dead`.
    dead: u64,
    /// Seconds since the oldest waiting one could have run.
    oldest_seconds: f64,
    last_hour: LastHourView,
}

/// Attempts that ended in the last hour. Workers report each five seconds; one that is killed takes what
/// it had not reported with it.
#[derive(Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct LastHourView {
    done: u64,
    /// The last attempt of a job counts as any other.
    failed: u64,
    /// Outcomes that were refused, because another worker had the job by then.
    fenced: u64,
    /// From when a job could have run until an attempt began.
    waited: TimesView,
    /// From there until it ended.
    ran: TimesView,
}

/// Times in seconds; null when there were none.
#[derive(Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct TimesView {
    /// At least half took no longer. Less than twice the exact median, or a millisecond.
    p50_seconds: Option<f64>,
    /// At least 99 of 100 took no longer; as exact.
    p99_seconds: Option<f64>,
    max_seconds: Option<f64>,
}

impl TimesView {
    fn of(times: &Histogram) -> Self {
        let seconds = |time: Option<Duration>| time.map(|time| time.as_secs_f64());
        Self {
            p50_seconds: seconds(times.percentile(50)),
            p99_seconds: seconds(times.percentile(99)),
            max_seconds: seconds(times.longest()),
        }
    }
}

impl LastHourView {
    fn of(figures: &Figures) -> Self {
        let Figures { done, failed, fenced, waits, runs } = figures;
        let (waited, ran) = (TimesView::of(waits), TimesView::of(runs));
        Self { done: *done, failed: *failed, fenced: *fenced, waited, ran }
    }
}

impl QueueView {
    /// Depths and figures of each kind that has one of the two.
    fn all(depths: Vec<Depth>, figures: Vec<(String, Figures)>) -> Vec<Self> {
        let mut kinds: BTreeMap<String, (Depth, Figures)> = BTreeMap::new();
        for depth in depths {
            kinds.insert(depth.kind.clone(), (depth, Figures::default()));
        }
        for (kind, figures) in figures {
            let depth = Depth { kind: kind.clone(), ..Depth::default() };
            kinds.entry(kind).or_insert((depth, Figures::default())).1 = figures;
        }
        kinds.into_values().map(|(depth, figures)| Self::of(depth, &figures)).collect()
    }

    fn of(depth: Depth, figures: &Figures) -> Self {
        let Depth { kind, waiting, active, delayed, dead, oldest_seconds } = depth;
        let last_hour = LastHourView::of(figures);
        Self { kind, waiting, active, delayed, dead, oldest_seconds, last_hour }
    }
}

#[utoipa::path(
    get, path = "/v1/admin/system-health", tag = "Operations", operation_id = "systemHealth",
    summary = "Database, queues, replicas and anchors in one look",
    responses((status = 200, description = "What was found", body = SystemHealthView)),
)]
pub(crate) async fn read(State(app): State<App>) -> Result<Reply, Problem> {
    let store = app.store();
    let (database, depths, figures, replicas, anchors) = tokio::try_join!(
        store.health(),
        store.queue_depths(),
        store.job_figures(),
        store.replicas(),
        store.anchor_standings(),
    )?;
    let workers = replicas.iter().filter(|r| r.alive && !r.draining && r.tier == "worker").count();
    let mut attention = attention(&depths, workers);
    attention.extend(anchors.iter().filter_map(exposed));
    ok(&SystemHealthView {
        status: if attention.is_empty() { "ok" } else { "attention" },
        attention,
        database: DatabaseView::of(&database),
        queues: QueueView::all(depths, figures),
        replicas: replicas.iter().map(ReplicaView::of).collect(),
        anchors: anchors.into_iter().map(AnchorView::from).collect(),
    })
}

/// What is wrong with an anchor.
fn exposed(anchor: &AnchorStanding) -> Option<String> {
    let location = &anchor.location;
    if let Some(fault) = &anchor.fault {
        return Some(format!("anchor {location}: {fault}"));
    }
    (anchor.oldest_seconds > EXPOSED).then(|| {
        format!(
            "anchor {location} lacks checkpoints that are {:.0} s old: read the jobs of kind {UPLOAD}",
            anchor.oldest_seconds
        )
    })
}

fn attention(queues: &[Depth], workers: usize) -> Vec<String> {
    let mut all = Vec::new();
    if workers == 0 {
        all.push("no worker is alive: start `deed worker`".to_owned());
    }
    for queue in queues {
        if queue.dead > 0 {
            all.push(format!(
                "{} dead jobs of kind {}: read GET /v1/admin/jobs?state=dead, mend the cause, replay",
                queue.dead, queue.kind
            ));
        }
        if queue.oldest_seconds > LATE {
            all.push(format!(
                "jobs of kind {} wait for {:.0} s: start more workers or raise WORKER_CONCURRENCY",
                queue.kind, queue.oldest_seconds
            ));
        }
    }
    all
}
