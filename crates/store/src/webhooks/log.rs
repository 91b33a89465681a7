//! The log of deliveries.

use chrono::{DateTime, Utc};
use tokio_postgres::Row;
use uuid::Uuid;

use crate::error::Error;
use crate::records::Page;
use crate::store::Store;

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryState {
    /// It is to be attempted, or attempted again.
    Pending,
    /// The endpoint took it.
    Delivered,
    /// It was given up.
    Dead,
}

impl DeliveryState {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Pending, Self::Delivered, Self::Dead];

    /// Its name in the database and on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Dead => "dead",
        }
    }

    /// The state of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}

/// A delivery and how its last attempt went.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    /// UUIDv7 of the time when it was added.
    pub id: Uuid,
    /// `webhook-id`: the id of the event.
    pub event_id: Uuid,
    /// Type of the event.
    pub event_type: String,
    /// The record that it is about.
    pub record_id: Option<Uuid>,
    /// Where it stands.
    pub state: DeliveryState,
    /// Attempts so far.
    pub attempts: u32,
    /// Not before this time, after a failure.
    pub next_at: Option<DateTime<Utc>>,
    /// The last attempt.
    pub last_at: Option<DateTime<Utc>>,
    /// HTTP status of its answer.
    pub last_status: Option<u16>,
    /// Why it failed.
    pub last_error: Option<String>,
    /// The beginning of its answer's body.
    pub last_response: Option<String>,
    /// How long it took, in milliseconds.
    pub last_ms: Option<u32>,
}

const COLUMNS: &str = "id, event_id, event_type, record_id, state, attempts, next_at, last_at,
    last_status, last_error, last_response, last_ms";

impl Delivery {
    fn from_row(row: &Row) -> Result<Self, Error> {
        let state: &str = row.get(4);
        Ok(Self {
            id: row.get(0),
            event_id: row.get(1),
            event_type: row.get(2),
            record_id: row.get(3),
            state: DeliveryState::parse(state)
                .ok_or_else(|| Error::Damaged(format!("a delivery is {state}")))?,
            attempts: row.get::<_, i32>(5).unsigned_abs(),
            next_at: row.get(6),
            last_at: row.get(7),
            last_status: row.get::<_, Option<i16>>(8).map(i16::unsigned_abs),
            last_error: row.get(9),
            last_response: row.get(10),
            last_ms: row.get::<_, Option<i32>>(11).map(i32::unsigned_abs),
        })
    }
}

impl Store {
    /// One page of a webhook's deliveries in these states, newest first.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn webhook_deliveries(
        &self,
        webhook: Uuid,
        states: &[DeliveryState],
        before: Option<Uuid>,
        limit: usize,
    ) -> Result<Page<Delivery>, Error> {
        let most = i64::try_from(limit + 1).unwrap_or(i64::MAX);
        let states: Vec<&str> = states.iter().map(|state| state.as_str()).collect();
        // The newest of each state, and of these the newest: however many of another state lie between.
        let sql = format!(
            "SELECT {COLUMNS} FROM unnest($2::text[]) AS s(wanted) CROSS JOIN LATERAL (
                SELECT {COLUMNS} FROM webhook_deliveries
                WHERE webhook_id = $1 AND state = wanted AND ($3::uuid IS NULL OR id < $3)
                ORDER BY id DESC LIMIT $4) d
             ORDER BY id DESC LIMIT $4"
        );
        let rows = self.db.read("webhook_deliveries", move |tx| {
            Box::pin(async move {
                Ok(tx.client.query(&sql, &[&webhook, &states, &before, &most]).await?)
            })
        });
        let all = rows.await?.iter().map(Delivery::from_row).collect::<Result<Vec<_>, _>>()?;
        Ok(Page::cut(all, limit, |delivery| delivery.id))
    }
}
