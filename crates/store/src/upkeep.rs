//! The statements of the sweeps: each is one bounded batch in a transaction of its own, so that a
//! sweep can be stopped anywhere and goes on where it was.

use std::sync::Arc;

use serde_json::Value;
use uuid::Uuid;

use crate::error::Error;
use crate::store::Store;
use crate::transition::EVALUATE;

/// Pages of `idempotency_keys` that one batch reads: 2 MiB.
const PAGES: i64 = 256;

/// A job that had the rules judge, and is out of attempts.
#[derive(Debug, Clone, PartialEq)]
pub struct DeadEvaluation {
    /// The job.
    pub id: Uuid,
    /// [`crate::transition::evaluation_key`] of the entry that asked for it.
    pub unique_key: Option<String>,
    /// As it was enqueued.
    pub payload: Value,
}

impl Store {
    /// Makes the partitions up to `months` ahead, and says how many were made.
    ///
    /// # Errors
    /// Those of a transaction.
    pub async fn ensure_partitions(&self, months: i32) -> Result<usize, Error> {
        let run = self.db.run_tx("ensure_partitions", move |tx| {
            Box::pin(async move {
                let row = tx.client.query_one("SELECT ensure_partitions($1)", &[&months]).await?;
                Ok(usize::try_from(row.get::<_, i32>(0)).unwrap_or(0))
            })
        });
        run.await
    }

    /// Removes the idempotency keys older than `hours` from some pages of their table, beginning
    /// with `page`. Gives the page to go on with, `None` at the end, and how many were removed.
    ///
    /// Reading the table by its pages needs no index on the time, which every append would pay for.
    ///
    /// # Errors
    /// Those of a transaction.
    pub async fn sweep_idempotency_keys(
        &self,
        page: i64,
        hours: i32,
    ) -> Result<(Option<i64>, usize), Error> {
        let sql = "
            DELETE FROM idempotency_keys WHERE ctid >= format('(%s,0)', $1::int8)::tid
            AND ctid < format('(%s,0)', $2::int8)::tid
            AND created_at < now() - make_interval(hours => $3)";
        let size =
            "SELECT pg_relation_size('idempotency_keys') / current_setting('block_size')::int8";
        let run = self.db.run_tx("sweep_idempotency_keys", move |tx| {
            Box::pin(async move {
                let pages: i64 = tx.client.query_one(size, &[]).await?.get(0);
                let end = page + PAGES;
                let removed = tx.client.execute(sql, &[&page, &end, &hours]).await?;
                Ok(((end < pages).then_some(end), usize::try_from(removed).unwrap_or(usize::MAX)))
            })
        });
        run.await
    }

    /// Removes at most `limit` dead jobs that died more than `days` ago.
    ///
    /// # Errors
    /// Those of a transaction.
    pub async fn sweep_dead_jobs(&self, days: i32, limit: usize) -> Result<usize, Error> {
        let sql = "
            DELETE FROM jobs WHERE id IN (SELECT id FROM jobs WHERE state = 'dead'
                AND id < uuid_floor(now() - make_interval(days => $1))
                AND run_at < now() - make_interval(days => $1) ORDER BY id LIMIT $2)
            AND state = 'dead'";
        self.remove("sweep_dead_jobs", sql, days, limit).await
    }

    /// At most `limit` dead jobs of the kind [`EVALUATE`], by id, that come after `after`.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn dead_evaluations(
        &self,
        after: Uuid,
        limit: usize,
    ) -> Result<Vec<DeadEvaluation>, Error> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let sql = "
            SELECT id, unique_key, payload FROM jobs
            WHERE state = 'dead' AND kind = $1 AND id > $2 ORDER BY id LIMIT $3";
        let rows = self.db.read("dead_evaluations", move |tx| {
            Box::pin(async move { Ok(tx.client.query(sql, &[&EVALUATE, &after, &limit]).await?) })
        });
        let dead = rows.await?.into_iter().map(|row| DeadEvaluation {
            id: row.get(0),
            unique_key: row.get(1),
            payload: row.get(2),
        });
        Ok(dead.collect())
    }

    /// Removes jobs that are still dead, and says how many.
    ///
    /// # Errors
    /// Those of a transaction.
    pub async fn remove_dead_jobs(&self, ids: Vec<Uuid>) -> Result<usize, Error> {
        let sql = "DELETE FROM jobs WHERE id = ANY($1) AND state = 'dead'";
        let ids = Arc::new(ids);
        let run = self.db.run_tx("remove_dead_jobs", move |tx| {
            let ids = Arc::clone(&ids);
            Box::pin(async move {
                let removed = tx.client.execute(sql, &[&*ids]).await?;
                Ok(usize::try_from(removed).unwrap_or(usize::MAX))
            })
        });
        run.await
    }

    /// Removes at most `limit` ticks that are older than `days`; the newest of a schedule stays.
    ///
    /// # Errors
    /// Those of a transaction.
    pub async fn sweep_ticks(&self, days: i32, limit: usize) -> Result<usize, Error> {
        let sql = "
            DELETE FROM schedule_ticks WHERE (schedule, tick) IN (
                SELECT t.schedule, t.tick FROM schedules CROSS JOIN LATERAL (
                    SELECT schedule, tick FROM schedule_ticks WHERE schedule = name
                    AND tick < now() - make_interval(days => $1)
                    AND tick < (SELECT max(tick) FROM schedule_ticks WHERE schedule = name)
                    ORDER BY tick LIMIT $2) t
                LIMIT $2)";
        self.remove("sweep_ticks", sql, days, limit).await
    }

    /// Removes at most `limit` figures of jobs that are older than `days`.
    ///
    /// # Errors
    /// Those of a transaction.
    pub async fn sweep_job_figures(&self, days: i32, limit: usize) -> Result<usize, Error> {
        let sql = "
            DELETE FROM job_figures WHERE (minute, replica, kind) IN (
                SELECT minute, replica, kind FROM job_figures
                WHERE minute < now() - make_interval(days => $1) ORDER BY minute LIMIT $2)";
        self.remove("sweep_job_figures", sql, days, limit).await
    }

    /// Removes at most `limit` replicas that were not heard of for `days`.
    ///
    /// # Errors
    /// Those of a transaction.
    pub async fn sweep_replicas(&self, days: i32, limit: usize) -> Result<usize, Error> {
        let sql = "
            DELETE FROM replicas WHERE id IN (SELECT id FROM replicas
                WHERE heartbeat_at < now() - make_interval(days => $1) LIMIT $2)";
        self.remove("sweep_replicas", sql, days, limit).await
    }

    async fn remove(
        &self,
        name: &'static str,
        sql: &'static str,
        days: i32,
        limit: usize,
    ) -> Result<usize, Error> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let run = self.db.run_tx(name, move |tx| {
            Box::pin(async move {
                let removed = tx.client.execute(sql, &[&days, &limit]).await?;
                Ok(usize::try_from(removed).unwrap_or(usize::MAX))
            })
        });
        run.await
    }
}
