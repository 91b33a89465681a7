//! Up to where the outbox is complete.
//!
//! A sequence number is handed out to a transaction that has its transaction id already (the statements
//! that write events see to it), and long before it commits. So of the numbers handed out until a moment, none
//! can still come once every transaction has ended whose id was assigned before a later moment.

use crate::error::Error;
use crate::store::Store;

/// The newest number that was handed out, used or not; and whether the transactions have ended that might
/// hold one of those up to `pending`.
const LOOK: &str = "
SELECT s.complete, s.pending, s.settled <= pg_snapshot_xmin(pg_current_snapshot()),
    CASE WHEN q.is_called THEN q.last_value ELSE 0 END
FROM event_stream s, events_seq_seq q";

/// The transaction gets its own id here, after `$1` was read: whoever holds a number up to `$1` has an older one.
/// It must not have one before, or a younger transaction could hold such a number.
const MOVE: &str = "
UPDATE event_stream SET complete = pending, pending = greatest(pending, $1),
    settled = pg_current_xact_id()
WHERE settled <= pg_snapshot_xmin(pg_current_snapshot())";

struct Seen {
    complete: i64,
    pending: i64,
    settled: bool,
    newest: i64,
}

impl Store {
    /// Moves the horizon as far as it goes now, and gives the sequence number up to which every event is
    /// committed or never will be. It falls behind as long as some older transaction is open,
    /// and writes nothing while no event is added. Any number of processes may call it at any time.
    ///
    /// # Errors
    /// Those of a transaction.
    pub async fn event_horizon(&self) -> Result<i64, Error> {
        // The first round notes what is there; the second one finds it settled when nothing is open.
        for _ in 0..2 {
            let seen = self.look().await?;
            if !seen.settled || (seen.complete == seen.pending && seen.pending >= seen.newest) {
                return Ok(seen.complete);
            }
            self.move_horizon(seen.newest).await?;
        }
        Ok(self.look().await?.complete)
    }

    async fn look(&self) -> Result<Seen, Error> {
        let row = self.db.read("event_horizon", |tx| {
            Box::pin(async move {
                let statement = tx.client.prepare_cached(LOOK).await?;
                Ok(tx.client.query_one(&statement, &[]).await?)
            })
        });
        let row = row.await?;
        Ok(Seen {
            complete: row.get(0),
            pending: row.get(1),
            settled: row.get(2),
            newest: row.get(3),
        })
    }

    async fn move_horizon(&self, newest: i64) -> Result<(), Error> {
        let run = self.db.run_tx("move_event_horizon", move |tx| {
            Box::pin(async move {
                let statement = tx.client.prepare_cached(MOVE).await?;
                tx.client.execute(&statement, &[&newest]).await?;
                Ok(())
            })
        });
        run.await
    }
}
