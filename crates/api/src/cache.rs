//! What is served from memory, never longer than the configured age.

use std::sync::Arc;
use std::time::Duration;

use deed_schema::Compiled;
use deed_store::access::ApiKey;
use deed_store::types::RecordType;
use deed_store::{Error, Store};
use moka::future::Cache;
use serde_json::Value;
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

/// A Type with its schemas ready to validate.
pub(crate) struct LoadedType {
    pub(crate) definition: RecordType,
    pub(crate) criteria: Arc<Compiled>,
    /// Of a Type with a gate.
    pub(crate) gate: Option<Arc<Gate>>,
}

/// What a gate needs of its Type.
pub(crate) struct Gate {
    pub(crate) completion: Compiled,
    /// Criteria and a completion that are valid by the schemas, if they could be made up.
    pub(crate) criteria_example: Option<Value>,
    pub(crate) completion_example: Option<Value>,
}

/// The schemas of one digest.
#[derive(Clone)]
struct Schemas {
    criteria: Arc<Compiled>,
    gate: Option<Arc<Gate>>,
    /// Length of the schemas, by which the cache is bounded.
    length: u32,
}

/// The newest version of each Type, and compiled schemas, which never change for one digest.
pub(crate) struct Types {
    newest: Cache<(Uuid, String), Arc<LoadedType>>,
    versions: Cache<(Uuid, String, i32), Arc<LoadedType>>,
    compiled: Cache<[u8; 32], Schemas>,
}

impl Types {
    pub(crate) fn new(max_age: Duration) -> Self {
        Self {
            newest: Cache::builder()
                .weigher(|_, loaded: &Arc<LoadedType>| length(&loaded.definition))
                .max_capacity(MOST_SCHEMA_BYTES)
                .time_to_live(max_age)
                .build(),
            versions: Cache::builder()
                .weigher(|_, loaded: &Arc<LoadedType>| length(&loaded.definition))
                .max_capacity(MOST_SCHEMA_BYTES)
                .time_to_live(max_age)
                .build(),
            compiled: Cache::builder()
                .weigher(|_, schemas: &Schemas| schemas.length)
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
        let key = (org, name.to_owned(), version);
        if let Some(found) = self.versions.get(&key).await {
            return Ok(found);
        }
        let definition = store.record_type(org, name, Some(version)).await?;
        let loaded = Arc::new(self.load(definition).await?);
        self.versions.insert(key, Arc::clone(&loaded)).await;
        Ok(loaded)
    }

    /// Forgets which version is the newest and which are disabled, after this process changed a Type.
    pub(crate) fn forget(&self) {
        self.newest.invalidate_all();
        self.versions.invalidate_all();
    }

    async fn load(&self, definition: RecordType) -> Result<LoadedType, Problem> {
        let digest = definition.digest.0;
        let schemas = match self.compiled.get(&digest).await {
            Some(found) => found,
            None => {
                let made = compile(&definition).await?;
                self.compiled.insert(digest, made.clone()).await;
                made
            }
        };
        Ok(LoadedType { definition, criteria: schemas.criteria, gate: schemas.gate })
    }
}

/// Compiles on a thread of its own: a large schema takes milliseconds.
async fn compile(definition: &RecordType) -> Result<Schemas, Problem> {
    let (criteria, completion) =
        (definition.record_schema.clone(), definition.completion_schema.clone());
    let length = length(definition);
    let compiling = tokio::task::spawn_blocking(move || {
        let read = |text: &str| serde_json::from_str::<Value>(text).map_err(|e| e.to_string());
        let criteria = read(&criteria)?;
        let gate = match completion {
            None => None,
            Some(text) => {
                let completion = read(&text)?;
                Some(Arc::new(Gate {
                    criteria_example: deed_schema::example(&criteria),
                    completion_example: deed_schema::example(&completion),
                    completion: Compiled::compile(&completion).map_err(|e| e.to_string())?,
                }))
            }
        };
        let criteria = Arc::new(Compiled::compile(&criteria).map_err(|e| e.to_string())?);
        Ok(Schemas { criteria, gate, length })
    });
    let compiled = compiling.await.map_err(|e| e.to_string()).and_then(|result| result);
    compiled.map_err(|e| {
        Problem::from(Error::Damaged(format!("a schema of Type {}: {e}", definition.name)))
    })
}

fn length(definition: &RecordType) -> u32 {
    let completion = definition.completion_schema.as_ref().map_or(0, String::len);
    u32::try_from(definition.record_schema.len() + completion).unwrap_or(u32::MAX)
}
