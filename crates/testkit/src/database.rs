//! A database of one test.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::server::{APP_ROLE, OWNER_ROLE, Server};
use crate::template::Template;

/// Connection URLs of one database, over TCP. They hold passwords of the test server.
#[derive(Clone, Debug)]
pub struct Urls {
    /// As the superuser.
    pub superuser: String,
    /// As [`OWNER_ROLE`], the owner of the database.
    pub owner: String,
    /// As [`APP_ROLE`].
    pub app: String,
}

impl Urls {
    pub(crate) fn of(server: &Server, database: &str) -> Self {
        Self {
            superuser: server.url(None, database),
            owner: server.url(Some(OWNER_ROLE), database),
            app: server.url(Some(APP_ROLE), database),
        }
    }
}

/// A fresh database, dropped with this value together with all connections to it.
#[derive(Debug)]
pub struct TestDatabase {
    name: String,
    urls: Urls,
}

impl TestDatabase {
    /// An empty database that [`OWNER_ROLE`] owns.
    pub async fn create() -> Self {
        Self::clone_of("template0").await
    }

    /// A copy of a prepared database.
    pub async fn from_template(template: &Template) -> Self {
        Self::clone_of(template.name()).await
    }

    async fn clone_of(template: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("test_{}_{number}", std::process::id());
        let server = Server::get().await;
        let client = server.maintenance().await;
        // A process of the same number may have been killed before it dropped its own.
        let drop = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
        client.batch_execute(&drop).await.expect("an old test database is dropped");
        // Copying files took half the time of writing the copy to the log (8 MB, undurable server).
        let create = format!(
            "CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy OWNER {OWNER_ROLE}"
        );
        client.batch_execute(&create).await.expect("a test database is created");
        Self { urls: Urls::of(server, &name), name }
    }

    /// How to connect.
    #[must_use]
    pub fn urls(&self) -> &Urls {
        &self.urls
    }

    /// The database's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let sql = format!("DROP DATABASE {} WITH (FORCE)", self.name);
        // A thread with a runtime of its own: the test's runtime may be ending, and blocks on us.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                let client = Server::get().await.maintenance().await;
                client.batch_execute(&sql).await.expect("the test database is dropped");
            });
        });
        if dropping.join().is_err() && !std::thread::panicking() {
            panic!("the test database {} could not be dropped", self.name);
        }
    }
}
