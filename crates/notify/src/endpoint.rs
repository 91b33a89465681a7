//! URLs of endpoints: what is refused before anything is connected to.

use std::net::IpAddr;

use url::{Host, Url};

use crate::address::{Guard, Refused};

/// Longest URL, in bytes.
pub const LONGEST: usize = 2048;

/// Why a URL cannot be an endpoint's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// Not an absolute URL (WHATWG), or too long.
    #[error("it is no absolute URL of at most {LONGEST} characters")]
    Form,
    /// Not `https`.
    #[error("only https is delivered to")]
    Scheme,
    /// A user or a password in it.
    #[error("a user or a password in a URL ends in logs: a delivery is known by its signature")]
    Credentials,
    /// A fragment, which is never sent.
    #[error("a fragment (#...) is never sent")]
    Fragment,
    /// A port of a system service that does not speak HTTPS.
    #[error("port {0} belongs to another service: use 443 or one from 1024 on")]
    Port(u16),
    /// An address in it that is refused.
    #[error(transparent)]
    Address(#[from] Refused),
}

/// Reads an endpoint's URL and writes it as it will be requested. The parser of the WHATWG standard
/// turns every notation of an IPv4 address (decimal, octal, hexadecimal, fewer parts) into the usual
/// one, which is then checked like any; a name is checked when it was resolved, at each connect.
///
/// # Errors
/// What is wrong with it.
pub fn parse(text: &str, guard: &Guard) -> Result<Url, UrlError> {
    // The parser would drop tabs and line ends silently: a client that sends them is mistaken.
    if text.len() > LONGEST || text.chars().any(char::is_control) {
        return Err(UrlError::Form);
    }
    let url = Url::parse(text.trim()).map_err(|_| UrlError::Form)?;
    if url.scheme() != "https" {
        return Err(UrlError::Scheme);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(UrlError::Credentials);
    }
    if url.fragment().is_some() {
        return Err(UrlError::Fragment);
    }
    let port = url.port_or_known_default().unwrap_or(0);
    if port != 443 && port < 1024 {
        return Err(UrlError::Port(port));
    }
    if let Some(address) = literal(&url) {
        guard.check(address)?;
    }
    // Percent-encoding may have made it longer.
    if url.as_str().len() > LONGEST { Err(UrlError::Form) } else { Ok(url) }
}

/// The address that stands in a URL instead of a name.
#[must_use]
pub fn literal(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        Host::Ipv4(address) => Some(address.into()),
        Host::Ipv6(address) => Some(address.into()),
        Host::Domain(_) => None,
    }
}
