//! Reading columns back into the types of `chain`.

use deed_chain::hash::Hash;
use deed_chain::key::PublicKey;

use crate::error::Error;

pub(crate) fn hash(bytes: &[u8]) -> Result<Hash, Error> {
    let bytes =
        bytes.try_into().map_err(|_| Error::Damaged("a hash is not 32 bytes".to_owned()))?;
    Ok(Hash(bytes))
}

pub(crate) fn public_key(bytes: &[u8]) -> Result<PublicKey, Error> {
    let bytes: [u8; 32] =
        bytes.try_into().map_err(|_| Error::Damaged("a public key is not 32 bytes".to_owned()))?;
    PublicKey::from_bytes(&bytes).map_err(|e| Error::Damaged(format!("a public key: {e}")))
}
