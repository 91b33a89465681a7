//! The socket as hyper sees it.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use http::StatusCode;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// A TCP stream that holds back hyper's own refusals.
///
/// hyper answers a request whose head it cannot take (400, 414, 431) by itself, with no body.
/// Our clients are promised a problem document, and hyper has no setting for it. So those few
/// bytes are kept from the socket and remembered; hyper closes the connection right after
/// them, and then the caller writes the answer in its proper form.
pub(super) struct Wire {
    stream: TokioIo<TcpStream>,
    refused: Option<StatusCode>,
}

impl Wire {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self { stream: TokioIo::new(stream), refused: None }
    }

    /// The socket, and the status of the refusal that was held back.
    pub(super) fn into_parts(self) -> (TcpStream, Option<StatusCode>) {
        (self.stream.into_inner(), self.refused)
    }

    fn holds_back(&mut self, head: &[u8]) -> bool {
        if self.refused.is_none() {
            self.refused = bare_refusal(head);
        }
        self.refused.is_some()
    }
}

/// The status of a response head that refuses, has no body, and closes the connection. That
/// it closes is essential: on any other connection the client would wait for an answer.
fn bare_refusal(head: &[u8]) -> Option<StatusCode> {
    let status = head.strip_prefix(b"HTTP/1.")?.get(1..5)?.strip_prefix(b" ")?;
    if !matches!(status, b"400" | b"414" | b"431") {
        return None;
    }
    let head = std::str::from_utf8(head).ok()?;
    let has = |line: &str| head.lines().any(|found| found.eq_ignore_ascii_case(line));
    (head.ends_with("\r\n\r\n") && has("content-length: 0") && has("connection: close"))
        .then(|| StatusCode::from_bytes(status).ok())
        .flatten()
}

impl Read for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl Write for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.holds_back(buf) {
            return Poll::Ready(Ok(buf.len()));
        }
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let [head] = bufs
            && self.holds_back(head)
        {
            return Poll::Ready(Ok(head.len()));
        }
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.refused.is_some() {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_refusals_that_end_the_connection_are_held_back() {
        let held = b"HTTP/1.1 431 Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
        assert_eq!(bare_refusal(held), Some(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE));
        for passed in [
            &b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n"[..],
            b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 9\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
            b"HTTP/1.1 404 Not Found\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
            b"HTTP/1.1 4",
            b"",
        ] {
            assert_eq!(bare_refusal(passed), None, "{}", String::from_utf8_lossy(passed));
        }
    }
}
