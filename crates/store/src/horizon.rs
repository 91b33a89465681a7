//! Up to where a log is complete that many transactions write into: the outbox, the audit log.
//!
//! A number is handed out to a transaction that has its transaction id already (the statements that write
//! see to it), and long before it commits. So of the numbers handed out until a moment, none can still
//! come once every transaction has ended whose id was assigned before a later moment.

use std::sync::{Arc, LazyLock};

use crate::error::Error;
use crate::store::Store;

/// A log with a horizon: the SQL that reads it and that moves it.
pub(crate) struct Log {
    look: String,
    advance: String,
}

/// The newest number that was handed out, used or not; and whether the transactions have ended that might
/// hold one of those up to `pending`. A row that is visible was written by a transaction that ended, so its
/// `settled` is below the snapshot's end, unless it was restored into another cluster, where ids begin anew:
/// then all those transactions are gone.
const LOOK: &str = "
SELECT s.complete, s.pending, s.settled::text,
    s.settled <= pg_snapshot_xmin(pg_current_snapshot())
        OR s.settled >= pg_snapshot_xmax(pg_current_snapshot()),
    CASE WHEN q.is_called THEN q.last_value ELSE 0 END
FROM {stream} s, {sequence} q";

/// The transaction gets its own id here, after `$1` was read: whoever holds a number up to `$1` has an older one.
/// It must not have one before, or a younger transaction could hold such a number. Nothing happens when
/// another process has moved the horizon meanwhile.
const ADVANCE: &str = "
UPDATE {stream} SET complete = pending, pending = greatest(pending, $1),
    settled = pg_current_xact_id()
WHERE settled = $2::text::xid8";

impl Log {
    fn new(stream: &str, sequence: &str) -> Self {
        let fill = |sql: &str| sql.replace("{stream}", stream).replace("{sequence}", sequence);
        Self { look: fill(LOOK), advance: fill(ADVANCE) }
    }
}

/// The outbox.
pub(crate) static OUTBOX: LazyLock<Log> =
    LazyLock::new(|| Log::new("event_stream", "events_seq_seq"));
/// The operational audit log.
pub(crate) static AUDIT_LOG: LazyLock<Log> =
    LazyLock::new(|| Log::new("audit_stream", "system_audit_log_n_seq"));

struct Seen {
    complete: i64,
    pending: i64,
    /// Id of the transaction that moved the horizon last, as text.
    mover: String,
    settled: bool,
    newest: i64,
}

impl Store {
    /// Moves the outbox's horizon as far as it goes now, and gives the sequence number up to which every event
    /// is committed or never will be. It falls behind as long as some older transaction is open,
    /// and writes nothing while no event is added. Any number of processes may call it at any time.
    ///
    /// # Errors
    /// Those of a transaction.
    pub async fn event_horizon(&self) -> Result<i64, Error> {
        self.horizon(&OUTBOX).await
    }

    pub(crate) async fn horizon(&self, log: &'static Log) -> Result<i64, Error> {
        // The first round notes what is there; the second one finds it settled when nothing is open.
        for _ in 0..2 {
            let seen = self.look(log).await?;
            if !seen.settled || (seen.complete == seen.pending && seen.pending >= seen.newest) {
                return Ok(seen.complete);
            }
            self.advance(log, seen).await?;
        }
        Ok(self.look(log).await?.complete)
    }

    async fn look(&self, log: &'static Log) -> Result<Seen, Error> {
        let row = self.db.read("look_at_horizon", move |tx| {
            Box::pin(async move {
                let statement = tx.client.prepare_cached(&log.look).await?;
                Ok(tx.client.query_one(&statement, &[]).await?)
            })
        });
        let row = row.await?;
        Ok(Seen {
            complete: row.get(0),
            pending: row.get(1),
            mover: row.get(2),
            settled: row.get(3),
            newest: row.get(4),
        })
    }

    async fn advance(&self, log: &'static Log, seen: Seen) -> Result<(), Error> {
        let seen = Arc::new(seen);
        let run = self.db.run_tx("move_horizon", move |tx| {
            let seen = Arc::clone(&seen);
            Box::pin(async move {
                let statement = tx.client.prepare_cached(&log.advance).await?;
                tx.client.execute(&statement, &[&seen.newest, &seen.mover]).await?;
                Ok(())
            })
        });
        run.await
    }
}
