//! The HTTP server's own limits, on a plain router.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Router;
use axum::body::Bytes;
use axum::routing::{get, post};
use deed_api::HttpLimits;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc};

use crate::socket::{LONG, SHORT, Server, assert_problem, limits, one_answer, rest};

fn echo() -> Router {
    Router::new()
        .route("/", get(async || "hello"))
        .route("/echo", post(async |body: Bytes| body))
        .route("/panic", get(async || -> &'static str { panic!("as asked") }))
}

#[tokio::test]
async fn answers_several_requests_on_one_connection() {
    let server = Server::start(echo(), limits()).await;
    let mut stream = server.connect().await;
    for _ in 0..3 {
        stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        assert!(one_answer(&mut stream).await.ends_with("hello"));
    }
    let body = "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\ndata";
    stream.write_all(body.as_bytes()).await.unwrap();
    assert!(one_answer(&mut stream).await.ends_with("data"));
}

#[tokio::test]
async fn huge_headers_are_431() {
    let server = Server::start(echo(), limits()).await;
    for size in [40_000, 80_000, 1_000_000, 20_000_000] {
        let request = format!("GET / HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "a".repeat(size));
        assert_problem(&server.exchange(request.as_bytes()).await, 431);
    }
    let many: String = (0..200).map(|n| format!("X-{n}: 1\r\n")).collect();
    let request = format!("GET / HTTP/1.1\r\nHost: x\r\n{many}\r\n");
    assert_problem(&server.exchange(request.as_bytes()).await, 431);
}

#[tokio::test]
async fn malformed_heads_are_400() {
    let server = Server::start(echo(), limits()).await;
    for request in [
        &b"\x16\x03\x01\x02\x00 this is TLS\r\n\r\n"[..],
        b"GET / HTTP/1.1\r\nHost: x\r\nbad header\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX: a\x00b\r\n\r\n",
        b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    ] {
        assert_problem(&server.exchange(request).await, 400);
    }
}

#[tokio::test]
async fn a_head_that_never_ends_is_408() {
    let server = Server::start(echo(), HttpLimits { header_timeout: SHORT, ..limits() }).await;
    assert_problem(&server.exchange(b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ").await, 408);
}

#[tokio::test]
async fn an_idle_connection_is_closed_without_an_answer() {
    let server = Server::start(echo(), HttpLimits { header_timeout: SHORT, ..limits() }).await;
    assert_eq!(server.exchange(b"").await, "");
}

#[tokio::test]
async fn a_body_that_never_ends_is_408() {
    let server = Server::start(echo(), HttpLimits { request_timeout: SHORT, ..limits() }).await;
    for head in ["Content-Length: 10\r\n\r\nabc", "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"]
    {
        let request = format!("POST /echo HTTP/1.1\r\nHost: x\r\n{head}");
        assert_problem(&server.exchange(request.as_bytes()).await, 408);
    }
}

#[tokio::test]
async fn a_handler_that_never_answers_is_504() {
    let app = Router::new().route("/", post(async |_: Bytes| std::future::pending::<()>().await));
    let server = Server::start(app, HttpLimits { request_timeout: SHORT, ..limits() }).await;
    let request = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc";
    assert_problem(&server.exchange(request).await, 504);
}

#[tokio::test]
async fn a_large_body_is_413_however_it_is_sent_and_seen() {
    let server = Server::start(echo(), limits()).await;
    let body = vec![b'a'; 100_000_000];
    let mut announced =
        format!("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", body.len())
            .into_bytes();
    announced.extend_from_slice(&body);
    assert_problem(&server.exchange(&announced).await, 413);

    let mut chunked = format!(
        "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n",
        body.len()
    )
    .into_bytes();
    chunked.extend_from_slice(&body);
    chunked.extend_from_slice(b"\r\n0\r\n\r\n");
    assert_problem(&server.exchange(&chunked).await, 413);
}

#[tokio::test]
async fn a_body_larger_than_axum_allows_passes_when_configured() {
    let size = 3 * 1024 * 1024;
    let server = Server::start(echo(), HttpLimits { max_body_bytes: size, ..limits() }).await;
    let mut request = format!(
        "POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {size}\r\n\r\n"
    )
    .into_bytes();
    request.resize(request.len() + size, b'a');
    assert!(server.exchange(&request).await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn a_panic_is_500_and_ends_nothing_else() {
    let server = Server::start(echo(), limits()).await;
    let mut stream = server.connect().await;
    stream.write_all(b"GET /panic HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    assert_problem(&one_answer(&mut stream).await, 500);
    stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    assert!(one_answer(&mut stream).await.ends_with("hello"));
}

/// A route that reports when it is entered and answers when it is told to.
fn gated() -> (Router, mpsc::UnboundedReceiver<()>, Arc<Notify>) {
    let (entered, entries) = mpsc::unbounded_channel();
    let release = Arc::new(Notify::new());
    let gate = Arc::clone(&release);
    let handler = async move || {
        entered.send(()).unwrap();
        gate.notified().await;
        "released"
    };
    (echo().route("/gate", get(handler)).route("/livez", get(async || "alive")), entries, release)
}

#[tokio::test]
async fn requests_beyond_the_limit_are_503_but_health_is_answered() {
    let (app, mut entries, release) = gated();
    let server = Server::start(app, HttpLimits { max_in_flight: 1, ..limits() }).await;
    let mut busy = server.connect().await;
    busy.write_all(b"GET /gate HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    entries.recv().await.unwrap();

    let mut other = server.connect().await;
    other.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let refused = one_answer(&mut other).await;
    assert_problem(&refused, 503);
    assert!(refused.contains("retry-after: 1\r\n"), "{refused}");
    other.write_all(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    assert!(one_answer(&mut other).await.ends_with("alive"));

    release.notify_one();
    assert!(one_answer(&mut busy).await.ends_with("released"));
    other.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    assert!(one_answer(&mut other).await.ends_with("hello"));
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_for_their_turn() {
    let server = Server::start(echo(), HttpLimits { max_connections: 1, ..limits() }).await;
    let mut first = server.connect().await;
    first.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    one_answer(&mut first).await;
    let mut second = server.connect().await;
    second.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    first.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    one_answer(&mut first).await;
    let nothing = second.try_read(&mut [0]).unwrap_err();
    assert_eq!(nothing.kind(), std::io::ErrorKind::WouldBlock);
    drop(first);
    assert!(one_answer(&mut second).await.ends_with("hello"));
}

#[tokio::test]
async fn stopping_finishes_requests_and_closes_the_idle() {
    let (app, mut entries, release) = gated();
    let server = Server::start(app, limits()).await;
    let mut idle = server.connect().await;
    idle.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    one_answer(&mut idle).await;
    let mut busy = server.connect().await;
    busy.write_all(b"GET /gate HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    entries.recv().await.unwrap();

    server.shutdown.cancel();
    assert_eq!(rest(&mut idle).await, "");
    assert!(server.draining.load(Ordering::Acquire));
    assert!(TcpStream::connect(server.address).await.is_err());
    release.notify_one();
    assert!(rest(&mut busy).await.ends_with("released"));
    server.task.await.unwrap().unwrap();
}

#[tokio::test]
async fn while_draining_requests_are_still_answered() {
    let server = Server::start(echo(), HttpLimits { drain_delay: LONG, ..limits() }).await;
    server.shutdown.cancel();
    while !server.draining.load(Ordering::Acquire) {
        tokio::task::yield_now().await;
    }
    let answer = server.exchange(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    assert!(answer.ends_with("hello"), "{answer}");
    server.task.abort();
}

#[tokio::test]
async fn stopping_does_not_wait_for_ever() {
    let (app, mut entries, _never_released) = gated();
    let server = Server::start(app, HttpLimits { shutdown_timeout: SHORT, ..limits() }).await;
    let mut busy = server.connect().await;
    busy.write_all(b"GET /gate HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    entries.recv().await.unwrap();
    server.shutdown.cancel();
    server.task.await.unwrap().unwrap();
    assert_eq!(rest(&mut busy).await, "");
}

/// The kernel ends the connection (TCP_USER_TIMEOUT), so that the server need not.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_client_that_never_reads_its_answer_is_dropped() {
    let app = Router::new().route("/", get(async || vec![0; 100_000_000]));
    let server = Server::start(app, HttpLimits { request_timeout: SHORT, ..limits() }).await;
    let mut stream = server.connect().await;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    stream.readable().await.unwrap();
    server.shutdown.cancel();
    tokio::time::timeout(LONG / 2, server.task).await.expect("ended early").unwrap().unwrap();
}
