//! `GET /v1/admin/replicas`.

use axum::extract::State;
use deed_store::replicas::Replica;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::endpoints::records::view::time;
use crate::page::PageView;
use crate::problem::Problem;
use crate::reply::{Reply, ok};
use crate::state::App;

/// A process that serves, or did within the last day.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ReplicaView {
    id: Uuid,
    /// `api` or `worker`; `deed up` is one of each.
    kind: String,
    version: String,
    #[schema(format = DateTime)]
    started_at: String,
    #[schema(format = DateTime)]
    heartbeat_at: String,
    /// `alive`, `draining`, or `gone` after 30 s without a heartbeat.
    status: &'static str,
}

impl ReplicaView {
    pub(super) fn of(replica: &Replica) -> Self {
        let status = match (replica.alive, replica.draining) {
            (false, _) => "gone",
            (true, true) => "draining",
            (true, false) => "alive",
        };
        Self {
            id: replica.id,
            kind: replica.tier.clone(),
            version: replica.version.clone(),
            started_at: time(replica.started_at),
            heartbeat_at: time(replica.heartbeat_at),
            status,
        }
    }
}

#[utoipa::path(
    get, path = "/v1/admin/replicas", tag = "Operations", operation_id = "listReplicas",
    summary = "The processes that serve, the newest first",
    responses((status = 200, description = "All of them, at most 1,000", body = PageView<ReplicaView>)),
)]
pub(crate) async fn list(State(app): State<App>) -> Result<Reply, Problem> {
    let replicas = app.store().replicas().await?;
    ok(&PageView::new(replicas.iter().map(ReplicaView::of).collect(), None::<String>))
}
