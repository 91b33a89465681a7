//! Databases that are prepared once and cloned for each test.

use sha2::{Digest, Sha256};

use crate::database::Urls;
use crate::server::{OWNER_ROLE, Server};

/// A prepared database that [`crate::TestDatabase::from_template`] clones.
#[derive(Clone, Debug)]
pub struct Template {
    name: String,
}

impl Template {
    /// The template `name` in the state `key` (say, a hash of the migrations), prepared by `setup`
    /// in an empty database of [`OWNER_ROLE`] unless another test or process did so before.
    pub async fn prepare(name: &str, key: &str, setup: impl AsyncFnOnce(Urls)) -> Self {
        let digest =
            Sha256::new().chain_update(name).chain_update([0]).chain_update(key).finalize();
        let database = format!("template_{}", hex::encode(&digest[..12]));
        let lock = i64::from_be_bytes(digest[12..20].try_into().expect("eight bytes"));
        let server = Server::get().await;
        let client = server.maintenance().await;
        // Held until the connection closes, so that a failing setup releases it.
        client.execute("SELECT pg_advisory_lock($1)", &[&lock]).await.expect("the template's lock");
        // Only a finished template is marked as one.
        let finished = "SELECT 1 FROM pg_database WHERE datname = $1 AND datistemplate";
        if client.query_opt(finished, &[&database]).await.expect("an answer").is_none() {
            for sql in [
                format!("DROP DATABASE IF EXISTS {database} WITH (FORCE)"),
                format!("CREATE DATABASE {database} TEMPLATE template0 OWNER {OWNER_ROLE}"),
            ] {
                client.batch_execute(&sql).await.expect("an empty template");
            }
            setup(Urls::of(server, &database)).await;
            // PostgreSQL clones only databases without connections: close ours, allow no others.
            let close = format!(
                "ALTER DATABASE {database} ALLOW_CONNECTIONS false;\
                 SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity \
                 WHERE datname = '{database}';\
                 ALTER DATABASE {database} IS_TEMPLATE true"
            );
            client.batch_execute(&close).await.expect("the template is closed");
        }
        Self { name: database }
    }

    /// The database's name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}
