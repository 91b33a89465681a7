//! Connection strings.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// The bootstrap superuser's role name.
pub const SUPERUSER: &str = "deed_superuser";

/// How to reach a running cluster: a Unix socket and a TCP port of 127.0.0.1.
///
/// Both ask for the role's password (SCRAM-SHA-256). `Debug` does not show it.
#[derive(Clone)]
pub struct Endpoint {
    pub(crate) socket_dir: PathBuf,
    pub(crate) port: u16,
    pub(crate) superuser_password: String,
}

impl Endpoint {
    /// The TCP port on 127.0.0.1; it is also part of the socket's name.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The folder of the Unix socket; only the account that runs PostgreSQL (and root) can enter.
    #[must_use]
    pub fn socket_dir(&self) -> &Path {
        &self.socket_dir
    }

    /// A connection URL over TCP, as tokio-postgres and libpq read it. It holds the password.
    #[must_use]
    pub fn tcp_url(&self, role: &str, password: &str, database: &str) -> String {
        self.url("127.0.0.1", role, password, database)
    }

    /// A connection URL over the Unix socket, as tokio-postgres and libpq read it. It holds the
    /// password.
    #[must_use]
    pub fn socket_url(&self, role: &str, password: &str, database: &str) -> String {
        self.url(&percent_encode(&self.socket_dir.to_string_lossy()), role, password, database)
    }

    /// [`Endpoint::tcp_url`] of the superuser [`SUPERUSER`].
    #[must_use]
    pub fn superuser_tcp_url(&self, database: &str) -> String {
        self.tcp_url(SUPERUSER, &self.superuser_password, database)
    }

    /// [`Endpoint::socket_url`] of the superuser [`SUPERUSER`].
    #[must_use]
    pub fn superuser_socket_url(&self, database: &str) -> String {
        self.socket_url(SUPERUSER, &self.superuser_password, database)
    }

    fn url(&self, host: &str, role: &str, password: &str, database: &str) -> String {
        format!(
            "postgresql://{}:{}@{host}:{}/{}",
            percent_encode(role),
            percent_encode(password),
            self.port,
            percent_encode(database)
        )
    }
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Endpoint")
            .field("socket_dir", &self.socket_dir)
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

/// RFC 3986, section 2.1: everything but the unreserved characters of section 2.3.
fn percent_encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::Endpoint;

    #[test]
    fn urls_escape_what_would_break_them_and_debug_hides_the_password() {
        let endpoint = Endpoint {
            socket_dir: "/tmp/a b".into(),
            port: 5433,
            superuser_password: "geheim".into(),
        };
        assert_eq!(
            endpoint.tcp_url("o", "p@/:", "d"),
            "postgresql://o:p%40%2F%3A@127.0.0.1:5433/d"
        );
        assert_eq!(endpoint.socket_url("o", "p", "d"), "postgresql://o:p@%2Ftmp%2Fa%20b:5433/d");
        assert!(endpoint.superuser_tcp_url("d").contains("geheim"));
        assert!(!format!("{endpoint:?}").contains("geheim"));
    }
}
