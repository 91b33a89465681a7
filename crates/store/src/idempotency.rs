//! Idempotency keys: the answer of a mutation, kept in the mutation's own transaction.

use std::sync::Arc;

use deed_chain::hash::Hash;
use uuid::Uuid;

use crate::error::Error;
use crate::response::Stored;
use crate::store::Store;
use crate::tx::{Body, Tx};

/// A mutation's idempotency key.
#[derive(Debug, Clone)]
pub struct Idempotency {
    /// Whose key it is: keys of different callers never meet.
    pub scope: Uuid,
    /// The client's key, 1 to 255 visible characters.
    pub key: String,
    /// SHA-256 over method, path and body: the same key with another request is refused.
    pub request_hash: Hash,
}

/// The answer given when the key was used first.
#[derive(Debug, Clone)]
pub struct Replay {
    /// HTTP status.
    pub status: u16,
    /// The body, byte for byte; sealed when it held a secret.
    pub body: Vec<u8>,
    /// Whether the body is sealed (see the API tier's `seal`).
    pub sealed: bool,
}

/// What a mutation answers.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status, 2xx.
    pub status: u16,
    /// The body for the client.
    pub body: Vec<u8>,
    /// What is stored instead of the body, when the body holds a secret.
    pub sealed: Option<Vec<u8>>,
}

/// How a mutation ended.
#[derive(Debug, Clone)]
pub enum Mutated {
    /// It was carried out now.
    Done(Answer),
    /// It had been carried out before under the same key.
    Replayed(Replay),
}

impl Store {
    /// Runs a mutation in one transaction together with its idempotency key, if it has one. The
    /// key is inserted first: a second request with it waits there until the first one ends.
    ///
    /// # Errors
    /// What `body` gives (nothing is stored then), and [`Error::IdempotencyMismatch`].
    pub async fn mutate<F>(
        &self,
        name: &'static str,
        idempotency: Option<Idempotency>,
        body: F,
    ) -> Result<Mutated, Error>
    where
        F: for<'a> Fn(Tx<'a>) -> Body<'a, Answer> + Send + Sync + 'static,
    {
        let body = Arc::new(body);
        let run = self.db.run_tx(name, move |tx| {
            let (used, body) = (idempotency.clone(), Arc::clone(&body));
            Box::pin(async move {
                let Some(used) = &used else {
                    return Ok(Mutated::Done(body(tx).await?));
                };
                if !claim(tx, used).await? {
                    return Ok(Mutated::Replayed(replay(tx, used).await?));
                }
                let answer = body(tx).await?;
                keep(tx, used, &answer).await?;
                Ok(Mutated::Done(answer))
            })
        });
        run.await
    }
}

impl Store {
    /// The answer that a key was given before, if it was used. For a request that would be refused
    /// now: a retry gets the original answer even when the world has changed since.
    ///
    /// # Errors
    /// [`Error::IdempotencyMismatch`], and those of a read.
    pub async fn answered_before(&self, used: &Idempotency) -> Result<Option<Replay>, Error> {
        let used = used.clone();
        self.db.read("answered_before", |tx| Box::pin(async move { lookup(tx, &used).await })).await
    }
}

async fn claim(tx: Tx<'_>, used: &Idempotency) -> Result<bool, Error> {
    let sql = "INSERT INTO idempotency_keys (scope, key, request_hash, status, response)
               VALUES ($1, $2, $3::bytea, 0, '') ON CONFLICT DO NOTHING";
    let statement = tx.client.prepare_cached(sql).await?;
    let hash = used.request_hash.0.as_slice();
    Ok(tx.client.execute(&statement, &[&used.scope, &used.key, &hash]).await? == 1)
}

async fn keep(tx: Tx<'_>, used: &Idempotency, answer: &Answer) -> Result<(), Error> {
    let sql = "UPDATE idempotency_keys SET status = $3, response = $4, sealed = $5
               WHERE scope = $1 AND key = $2";
    let statement = tx.client.prepare_cached(sql).await?;
    let stored = answer.sealed.as_ref().unwrap_or(&answer.body);
    let status = i16::try_from(answer.status).unwrap_or(i16::MAX);
    let sealed = answer.sealed.is_some();
    tx.client.execute(&statement, &[&used.scope, &used.key, &status, stored, &sealed]).await?;
    Ok(())
}

/// The stored answer of a key that is known to be there.
pub(crate) async fn replay(tx: Tx<'_>, used: &Idempotency) -> Result<Replay, Error> {
    // Retention may remove the row between the two statements; the client may simply try again.
    let expired = || Error::Unavailable("the idempotency key just expired".to_owned());
    lookup(tx, used).await?.ok_or_else(expired)
}

async fn lookup(tx: Tx<'_>, used: &Idempotency) -> Result<Option<Replay>, Error> {
    let sql = "SELECT request_hash, status, response, sealed, record_id, position
               FROM idempotency_keys
               WHERE scope = $1 AND key = $2";
    let statement = tx.client.prepare_cached(sql).await?;
    let Some(row) = tx.client.query_opt(&statement, &[&used.scope, &used.key]).await? else {
        return Ok(None);
    };
    if row.get::<_, &[u8]>(0) != used.request_hash.0 {
        return Err(Error::IdempotencyMismatch);
    }
    let status = u16::try_from(row.get::<_, i16>(1)).unwrap_or(0);
    let entry = row.get::<_, Option<Uuid>>(4).zip(row.get(5));
    let body = Stored { bytes: row.get(2), entry }.open(tx).await?;
    Ok(Some(Replay { status, body, sealed: row.get(3) }))
}
