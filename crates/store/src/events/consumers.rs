//! How far each reader of the outbox is that must see every event.

use crate::error::Error;
use crate::tx::Tx;

/// Locks a consumer's row until the transaction ends and gives the sequence number up to which it is done.
///
/// # Errors
/// [`Error::NotFound`] when no migration made such a consumer.
pub(crate) async fn claim(tx: Tx<'_>, consumer: &str) -> Result<i64, Error> {
    let sql = "SELECT done FROM event_consumers WHERE name = $1 FOR UPDATE";
    let statement = tx.client.prepare_cached(sql).await?;
    let row = tx.client.query_opt(&statement, &[&consumer]).await?;
    Ok(row.ok_or(Error::NotFound("event consumer"))?.get(0))
}

/// Notes that a consumer whose row is locked is done up to a sequence number.
///
/// # Errors
/// Those of a statement.
pub(crate) async fn advance(tx: Tx<'_>, consumer: &str, done: i64) -> Result<(), Error> {
    let sql = "UPDATE event_consumers SET done = $2 WHERE name = $1";
    let statement = tx.client.prepare_cached(sql).await?;
    tx.client.execute(&statement, &[&consumer, &done]).await?;
    Ok(())
}
