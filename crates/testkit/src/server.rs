//! The server of this test run and its roles.

use sha2::{Digest, Sha256};
use tokio::sync::OnceCell;
use tokio_postgres::{Client, Config, NoTls};

use crate::shared;

/// The variable that names a server to use: the URL of a superuser.
pub const DATABASE_URL_VARIABLE: &str = "DEED_TEST_DATABASE_URL";

/// The role that owns the databases and their schemas.
pub const OWNER_ROLE: &str = "deed_owner";

/// The role of the application, with no rights of its own.
pub const APP_ROLE: &str = "deed_app";

/// Advisory lock of the maintenance database for what concerns the whole server.
const ROLES_LOCK: i64 = 0x0DEE_D7E5;

/// A server whose roles are there.
pub(crate) struct Server {
    config: Config,
    superuser_url: String,
}

static SERVER: OnceCell<Server> = OnceCell::const_new();

impl Server {
    /// The server of this process's tests, started or found on first use.
    pub(crate) async fn get() -> &'static Self {
        SERVER.get_or_init(Self::prepare).await
    }

    async fn prepare() -> Self {
        let superuser_url = match std::env::var(DATABASE_URL_VARIABLE) {
            Ok(url) => url,
            Err(_) => shared::acquire().await,
        };
        let config = superuser_url
            .parse()
            .unwrap_or_else(|e| panic!("{DATABASE_URL_VARIABLE} is no PostgreSQL URL: {e}"));
        let server = Self { config, superuser_url };
        server.ensure_roles().await;
        server
    }

    /// Creates the two roles; every process sets the same passwords.
    async fn ensure_roles(&self) {
        let client = self.maintenance().await;
        let mut sql = format!("BEGIN; SELECT pg_advisory_xact_lock({ROLES_LOCK});");
        for role in [OWNER_ROLE, APP_ROLE] {
            let password = self.password(role);
            sql += &format!(
                "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}') \
                 THEN CREATE ROLE {role}; END IF; END $$;\
                 ALTER ROLE {role} LOGIN PASSWORD '{password}';"
            );
        }
        sql += "COMMIT";
        client.batch_execute(&sql).await.expect("the roles are created");
    }

    /// A superuser's connection to the maintenance database.
    pub(crate) async fn maintenance(&self) -> Client {
        let (client, connection) =
            self.config.connect(NoTls).await.expect("the test server takes a connection");
        tokio::spawn(connection);
        client
    }

    /// The URL of one of the roles, or of the superuser for `None`, for a database.
    pub(crate) fn url(&self, role: Option<&str>, database: &str) -> String {
        let (scheme, rest) = self.superuser_url.split_once("://").expect("a URL with a scheme");
        let (credentials, address) = rest.rsplit_once('@').expect("a URL with credentials");
        let (host, old) = address.split_once('/').unwrap_or((address, ""));
        let parameters = old.split_once('?').map(|(_, p)| format!("?{p}")).unwrap_or_default();
        let credentials = role.map_or_else(
            || credentials.to_owned(),
            |role| format!("{role}:{}", self.password(role)),
        );
        format!("{scheme}://{credentials}@{host}/{database}{parameters}")
    }

    /// A role's password: derived from the superuser's, so that all processes agree on it.
    fn password(&self, role: &str) -> String {
        let secret = self.config.get_password().unwrap_or_default();
        hex::encode(Sha256::new().chain_update(secret).chain_update(role).finalize())
    }
}
