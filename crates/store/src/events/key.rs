//! The secret that ids of events are made with.

use crate::error::Error;
use crate::tx::Database;

/// Reads the key that the migration made.
///
/// # Errors
/// [`Error::Damaged`], and those of a read.
pub(crate) async fn key(db: &Database) -> Result<[u8; 32], Error> {
    let row = db.read("event_key", |tx| {
        Box::pin(async move { Ok(tx.client.query_one("SELECT key FROM event_stream", &[]).await?) })
    });
    let key: Vec<u8> = row.await?.get(0);
    key.try_into().map_err(|_| Error::Damaged("the key of event ids".to_owned()))
}
