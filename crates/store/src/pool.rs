//! Connections: several hosts, only ones that take writes, TLS, keepalives, session settings.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{
    Manager, ManagerConfig, Pool, QueueMode, RecyclingMethod, Runtime, Timeouts,
};
use tokio_postgres::config::TargetSessionAttrs;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::config::StoreConfig;
use crate::error::Error;

/// Oldest PostgreSQL that is served, as `server_version_num`.
const OLDEST_SERVER: i32 = 170_000;

/// Statements are short, prepared and run again and again: they are neither planned anew for each
/// execution nor compiled. A plan is kept that was made while the tables may have been empty, when
/// reading all of one seems cheapest; so rows are looked up one by one through an index wherever
/// there is one, however small the table was.
const PLANS: &str = "-c plan_cache_mode=force_generic_plan -c jit=off -c enable_seqscan=off \
    -c enable_hashjoin=off -c enable_mergejoin=off";
/// The append path reads the head in a statement of its own after the lock: it must see what was
/// committed while it waited, whatever the role's or the database's default is.
const ISOLATION: &str = "-c default_transaction_isolation=read\\ committed";

/// Makes the pool; connections are opened when they are needed.
pub(crate) fn connect(config: &StoreConfig) -> Result<Pool, Error> {
    let session = session(config)?;
    let attempt = connect_deadline(config, &session);
    let manager = Manager::from_config(
        session,
        tls(config.tls_ca_file.as_deref())?,
        ManagerConfig { recycling_method: RecyclingMethod::Fast },
    );
    let pool = Pool::builder(manager)
        .max_size(config.pool_size)
        .runtime(Runtime::Tokio1)
        // The last one used first: few warm backends instead of many that take turns.
        .queue_mode(QueueMode::Lifo)
        .timeouts(Timeouts {
            wait: Some(config.acquire_timeout),
            create: Some(attempt),
            recycle: Some(config.connect_timeout),
        })
        .build()
        .map_err(|e| Error::Unfit(e.to_string()))?;
    Ok(pool)
}

/// One connection outside the pool, for migrations.
pub(crate) async fn connect_one(config: &StoreConfig) -> Result<tokio_postgres::Client, Error> {
    let tls = tls(config.tls_ca_file.as_deref())?;
    let session = session(config)?;
    let deadline = connect_deadline(config, &session);
    let connecting = tokio::time::timeout(deadline, session.connect(tls)).await;
    let (client, connection) = connecting
        .map_err(|_| Error::Unavailable("no host answered in time".to_owned()))?
        .map_err(unreachable)?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a database connection ended");
        }
    });
    Ok(client)
}

/// Each host in turn has `connect_timeout`, so one that does not answer leaves time for the next.
fn connect_deadline(config: &StoreConfig, session: &tokio_postgres::Config) -> Duration {
    let hosts = session.get_hosts().len().max(session.get_hostaddrs().len()).max(1);
    config.connect_timeout * u32::try_from(hosts + 1).unwrap_or(u32::MAX)
}

/// A failed connect with its cause, which the driver's own message leaves out.
fn unreachable(e: tokio_postgres::Error) -> Error {
    let cause = std::error::Error::source(&e).map(|s| format!(": {s}")).unwrap_or_default();
    Error::Unavailable(format!("{e}{cause}"))
}

/// Refuses a server that is too old, with its version in the message (S11).
pub(crate) async fn check_server(client: &tokio_postgres::Client) -> Result<(), Error> {
    let row = client
        .query_one(
            "SELECT current_setting('server_version_num')::int, current_setting('server_version')",
            &[],
        )
        .await?;
    let (number, name): (i32, String) = (row.get(0), row.get(1));
    if number < OLDEST_SERVER {
        return Err(Error::Unfit(format!(
            "the database is PostgreSQL {name}; Deed needs PostgreSQL 17 or later"
        )));
    }
    Ok(())
}

fn session(config: &StoreConfig) -> Result<tokio_postgres::Config, Error> {
    // The parser's own message names the key that is wrong, never a value.
    let mut session = tokio_postgres::Config::from_str(&config.url)
        .map_err(|e| Error::Unfit(format!("the database URL cannot be read: {e}")))?;
    session
        .application_name(&config.application_name)
        .target_session_attrs(TargetSessionAttrs::ReadWrite)
        .connect_timeout(config.connect_timeout)
        .keepalives(true)
        .keepalives_idle(Duration::from_secs(10))
        .keepalives_interval(Duration::from_secs(3))
        .keepalives_retries(3)
        .tcp_user_timeout(Duration::from_secs(20))
        .options(format!(
            "-c lock_timeout={} -c idle_in_transaction_session_timeout={} -c timezone=UTC {PLANS} {ISOLATION}",
            config.lock_timeout.as_millis(),
            config.transaction_deadline.as_millis() * 2,
        ));
    Ok(session)
}

fn tls(ca_file: Option<&str>) -> Result<MakeRustlsConnect, Error> {
    let mut roots = rustls::RootCertStore::empty();
    if let Some(path) = ca_file {
        let pem = std::fs::read(path)
            .map_err(|e| Error::Unfit(format!("DATABASE_TLS_CA_FILE {path}: {e}")))?;
        use rustls::pki_types::pem::PemObject as _;
        for certificate in rustls::pki_types::CertificateDer::pem_slice_iter(&pem) {
            let added = certificate
                .map_err(|e| e.to_string())
                .and_then(|c| roots.add(c).map_err(|e| e.to_string()));
            added.map_err(|e| Error::Unfit(format!("DATABASE_TLS_CA_FILE {path}: {e}")))?;
        }
    } else {
        // A machine without certificates can still reach a database over a socket.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let client = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| Error::Unfit(e.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(client))
}
