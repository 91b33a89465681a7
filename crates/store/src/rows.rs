//! Reading columns back into the types of `chain`.

use deed_chain::hash::Hash;
use deed_chain::key::PublicKey;
use uuid::Uuid;

use crate::error::Error;

pub(crate) fn hash(bytes: &[u8]) -> Result<Hash, Error> {
    let bytes =
        bytes.try_into().map_err(|_| Error::Damaged("a hash is not 32 bytes".to_owned()))?;
    Ok(Hash(bytes))
}

/// Least and greatest of these ids. A statement that names them beside `id = ANY(...)` opens the partitions
/// between them alone; PostgreSQL looks for an array's members in all of them.
pub(crate) fn span(ids: &[Uuid]) -> (Uuid, Uuid) {
    let least = ids.iter().min().copied().unwrap_or_default();
    (least, ids.iter().max().copied().unwrap_or_default())
}

pub(crate) fn public_key(bytes: &[u8]) -> Result<PublicKey, Error> {
    let bytes: [u8; 32] =
        bytes.try_into().map_err(|_| Error::Damaged("a public key is not 32 bytes".to_owned()))?;
    PublicKey::from_bytes(&bytes).map_err(|e| Error::Damaged(format!("a public key: {e}")))
}
