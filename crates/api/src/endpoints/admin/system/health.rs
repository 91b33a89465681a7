//! `GET /v1/admin/system-health`.

use axum::extract::State;
use deed_store::queue::Depth;
use serde::Serialize;
use utoipa::ToSchema;

use super::replicas::ReplicaView;
use crate::endpoints::probes::DatabaseView;
use crate::problem::Problem;
use crate::reply::{Reply, ok};
use crate::state::App;

/// Seconds after which a job that could run should have been taken.
const LATE: f64 = 60.0;

/// What an operator looks at first.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct SystemHealthView {
    /// `ok`, or `attention` when something listed in `attention` needs a person.
    status: &'static str,
    attention: Vec<String>,
    database: DatabaseView,
    /// Every kind of job that has one, of at most a million jobs.
    queues: Vec<QueueView>,
    replicas: Vec<ReplicaView>,
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
}

impl From<Depth> for QueueView {
    fn from(depth: Depth) -> Self {
        let Depth { kind, waiting, active, delayed, dead, oldest_seconds } = depth;
        Self { kind, waiting, active, delayed, dead, oldest_seconds }
    }
}

#[utoipa::path(
    get, path = "/v1/admin/system-health", tag = "Operations", operation_id = "systemHealth",
    summary = "Database, queues and replicas in one look",
    responses((status = 200, description = "What was found", body = SystemHealthView)),
)]
pub(crate) async fn read(State(app): State<App>) -> Result<Reply, Problem> {
    let store = app.store();
    let (database, queues, replicas) =
        tokio::try_join!(store.health(), store.queue_depths(), store.replicas())?;
    let workers = replicas.iter().filter(|r| r.alive && !r.draining && r.tier == "worker").count();
    let attention = attention(&queues, workers);
    ok(&SystemHealthView {
        status: if attention.is_empty() { "ok" } else { "attention" },
        attention,
        database: DatabaseView::of(&database),
        queues: queues.into_iter().map(QueueView::from).collect(),
        replicas: replicas.iter().map(ReplicaView::of).collect(),
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
