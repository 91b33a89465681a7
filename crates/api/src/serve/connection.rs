//! One connection: serve it, and close it so that the client sees its last answer.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::response::Response;
use http::Request;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use hyper_util::rt::TokioTimer;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use super::Peer;
use super::guard::Guard;
use super::refusal::Refusal;
use super::wire::Wire;
use crate::config::HttpLimits;

/// What one connection may buffer, in bytes: bounds the head of a request (beyond: 431), and
/// what is read ahead of a body.
const MAX_BUFFER_BYTES: usize = 64 * 1024;

/// Makes and steers connections.
pub(super) struct Connections {
    guard: Arc<Guard>,
    http: Builder,
    /// Longest time for a head to arrive, and for a client to take in the last answer.
    patience: Duration,
    /// Longest time for a client to take in a part of an answer.
    stalled: Duration,
    finish: CancellationToken,
    abort: CancellationToken,
}

impl Connections {
    pub(super) fn new(guard: Arc<Guard>, limits: &HttpLimits) -> Self {
        // At most 100 header fields, hyper's default: setting it would cost an allocation a
        // request.
        let mut http = Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(limits.header_timeout)
            .max_buf_size(MAX_BUFFER_BYTES);
        Self {
            guard,
            http,
            patience: limits.header_timeout,
            stalled: limits.request_timeout,
            finish: CancellationToken::new(),
            abort: CancellationToken::new(),
        }
    }

    /// Idle connections close now, the others after the answer they owe.
    pub(super) fn finish(&self) {
        self.finish.cancel();
    }

    /// All connections end now.
    pub(super) fn abort(&self) {
        self.abort.cancel();
    }

    /// Serves `stream`, whose other end is `peer`, until it is closed.
    pub(super) fn serve(&self, stream: TcpStream, peer: Peer) -> impl Future<Output = ()> + use<> {
        let guard = Arc::clone(&self.guard);
        let http = self.http.clone();
        // Children of their own: a token shared by all connections would be a lock that every
        // one of them takes at every wake-up.
        let (finish, abort) = (self.finish.child_token(), self.abort.child_token());
        let patience = self.patience;
        // Options of a socket that is already gone fail; serving it then ends at once.
        let _ = set_options(&stream, self.stalled);
        async move {
            let closed = async {
                let ended = run(http, guard, (stream, peer), &finish).await;
                // A stopping server closes idle connections by the hundred, and has answered
                // the others; it does not wait for clients that keep their side open.
                if !finish.is_cancelled() {
                    let _ = tokio::time::timeout(patience, ended.say_goodbye()).await;
                }
            };
            tokio::select! {
                biased;
                () = closed => {}
                () = abort.cancelled() => {}
            }
        }
    }
}

fn set_options(stream: &TcpStream, stalled: Duration) -> std::io::Result<()> {
    // Answers are small and complete: waiting to fill a packet only adds latency.
    stream.set_nodelay(true)?;
    // hyper has no timeout for writing. Without this, a client that never reads its answer, or
    // has vanished, keeps the connection and what is buffered for it for ever.
    #[cfg(target_os = "linux")]
    socket2::SockRef::from(stream).set_tcp_user_timeout(Some(stalled))?;
    #[cfg(not(target_os = "linux"))]
    let _ = stalled;
    Ok(())
}

/// A connection on which HTTP has ended.
struct Ended {
    stream: TcpStream,
    /// The request that could not be read, if that is why.
    refused: Option<Refusal>,
}

async fn run(
    http: Builder,
    guard: Arc<Guard>,
    (stream, peer): (TcpStream, Peer),
    finish: &CancellationToken,
) -> Ended {
    let service = service_fn(move |mut request: Request<Incoming>| {
        let guard = Arc::clone(&guard);
        request.extensions_mut().insert(peer);
        async move { Ok::<_, Infallible>(guard.answer(request).await) }
    });
    let mut connection = http.serve_connection(Wire::new(stream), service);
    let outcome = tokio::select! {
        biased;
        outcome = &mut connection => outcome,
        () = finish.cancelled() => {
            Pin::new(&mut connection).graceful_shutdown();
            (&mut connection).await
        }
    };
    let parts = connection.into_parts();
    let (stream, refused) = parts.io.into_parts();
    // Of a head that did not arrive in time hyper only reports the error. Without a byte of a
    // head it was just an idle connection.
    let too_slow = outcome.is_err_and(|error| error.is_timeout()) && !parts.read_buf.is_empty();
    let refused = refused.map(Refusal::of_head);
    Ended { stream, refused: if too_slow { Some(Refusal::TooSlow) } else { refused } }
}

impl Ended {
    /// Writes the refusal, if there is one, and reads what the client still sends until it
    /// has closed its side. Closing a socket with unread bytes in it resets the connection,
    /// and the reset can overtake the answer: the client would never see its 413.
    async fn say_goodbye(mut self) -> std::io::Result<()> {
        if let Some(refusal) = self.refused {
            let answer = raw(refusal.answer()).await;
            self.stream.write_all(&answer).await?;
        }
        self.stream.shutdown().await?;
        let mut discarded = vec![0; 16 * 1024];
        loop {
            self.stream.readable().await?;
            match self.stream.try_read(&mut discarded) {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// An answer that is complete in memory, as bytes of HTTP/1.1.
async fn raw(answer: Response) -> Vec<u8> {
    let (head, body) = answer.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let mut bytes =
        format!("HTTP/1.1 {}\r\ncontent-length: {}\r\n", head.status, body.len()).into_bytes();
    for (name, value) in &head.headers {
        bytes.extend_from_slice(name.as_str().as_bytes());
        bytes.extend_from_slice(b": ");
        bytes.extend_from_slice(value.as_bytes());
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(&body);
    bytes
}
