//! A database and its two roles, on a server that belongs to us alone.

use crate::config::StoreConfig;
use crate::error::Error;
use crate::pool;

/// A role that logs in with a password.
pub struct Login<'a> {
    /// Name of the role.
    pub role: &'a str,
    /// Its password.
    pub password: &'a str,
}

/// What to create on a server, or to bring to this state.
pub struct Provision<'a> {
    /// Connection of a superuser, to any database.
    pub superuser: &'a StoreConfig,
    /// Name of the database.
    pub database: &'a str,
    /// Owner of the database and its tables.
    pub owner: Login<'a>,
    /// Role of the API and worker processes, which gets its rights from the migrations.
    pub app: Login<'a>,
}

/// Creates the roles and the database that are missing, and sets the passwords. Safe to repeat,
/// and after a kill; not meant for two at once, which a server of our own does not see.
///
/// # Errors
/// [`Error::Unavailable`] when the server cannot be reached, [`Error::Database`] when it refuses.
pub async fn provision(plan: &Provision<'_>) -> Result<(), Error> {
    let client = pool::connect_one(plan.superuser).await?;
    // Passwords are part of these statements; the log of the server is no place for them.
    client
        .batch_execute("SET log_statement = 'none'; SET log_min_error_statement = 'panic'")
        .await?;
    for login in [&plan.owner, &plan.app] {
        let (role, password) = (login.role, login.password);
        let exists = "SELECT FROM pg_roles WHERE rolname = $1";
        let verb = match client.query_opt(exists, &[&role]).await? {
            Some(_) => "ALTER",
            None => "CREATE",
        };
        let format = "SELECT format($1::text || ' ROLE %I LOGIN PASSWORD %L', $2::text, $3::text)";
        let statement: String = client.query_one(format, &[&verb, &role, &password]).await?.get(0);
        client.batch_execute(&statement).await?;
    }
    let exists = "SELECT FROM pg_database WHERE datname = $1";
    if client.query_opt(exists, &[&plan.database]).await?.is_none() {
        let format = "SELECT format('CREATE DATABASE %I OWNER %I', $1::text, $2::text)";
        let row = client.query_one(format, &[&plan.database, &plan.owner.role]).await?;
        client.batch_execute(row.get(0)).await?;
    }
    Ok(())
}
