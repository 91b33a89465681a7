//! The kinds of value a variable can have: what is accepted, and how it is read.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use deed_api::Secret;
use deed_store::Signer;
use ipnet::IpNet;

/// Fewest bytes of `API_KEY_SECRET`: the strength of HMAC-SHA-256.
const MIN_PEPPER_BYTES: usize = 32;
const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// What a variable holds.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// A PostgreSQL connection string; secret, because it holds a password.
    DatabaseUrl,
    /// An Ed25519 private key; secret.
    SigningKey,
    /// Key of an HMAC; secret.
    Pepper,
    /// An absolute http or https URL.
    HttpUrl,
    /// An address to listen on.
    Address,
    /// Addresses with ports, separated by commas.
    Addresses,
    /// Networks in CIDR notation, separated by commas.
    Networks,
    /// A PostgreSQL role.
    Role,
    /// A path.
    Path,
    /// A number within bounds, both included.
    Count(usize, usize),
    /// A duration within bounds, both included.
    Duration(Duration, Duration),
    /// A number of bytes within bounds, both included.
    Size(usize, usize),
    /// A name of letters, digits, dots, dashes and underscores, up to so many bytes.
    Token(usize),
    /// The beginning of keys: empty, or names with a slash behind each.
    Prefix,
    /// A text that proves who one is; secret.
    Credential,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A level, or levels by module.
    LogLevel,
}

/// A value that was read and is within its bounds.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    Secret(Secret),
    Text(String),
    Address(SocketAddr),
    Addresses(Vec<SocketAddr>),
    Networks(Vec<IpNet>),
    Path(PathBuf),
    Count(usize),
    Duration(Duration),
}

impl Kind {
    /// Whether a value must never be shown.
    pub(crate) fn is_secret(self) -> bool {
        matches!(self, Self::DatabaseUrl | Self::SigningKey | Self::Pepper | Self::Credential)
    }

    /// What is accepted, as the end of a sentence "it must be ...".
    pub(crate) fn accepts(self) -> String {
        match self {
            Self::DatabaseUrl => {
                "a PostgreSQL URL like postgres://role:password@host:5432/database, \
                                  or key-value pairs like host=db user=deed_app dbname=deed"
                    .to_owned()
            }
            Self::SigningKey => "an Ed25519 private key in PKCS#8, as PEM or as base64 of its DER \
                                 (`deed keys generate` makes one)"
                .to_owned(),
            Self::Pepper => format!(
                "base64 of at least {MIN_PEPPER_BYTES} random bytes (`deed keys generate` makes them)"
            ),
            Self::HttpUrl => "an absolute URL like https://deed.example.org, without query, \
                              fragment or final slash"
                .to_owned(),
            Self::Address => "an IP address and a port like 127.0.0.1:8420 or [::]:8420; port 0 \
                              takes a free one"
                .to_owned(),
            Self::Addresses => "IP addresses with ports like 10.0.0.53:53,[fd00::53]:53, \
                                separated by commas"
                .to_owned(),
            Self::Networks => "networks in CIDR notation like 10.1.0.0/16,fd00:1::/32, separated \
                               by commas, without bits beyond the prefix"
                .to_owned(),
            Self::Role => "the name of a PostgreSQL role, 1 to 63 bytes".to_owned(),
            Self::Path => "a path".to_owned(),
            Self::Count(min, max) => format!("a whole number from {min} to {max}"),
            Self::Duration(min, max) => format!(
                "a duration from {} to {}, with its unit: ms, s or m",
                show_duration(min),
                show_duration(max)
            ),
            Self::Size(min, max) => format!(
                "a size from {} to {}: bytes, or with the unit KiB or MiB",
                show_size(min),
                show_size(max)
            ),
            Self::Token(most) => {
                format!("1 to {most} letters, digits, dots, dashes and underscores")
            }
            Self::Prefix => "empty, or names with a slash behind each, like deed/".to_owned(),
            Self::Credential => "1 to 1024 visible ASCII characters".to_owned(),
            Self::Choice(words) => words.join(" or "),
            Self::LogLevel => format!(
                "one of {}, or levels by module like info,deed_api=debug",
                LEVELS.join(", ")
            ),
        }
    }

    /// Reads a value; `None` when it is not accepted.
    pub(crate) fn read(self, text: &str) -> Option<Value> {
        match self {
            Self::DatabaseUrl => {
                let is_url = ["postgres://", "postgresql://"].iter().any(|s| text.starts_with(s));
                (is_url || text.contains('=')).then(|| secret(text))
            }
            Self::SigningKey => Signer::from_pkcs8_text(text).ok().map(|_| secret(text)),
            Self::Pepper => {
                let bytes = base64::engine::general_purpose::STANDARD.decode(text).ok()?;
                (bytes.len() >= MIN_PEPPER_BYTES).then_some(Value::Secret(Secret(bytes)))
            }
            Self::HttpUrl => is_http_url(text).then(|| Value::Text(text.to_owned())),
            Self::Address => text.parse().ok().map(Value::Address),
            Self::Addresses => list(text).map(Value::Addresses),
            Self::Networks => {
                let networks = list::<IpNet>(text)?;
                // 10.1.2.3/8 opens more than whoever wrote it may mean.
                let exact = networks.iter().all(|network| *network == network.trunc());
                exact.then_some(Value::Networks(networks))
            }
            Self::Role => (1..=63).contains(&text.len()).then(|| Value::Text(text.to_owned())),
            Self::Path => (!text.is_empty()).then(|| Value::Path(text.into())),
            Self::Count(min, max) => {
                read_digits(text).filter(|n| (min..=max).contains(n)).map(Value::Count)
            }
            Self::Duration(min, max) => {
                read_duration(text).filter(|d| (min..=max).contains(d)).map(Value::Duration)
            }
            Self::Size(min, max) => {
                read_size(text).filter(|n| (min..=max).contains(n)).map(Value::Count)
            }
            Self::Token(most) => {
                (text.len() <= most && is_token(text)).then(|| Value::Text(text.to_owned()))
            }
            Self::Prefix => is_prefix(text).then(|| Value::Text(text.to_owned())),
            Self::Credential => {
                let plain = text.bytes().all(|byte| byte.is_ascii_graphic());
                (plain && (1..=1024).contains(&text.len())).then(|| secret(text))
            }
            Self::Choice(words) => words.contains(&text).then(|| Value::Text(text.to_owned())),
            Self::LogLevel => is_log_level(text).then(|| Value::Text(text.to_owned())),
        }
    }
}

fn secret(text: &str) -> Value {
    Value::Secret(Secret(text.as_bytes().to_vec()))
}

/// What commas separate; at least one.
fn list<T: std::str::FromStr>(text: &str) -> Option<Vec<T>> {
    text.split(',').map(|part| part.trim().parse().ok()).collect()
}

fn is_token(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    !text.is_empty() && text.bytes().all(fits)
}

/// Names that mean the same in a URL and in a path: none is `.` or `..`.
fn is_prefix(text: &str) -> bool {
    let fits = |name: &str| is_token(name) && !name.trim_matches('.').is_empty();
    text.is_empty()
        || text.len() <= 512 && text.strip_suffix('/').is_some_and(|all| all.split('/').all(fits))
}

/// Digits only: `parse` alone would also take a plus sign.
fn read_digits(text: &str) -> Option<usize> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

fn read_duration(text: &str) -> Option<Duration> {
    let unit = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(unit);
    let number = u64::try_from(read_digits(number)?).ok()?;
    match unit {
        "ms" => Some(Duration::from_millis(number)),
        "s" => Some(Duration::from_secs(number)),
        "m" => number.checked_mul(60).map(Duration::from_secs),
        _ => None,
    }
}

fn read_size(text: &str) -> Option<usize> {
    for (unit, bytes) in [("KiB", 1024), ("MiB", 1024 * 1024)] {
        if let Some(number) = text.strip_suffix(unit) {
            return read_digits(number)?.checked_mul(bytes);
        }
    }
    read_digits(text)
}

fn show_duration(duration: Duration) -> String {
    match duration.as_millis() {
        ms if ms % 1000 != 0 => format!("{ms}ms"),
        ms if ms % 60_000 != 0 || ms == 0 => format!("{}s", ms / 1000),
        ms => format!("{}m", ms / 60_000),
    }
}

fn show_size(bytes: usize) -> String {
    match bytes {
        b if b % (1024 * 1024) == 0 => format!("{}MiB", b / (1024 * 1024)),
        b if b % 1024 == 0 => format!("{}KiB", b / 1024),
        b => b.to_string(),
    }
}

/// The issuer goes into every signature and is compared byte by byte, so one spelling only.
fn is_http_url(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let Ok(uri) = text.parse::<http::Uri>() else { return false };
    rest.is_some()
        && uri.host().is_some_and(|host| !host.is_empty())
        && uri.query().is_none()
        && !text.contains(['#', '@'])
        && !text.ends_with('/')
}

/// Stricter than the filter that takes it, to which a misspelt level is the name of a module.
fn is_log_level(text: &str) -> bool {
    text.split(',').all(|part| {
        let (module, level) = part.split_once('=').unwrap_or(("deed", part));
        let is_path = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
        !module.is_empty() && module.chars().all(is_path) && LEVELS.contains(&level)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_sizes_need_their_unit_and_bounds() {
        let kind = Kind::Duration(Duration::from_millis(10), Duration::from_secs(120));
        for (text, milliseconds) in [("10ms", 10), ("500ms", 500), ("10s", 10_000), ("2m", 120_000)]
        {
            match kind.read(text) {
                Some(Value::Duration(d)) => assert_eq!(d, Duration::from_millis(milliseconds)),
                other => panic!("{text}: {other:?}"),
            }
        }
        for text in [
            "",
            "10",
            "s",
            "-1s",
            "+1s",
            "1.5s",
            "9ms",
            "3m",
            "10 s",
            "1h",
            "99999999999999999999s",
        ] {
            assert!(kind.read(text).is_none(), "{text}");
        }
        let kind = Kind::Size(1024, 64 * 1024 * 1024);
        for (text, bytes) in [("1024", 1024), ("64KiB", 65_536), ("1MiB", 1_048_576)] {
            assert!(matches!(kind.read(text), Some(Value::Count(n)) if n == bytes), "{text}");
        }
        for text in ["", "1023", "65MiB", "1MB", "1 MiB", "-1KiB", "99999999999999999999MiB"] {
            assert!(kind.read(text).is_none(), "{text}");
        }
    }

    #[test]
    fn urls_have_one_spelling() {
        for text in
            ["http://127.0.0.1:8420", "https://deed.example.org", "https://example.org/deed"]
        {
            assert!(Kind::HttpUrl.read(text).is_some(), "{text}");
        }
        for text in [
            "",
            "deed.example.org",
            "ftp://example.org",
            "https://",
            "https://example.org/",
            "https://example.org?x=1",
            "https://example.org#x",
            "https://user:pw@example.org",
            "https://exam ple.org",
        ] {
            assert!(Kind::HttpUrl.read(text).is_none(), "{text}");
        }
    }

    #[test]
    fn networks_and_addresses_are_exact() {
        let networks = Kind::Networks.read("10.1.0.0/16, fd00:1::/32");
        assert!(matches!(networks, Some(Value::Networks(all)) if all.len() == 2));
        for text in ["", "10.1.0.0", "10.1.2.3/8", "10.0.0.0/33", "10.0.0.0/8,", "localhost/8"] {
            assert!(Kind::Networks.read(text).is_none(), "{text}");
        }
        let addresses = Kind::Addresses.read("127.0.0.1:53,[::1]:5353");
        assert!(matches!(addresses, Some(Value::Addresses(all)) if all.len() == 2));
        for text in ["", "127.0.0.1", "dns.example.org:53", "127.0.0.1:53,"] {
            assert!(Kind::Addresses.read(text).is_none(), "{text}");
        }
    }

    #[test]
    fn prefixes_and_names_need_no_encoding() {
        for text in ["", "deed/", "a/b-c/d.e_f/"] {
            assert!(Kind::Prefix.read(text).is_some(), "{text}");
        }
        for text in ["/", "deed", "/deed/", "a//b/", "../", "a/./", "a b/", "ä/"] {
            assert!(Kind::Prefix.read(text).is_none(), "{text}");
        }
        assert!(Kind::Token(3).read("a.b").is_some());
        for text in ["", "abcd", "a/b"] {
            assert!(Kind::Token(3).read(text).is_none(), "{text}");
        }
        assert!(Kind::Credential.read("two words").is_none());
    }

    #[test]
    fn log_levels_are_not_module_names() {
        for text in ["info", "warn,deed_api=debug", "off,deed_store::append=trace"] {
            assert!(Kind::LogLevel.read(text).is_some(), "{text}");
        }
        for text in ["", "inof", "INFO", "info,", "deed_api=loud", "=info", "a b=info"] {
            assert!(Kind::LogLevel.read(text).is_none(), "{text}");
        }
    }

    #[test]
    fn secrets_are_checked() {
        assert!(Kind::Pepper.read(&"A".repeat(40)).is_none());
        assert!(Kind::Pepper.read(&"A".repeat(44)).is_some());
        assert!(Kind::Pepper.read("not base64").is_none());
        assert!(Kind::SigningKey.read("AAAA").is_none());
        assert!(Kind::DatabaseUrl.read("localhost").is_none());
        assert!(Kind::DatabaseUrl.read("postgres://a:b@c/d").is_some());
    }
}
