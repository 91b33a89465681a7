//! What is served from memory, never longer than the configured age.

use std::sync::Arc;
use std::time::Duration;

use deed_schema::Compiled;
use deed_store::access::ApiKey;
use deed_store::types::RecordType;
use deed_store::{Error, Store};
use moka::future::Cache;
use uuid::Uuid;

use crate::problem::Problem;

/// Most API keys kept.
const MOST_CALLERS: u64 = 10_000;
/// Bytes of schemas kept; a compiled one takes a few times its text.
const MOST_SCHEMA_BYTES: u64 = 16 << 20;

/// API keys by their hash. Unknown ones are not kept, so a new key works at once.
pub(crate) struct Callers(Cache<[u8; 32], Arc<ApiKey>>);

impl Callers {
    pub(crate) fn new(max_age: Duration) -> Self {
        Self(Cache::builder().max_capacity(MOST_CALLERS).time_to_live(max_age).build())
    }

    pub(crate) async fn get(
        &self,
        store: &Store,
        hash: [u8; 32],
    ) -> Result<Option<Arc<ApiKey>>, Error> {
        if let Some(key) = self.0.get(&hash).await {
            return Ok(Some(key));
        }
        let Some(key) = store.api_key_by_hash(hash).await?.map(Arc::new) else {
            return Ok(None);
        };
        self.0.insert(hash, Arc::clone(&key)).await;
        Ok(Some(key))
    }

    /// Forgets every key, after this process changed one.
    pub(crate) fn forget(&self) {
        self.0.invalidate_all();
    }
}

/// A Type with its criteria schema ready to validate.
pub(crate) struct LoadedType {
    pub(crate) definition: RecordType,
    pub(crate) criteria: Arc<Compiled>,
}

/// The newest version of each Type, and compiled schemas, which never change for one digest.
pub(crate) struct Types {
    newest: Cache<(Uuid, String), Arc<LoadedType>>,
    /// With the length of the schema, by which the cache is bounded.
    compiled: Cache<[u8; 32], (Arc<Compiled>, u32)>,
}

impl Types {
    pub(crate) fn new(max_age: Duration) -> Self {
        Self {
            newest: Cache::builder()
                .weigher(|_, loaded: &Arc<LoadedType>| length(&loaded.definition))
                .max_capacity(MOST_SCHEMA_BYTES)
                .time_to_live(max_age)
                .build(),
            compiled: Cache::builder()
                .weigher(|_, (_, length): &(Arc<Compiled>, u32)| *length)
                .max_capacity(MOST_SCHEMA_BYTES)
                .build(),
        }
    }

    /// The newest version of a Type.
    pub(crate) async fn newest(
        &self,
        store: &Store,
        org: Uuid,
        name: &str,
    ) -> Result<Arc<LoadedType>, Problem> {
        let key = (org, name.to_owned());
        if let Some(found) = self.newest.get(&key).await {
            return Ok(found);
        }
        let definition = store.record_type(org, name, None).await?;
        let loaded = Arc::new(self.load(definition).await?);
        self.newest.insert(key, Arc::clone(&loaded)).await;
        Ok(loaded)
    }

    /// A given version of a Type.
    pub(crate) async fn version(
        &self,
        store: &Store,
        org: Uuid,
        name: &str,
        version: i32,
    ) -> Result<Arc<LoadedType>, Problem> {
        let definition = store.record_type(org, name, Some(version)).await?;
        Ok(Arc::new(self.load(definition).await?))
    }

    /// Forgets which version is the newest, after this process changed a Type.
    pub(crate) fn forget(&self) {
        self.newest.invalidate_all();
    }

    async fn load(&self, definition: RecordType) -> Result<LoadedType, Problem> {
        let digest = definition.digest.0;
        if let Some((criteria, _)) = self.compiled.get(&digest).await {
            return Ok(LoadedType { definition, criteria });
        }
        let text = definition.record_schema.clone();
        let compiling = tokio::task::spawn_blocking(move || {
            let schema = serde_json::from_str(&text).map_err(|e| e.to_string())?;
            Compiled::compile(&schema).map_err(|e| e.to_string())
        });
        let compiled = compiling.await.map_err(|e| e.to_string()).and_then(|result| result);
        let criteria = Arc::new(compiled.map_err(|e| {
            Problem::from(Error::Damaged(format!("the schema of Type {}: {e}", definition.name)))
        })?);
        let kept = (Arc::clone(&criteria), length(&definition));
        self.compiled.insert(digest, kept).await;
        Ok(LoadedType { definition, criteria })
    }
}

fn length(definition: &RecordType) -> u32 {
    u32::try_from(definition.record_schema.len()).unwrap_or(u32::MAX)
}
