//! What is read before and after each cell.

use std::time::Instant;

use anyhow::Result;

use crate::stack::{Stack, procfs};

/// Counters that only grow.
#[derive(Debug, Clone, Copy)]
struct Counters {
    at: Instant,
    api: f64,
    postgres: f64,
    load: f64,
    machine: f64,
    transactions: f64,
    wal_bytes: f64,
}

impl Counters {
    async fn read(stack: &Stack) -> Result<Self> {
        // Transaction ids are given to writing transactions only: their difference counts these.
        let row = stack
            .sql()
            .query_one(
                "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::float8, \
                 pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::float8",
                &[],
            )
            .await?;
        let own = procfs::cpu_of(std::process::id())?;
        Ok(Self {
            at: Instant::now(),
            api: procfs::cpu_of(stack.server().pid()?)?,
            postgres: procfs::cpu_of_family(stack.postmaster_pid())?,
            load: own + procfs::cpu_of_reaped_children()?,
            machine: procfs::cpu_of_machine()?,
            transactions: row.get(0),
            wal_bytes: row.get(1),
        })
    }
}

/// What a cell used, warm-up and draining included.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Usage {
    /// Cores that the API process kept busy.
    pub(crate) api_cores: f64,
    /// Cores that PostgreSQL kept busy, all its processes together.
    pub(crate) postgres_cores: f64,
    /// Cores that the load generator kept busy.
    pub(crate) load_cores: f64,
    /// Cores that anything else kept busy: above a few tenths, the figures are of a shared machine.
    pub(crate) other_cores: f64,
    /// Processor microseconds of the API per operation.
    pub(crate) api_micros: f64,
    /// Processor microseconds of PostgreSQL per operation.
    pub(crate) postgres_micros: f64,
    /// Processor microseconds of the load generator per operation.
    pub(crate) load_micros: f64,
    /// Operations per writing transaction: the size of a group commit.
    pub(crate) ops_per_transaction: f64,
    /// Bytes of write-ahead log per operation.
    pub(crate) wal_per_op: f64,
}

/// Reads the counters around one cell.
pub(crate) struct Meter<'a> {
    stack: &'a Stack,
    before: Counters,
}

impl<'a> Meter<'a> {
    /// Writes out what earlier cells left behind, then reads the counters.
    pub(crate) async fn start(stack: &'a Stack) -> Result<Self> {
        stack.sql().batch_execute("CHECKPOINT").await?;
        Ok(Self { stack, before: Counters::read(stack).await? })
    }

    /// Reads them again; `operations` is everything that was answered in between.
    pub(crate) async fn stop(self, operations: u64) -> Result<Usage> {
        let (before, after) = (self.before, Counters::read(self.stack).await?);
        let seconds = (after.at - before.at).as_secs_f64();
        let operations = operations.max(1) as f64;
        let (api, postgres, load) =
            (after.api - before.api, after.postgres - before.postgres, after.load - before.load);
        Ok(Usage {
            api_cores: api / seconds,
            postgres_cores: postgres / seconds,
            load_cores: load / seconds,
            other_cores: (after.machine - before.machine - api - postgres - load).max(0.0)
                / seconds,
            api_micros: api * 1e6 / operations,
            postgres_micros: postgres * 1e6 / operations,
            load_micros: load * 1e6 / operations,
            ops_per_transaction: operations / (after.transactions - before.transactions).max(1.0),
            wal_per_op: (after.wal_bytes - before.wal_bytes) / operations,
        })
    }
}
