//! A client with one keep-alive connection, for setting up, checking and the crash suite.
//!
//! It never repeats a request by itself: after a broken connection only the caller may decide whether
//! the request was carried out.

use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::response::ResponseReader;

/// One request as it goes to the wire.
#[derive(Debug, Clone)]
pub(crate) struct Request<'a> {
    /// `GET` or `POST`.
    pub(crate) method: &'static str,
    /// Path and query.
    pub(crate) path: &'a str,
    /// Value of `Idempotency-Key`.
    pub(crate) key: Option<&'a str>,
    /// JSON body.
    pub(crate) body: Option<&'a [u8]>,
}

impl<'a> Request<'a> {
    /// A `GET` of `path`.
    pub(crate) fn get(path: &'a str) -> Self {
        Self { method: "GET", path, key: None, body: None }
    }

    /// A `POST` of a JSON body to `path`.
    pub(crate) fn post(path: &'a str, key: Option<&'a str>, body: &'a [u8]) -> Self {
        Self { method: "POST", path, key, body: Some(body) }
    }

    /// The request's bytes. `bearer` is a secret: the result must not be printed.
    pub(crate) fn to_bytes(&self, host: SocketAddr, bearer: &str) -> Vec<u8> {
        use std::io::Write as _;
        let mut wire = Vec::with_capacity(256 + self.body.map_or(0, <[u8]>::len));
        let mut head = || -> std::io::Result<()> {
            write!(wire, "{} {} HTTP/1.1\r\nhost: {host}\r\n", self.method, self.path)?;
            if !bearer.is_empty() {
                write!(wire, "authorization: Bearer {bearer}\r\n")?;
            }
            if let Some(key) = self.key {
                write!(wire, "idempotency-key: {key}\r\n")?;
            }
            if let Some(body) = self.body {
                write!(wire, "content-type: application/json\r\n")?;
                write!(wire, "content-length: {}\r\n", body.len())?;
            }
            write!(wire, "\r\n")
        };
        head().expect("a Vec takes every write");
        wire.extend_from_slice(self.body.unwrap_or_default());
        wire
    }
}

/// A whole answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reply {
    /// Status code.
    pub(crate) status: u16,
    /// Body, byte for byte.
    pub(crate) body: Vec<u8>,
}

impl Reply {
    /// The body as JSON.
    pub(crate) fn json(&self) -> Result<Value> {
        serde_json::from_slice(&self.body)
            .with_context(|| format!("answer {} is not JSON: {}", self.status, self.excerpt()))
    }

    /// The body as JSON, provided that the status is `expected`.
    pub(crate) fn expect(&self, expected: u16) -> Result<Value> {
        ensure!(
            self.status == expected,
            "expected {expected}, got {}: {}",
            self.status,
            self.excerpt()
        );
        self.json()
    }

    /// The first 300 characters of the body.
    pub(crate) fn excerpt(&self) -> String {
        String::from_utf8_lossy(&self.body).chars().take(300).collect()
    }
}

/// What happened to a request that got no answer.
#[derive(Debug)]
pub(crate) enum TransportError {
    /// The request did not leave: nothing was carried out.
    NotSent(std::io::Error),
    /// The request, or a part of it, left: whether it was carried out is unknown.
    NoAnswer(anyhow::Error),
}

impl std::fmt::Display for TransportError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotSent(error) => write!(f, "not sent: {error}"),
            Self::NoAnswer(error) => write!(f, "sent, but no answer: {error:#}"),
        }
    }
}

impl std::error::Error for TransportError {}

/// A client of one server with one API key.
#[derive(Debug)]
pub(crate) struct Client {
    address: SocketAddr,
    bearer: Secret,
    connection: Option<Connection>,
}

/// A bearer token that `Debug` does not show.
#[derive(Clone)]
struct Secret(String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    reader: ResponseReader,
}

impl Client {
    /// A client that connects at its first request. An empty `bearer` sends no authorization.
    pub(crate) fn new(address: SocketAddr, bearer: &str) -> Self {
        Self { address, bearer: Secret(bearer.to_owned()), connection: None }
    }

    /// Sends one request and reads its answer.
    ///
    /// # Errors
    /// [`TransportError`] when no whole answer came; the connection is then dropped.
    pub(crate) async fn send(&mut self, request: &Request<'_>) -> Result<Reply, TransportError> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => Connection::open(self.address).await.map_err(TransportError::NotSent)?,
        };
        let wire = request.to_bytes(self.address, &self.bearer.0);
        let (reply, closes) = connection.exchange(&wire).await.map_err(TransportError::NoAnswer)?;
        if !closes {
            self.connection = Some(connection);
        }
        Ok(reply)
    }

    /// `GET`, expecting status 200 and JSON.
    pub(crate) async fn get_json(&mut self, path: &str) -> Result<Value> {
        let reply = self.send(&Request::get(path)).await.with_context(|| format!("GET {path}"))?;
        reply.expect(200).with_context(|| format!("GET {path}"))
    }

    /// `POST` of JSON, expecting status 201 and JSON.
    pub(crate) async fn create(&mut self, path: &str, body: &Value) -> Result<Value> {
        let bytes = serde_json::to_vec(body)?;
        let request = Request::post(path, None, &bytes);
        let reply = self.send(&request).await.with_context(|| format!("POST {path}"))?;
        reply.expect(201).with_context(|| format!("POST {path}"))
    }
}

impl Connection {
    async fn open(address: SocketAddr) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, reader: ResponseReader::default() })
    }

    async fn exchange(&mut self, wire: &[u8]) -> Result<(Reply, bool)> {
        self.stream.write_all(wire).await.context("writing the request")?;
        let mut chunk = vec![0; 16 * 1024];
        loop {
            let count = self.stream.read(&mut chunk).await.context("reading the answer")?;
            ensure!(count > 0, "connection closed before the answer was whole");
            self.reader.push(&chunk[..count]);
            if let Some(response) = self.reader.complete()? {
                let body = self.reader.body(&response).to_vec();
                self.reader.consume(&response);
                return Ok((Reply { status: response.status, body }, response.closes));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_bytes_are_http() {
        let host = SocketAddr::from(([127, 0, 0, 1], 80));
        let wire = Request::post("/v1/x", Some("k1"), b"{}").to_bytes(host, "secret");
        assert_eq!(
            String::from_utf8_lossy(&wire),
            "POST /v1/x HTTP/1.1\r\nhost: 127.0.0.1:80\r\nauthorization: Bearer secret\r\n\
             idempotency-key: k1\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
        );
        let wire = Request::get("/livez").to_bytes(host, "");
        assert_eq!(
            String::from_utf8_lossy(&wire),
            "GET /livez HTTP/1.1\r\nhost: 127.0.0.1:80\r\n\r\n"
        );
    }

    #[test]
    fn the_bearer_is_not_shown_in_debug() {
        let client = Client::new(SocketAddr::from(([127, 0, 0, 1], 80)), "deed_agt_hidden");
        assert!(!format!("{client:?}").contains("hidden"));
    }
}
