//! Hostile input through the whole API: each a clean 4xx that says how to recover, after which
//! the server serves on.

use deed_api::HttpLimits;
use tokio::io::AsyncWriteExt;

use crate::socket::{LONG, SHORT, Server, assert_problem, limits};
use crate::support::{Org, TestApp, api_config, record};

/// The whole API on a socket, with an agent that may notarize.
struct Target {
    app: TestApp,
    org: Org,
    server: Server,
}

impl Target {
    async fn new(limits: HttpLimits) -> Self {
        let app = TestApp::new().await;
        let org = app.org("Target").await;
        let server = Server::start(app.router.clone(), limits).await;
        Self { app, org, server }
    }

    /// With the limits that are in force by default.
    async fn with_usual_limits() -> Self {
        Self::new(HttpLimits { header_timeout: LONG, ..api_config().limits }).await
    }

    /// The head of a POST of a record, up to where `headers` and the empty line follow.
    fn head(&self, headers: &str) -> Vec<u8> {
        let key = &self.org.agent;
        format!(
            "POST /v1/records HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
             Authorization: Bearer {key}\r\n{headers}\r\n"
        )
        .into_bytes()
    }

    async fn post(&self, content_type: &str, body: &[u8]) -> String {
        let length = body.len();
        let mut request = self.head(&format!("{content_type}Content-Length: {length}\r\n"));
        request.extend_from_slice(body);
        self.server.exchange(&request).await
    }

    /// That nothing was recorded, and that good requests are still answered.
    async fn assert_unharmed(&self) {
        assert_eq!(self.app.all(&self.org.agent, "/v1/records").await.len(), 0);
        let good = record("still here").to_string();
        let answer = self.post("Content-Type: application/json\r\n", good.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    }
}

/// A good request but for `criteria`.
fn with_criteria(criteria: &[u8]) -> Vec<u8> {
    let mut body = br#"{"type":"notarize-generic-v1","criteria":"#.to_vec();
    body.extend_from_slice(criteria);
    body.push(b'}');
    body
}

#[tokio::test]
async fn json_that_cannot_be_signed_as_it_was_sent_is_refused() {
    let target = Target::with_usual_limits().await;
    let deep = [b"[".repeat(10_000), b"]".repeat(10_000)].concat();
    let deep_objects = [br#"{"a":"#.repeat(10_000), b"1".to_vec(), b"}".repeat(10_000)].concat();
    for criteria in [
        &br#"{"summary":"x","a":1,"a":2}"#[..],
        br#"{"summary":"x","a":1,"\u0061":2}"#,
        br#"{"summary":"x","n":9007199254740993}"#,
        br#"{"summary":"x","n":1e400}"#,
        br#"{"summary":"x","n":-1e400}"#,
        br#"{"summary":"x","n":NaN}"#,
        br#"{"summary":"x","n":01}"#,
        br#"{"summary":"\ud800"}"#,
        br#"{"summary":"\udc00\ud800"}"#,
        br#"{"summary":"\u0000"}"#,
        br#"{"summary":"x","\u0000":1}"#,
        b"{\"summary\":\"a\x00b\"}",
        b"{\"summary\":\"\xff\xfe\"}",
        b"{\"summary\":\"\xed\xa0\x80\"}",
        b"{\"summary\":\"\xc0\xaf\"}",
        br#"{"summary":"x"},"criteria":{"summary":"y"}"#,
        &deep,
        &deep_objects,
    ] {
        let answer =
            target.post("Content-Type: application/json\r\n", &with_criteria(criteria)).await;
        assert_problem(&answer, 400);
    }
    target.assert_unharmed().await;
}

#[tokio::test]
async fn bodies_that_are_no_request_are_refused() {
    let target = Target::with_usual_limits().await;
    for (body, status) in [
        (&b"{"[..], 400),
        (b"\xef\xbb\xbf{}", 400),
        (b"{} {}", 400),
        (b"\x00", 400),
        (b"null", 422),
        (b"[]", 422),
        (b"\"text\"", 422),
        (b"", 422),
        (b"{}", 422),
        (br#"{"type":"notarize-generic-v1"}"#, 422),
        (br#"{"type":7,"criteria":{}}"#, 422),
        (br#"{"type":"notarize-generic-v1","criteria":{"summary":"x"},"extra":1}"#, 422),
        (br#"{"type":"notarize-generic-v1","criteria":{"summary":7}}"#, 422),
    ] {
        let answer = target.post("Content-Type: application/json\r\n", body).await;
        assert_problem(&answer, status);
    }
    target.assert_unharmed().await;
}

#[tokio::test]
async fn wrong_content_types_are_415() {
    let target = Target::with_usual_limits().await;
    let good = record("fine but for its type").to_string();
    for content_type in [
        "",
        "Content-Type: \r\n",
        "Content-Type: text/plain\r\n",
        "Content-Type: application/xml\r\n",
        "Content-Type: application/jsonp\r\n",
        "Content-Type: application/x-www-form-urlencoded\r\n",
        "Content-Type: multipart/form-data; boundary=x\r\n",
        "Content-Type: application/json; charset=utf-16\r\n",
        "Content-Type: \u{ff}\r\n",
    ] {
        assert_problem(&target.post(content_type, good.as_bytes()).await, 415);
    }
    target.assert_unharmed().await;
}

#[tokio::test]
async fn bodies_of_100_megabytes_are_413() {
    const SIZE: usize = 100_000_000;
    let target = Target::with_usual_limits().await;
    let json = "Content-Type: application/json\r\n";

    let mut request = target.head(&format!("{json}Content-Length: {SIZE}\r\n"));
    request.resize(request.len() + SIZE, b'a');
    assert_problem(&target.server.exchange(&request).await, 413);

    let mut request = target.head(&format!("{json}Transfer-Encoding: chunked\r\n"));
    let mut chunk = format!("{:x}\r\n", 1_000_000).into_bytes();
    chunk.resize(chunk.len() + 1_000_000, b'a');
    chunk.extend_from_slice(b"\r\n");
    for _ in 0..SIZE / 1_000_000 {
        request.extend_from_slice(&chunk);
    }
    request.extend_from_slice(b"0\r\n\r\n");
    assert_problem(&target.server.exchange(&request).await, 413);
    drop(request);

    // A length that is a lie.
    let request = target.head(&format!("{json}Content-Length: {}\r\n", u64::MAX / 2));
    assert_problem(&target.server.exchange(&request).await, 413);
    target.assert_unharmed().await;
}

#[tokio::test]
async fn bodies_that_arrive_too_slowly_are_408() {
    let target = Target::new(HttpLimits { request_timeout: SHORT, ..api_config().limits }).await;
    let json = "Content-Type: application/json\r\n";
    for framing in ["Content-Length: 100\r\n", "Transfer-Encoding: chunked\r\n"] {
        let mut request = target.head(&format!("{json}{framing}"));
        if framing.starts_with('T') {
            request.extend_from_slice(b"5\r\n");
        }
        request.extend_from_slice(b"{\"typ");
        assert_problem(&target.server.exchange(&request).await, 408);
    }
    // Not over the socket, where a good request would have as little time.
    target.app.notarize(&target.org.agent, "still here").await;
}

#[tokio::test]
async fn heads_that_are_too_slow_too_large_or_no_http_are_refused() {
    let target = Target::new(HttpLimits { header_timeout: SHORT, ..limits() }).await;
    assert_problem(&target.server.exchange(b"POST /v1/records HTT").await, 408);
    for size in [40_000, 5_000_000] {
        let request = target.head(&format!("X-Large: {}\r\n", "a".repeat(size)));
        assert_problem(&target.server.exchange(&request).await, 431);
    }
    let request = format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(100_000));
    let answer = target.server.exchange(request.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 414 ") || answer.starts_with("HTTP/1.1 431 "), "{answer}");
    assert_problem(&target.server.exchange(b"\x16\x03\x01\x00\xa5\x01\r\n\r\n").await, 400);
    assert_problem(&target.server.exchange(b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n").await, 400);
    let smuggled = target.head("Content-Length: 5\r\nContent-Length: 6\r\n");
    assert_problem(&target.server.exchange(&smuggled).await, 400);
}

#[tokio::test]
async fn paths_queries_and_headers_with_rubbish_are_refused() {
    let target = Target::with_usual_limits().await;
    let key = &target.org.agent;
    for (path, status) in [
        ("/v1/records/not-a-uuid", 400..405),
        ("/v1/records/%00", 400..405),
        ("/v1/records/%ff%fe", 400..405),
        ("/v1/records/..%2f..%2fetc%2fpasswd", 400..405),
        ("/../../etc/passwd", 404..405),
        ("/v1/records?limit=-1", 400..401),
        ("/v1/records?limit=99999999999999999999", 400..401),
        ("/v1/records?cursor=%00", 400..401),
        ("/v1/records?from=yesterday", 400..401),
        ("/v1/records?unknown=1", 400..401),
        ("/v1/records?referenceKey=%00&referenceValue=%00", 400..401),
        ("/v1/records?type=%00", 400..401),
        ("/v1/types/%00", 400..401),
    ] {
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {key}\r\n\r\n"
        );
        let answer = target.server.exchange(request.as_bytes()).await;
        let found: u16 = answer[9..12].parse().unwrap();
        assert!(status.contains(&found), "{path}: {answer}");
        assert_problem(&answer, found);
    }
    let long = "a".repeat(10_000);
    for (header, status) in [
        ("Idempotency-Key: \r\n".to_owned(), 400),
        ("Idempotency-Key: a b\r\n".to_owned(), 400),
        (format!("Idempotency-Key: {long}\r\n"), 400),
    ] {
        let answer =
            target.post(&format!("Content-Type: application/json\r\n{header}"), b"{}").await;
        assert_problem(&answer, status);
    }
    for authorization in
        ["", "Bearer", "Basic eDp5", "Bearer deed_agt_\u{ff}", &format!("Bearer {long}")]
    {
        let request = format!(
            "GET /v1/records HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
             Authorization: {authorization}\r\n\r\n"
        );
        assert_problem(&target.server.exchange(request.as_bytes()).await, 401);
    }
    target.assert_unharmed().await;
}

#[tokio::test]
async fn a_client_that_goes_away_in_the_middle_harms_nothing() {
    let target = Target::with_usual_limits().await;
    for cut in [10, 60, 400] {
        let mut stream = target.server.connect().await;
        let mut request = target.head("Content-Type: application/json\r\nContent-Length: 1000\r\n");
        request.resize(1000, b' ');
        stream.write_all(&request[..cut]).await.unwrap();
        drop(stream);
    }
    target.assert_unharmed().await;
}
