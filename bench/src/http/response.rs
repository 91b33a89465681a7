//! Incremental reader of one response at a time on a keep-alive connection.
//!
//! The hot path of a load cell looks at the status line and `Content-Length` only; `chunked` bodies
//! (RFC 9112 section 7.1) are understood for the slower client that sets up and checks.

use anyhow::{Context, Result, bail, ensure};
use memchr::memmem;

/// Largest response that is accepted; an export of a whole hot record stays below it.
const MAX_RESPONSE: usize = 512 * 1024 * 1024;
const HEAD_END: &[u8] = b"\r\n\r\n";

/// One whole response; its bytes still lie in the reader until [`ResponseReader::consume`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Complete {
    /// Status code.
    pub(crate) status: u16,
    /// Where the body begins in the reader's buffer.
    body_at: usize,
    /// Where the response ends in the reader's buffer.
    end: usize,
    /// Decoded body of a chunked response.
    unchunked: Option<Vec<u8>>,
    /// The server will close the connection after this response.
    pub(crate) closes: bool,
}

#[derive(Debug, Clone, Copy)]
struct Head {
    status: u16,
    body_at: usize,
    framing: Framing,
    closes: bool,
}

#[derive(Debug, Clone, Copy)]
enum Framing {
    Length(usize),
    Chunked,
}

/// Collects bytes until they hold one whole response.
#[derive(Debug, Default)]
pub(crate) struct ResponseReader {
    buffer: Vec<u8>,
    head: Option<Head>,
}

impl ResponseReader {
    /// Adds bytes as they came from the socket.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The response at the front of the buffer, or `None` while it is incomplete.
    ///
    /// # Errors
    /// When the bytes are not an HTTP/1.1 response, or exceed the limit.
    pub(crate) fn complete(&mut self) -> Result<Option<Complete>> {
        ensure!(self.buffer.len() <= MAX_RESPONSE, "response of more than {MAX_RESPONSE} bytes");
        let head = match self.head {
            Some(head) => head,
            None => match memmem::find(&self.buffer, HEAD_END) {
                None => return Ok(None),
                Some(end) => *self.head.insert(parse_head(&self.buffer[..end])?),
            },
        };
        match head.framing {
            Framing::Length(length) => {
                let end = head.body_at + length;
                Ok((self.buffer.len() >= end).then_some(Complete {
                    status: head.status,
                    body_at: head.body_at,
                    end,
                    unchunked: None,
                    closes: head.closes,
                }))
            }
            Framing::Chunked => {
                Ok(decode_chunked(&self.buffer[head.body_at..])?.map(|(body, used)| Complete {
                    status: head.status,
                    body_at: head.body_at,
                    end: head.body_at + used,
                    unchunked: Some(body),
                    closes: head.closes,
                }))
            }
        }
    }

    /// The body of a response that [`Self::complete`] found.
    pub(crate) fn body<'a>(&'a self, response: &'a Complete) -> &'a [u8] {
        match &response.unchunked {
            Some(body) => body,
            None => &self.buffer[response.body_at..response.end],
        }
    }

    /// Drops the response's bytes, so that the next one can be read.
    pub(crate) fn consume(&mut self, response: &Complete) {
        if self.buffer.len() == response.end {
            self.buffer.clear();
        } else {
            self.buffer.drain(..response.end);
        }
        self.head = None;
    }
}

fn parse_head(head: &[u8]) -> Result<Head> {
    ensure!(head.starts_with(b"HTTP/1.1 "), "not an HTTP/1.1 response");
    let status = std::str::from_utf8(head.get(9..12).context("short status line")?)?
        .parse()
        .context("status code")?;
    let mut framing = None;
    let mut closes = false;
    for line in head.split(|&byte| byte == b'\n').skip(1) {
        if let Some(value) = header_value(line, b"content-length:") {
            framing = Some(Framing::Length(value.parse().context("content-length")?));
        } else if let Some(value) = header_value(line, b"transfer-encoding:") {
            ensure!(value.eq_ignore_ascii_case("chunked"), "transfer-encoding {value}");
            framing = Some(Framing::Chunked);
        } else if let Some(value) = header_value(line, b"connection:") {
            closes = value.eq_ignore_ascii_case("close");
        }
    }
    let framing = match framing {
        Some(framing) => framing,
        // RFC 9112 section 6.3: these have no body whatever the headers say.
        None if status == 204 || status == 304 => Framing::Length(0),
        None => bail!("response with neither content-length nor chunked"),
    };
    Ok(Head { status, body_at: head.len() + HEAD_END.len(), framing, closes })
}

fn header_value<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a str> {
    let (start, rest) = line.split_at_checked(name.len())?;
    start.eq_ignore_ascii_case(name).then(|| std::str::from_utf8(rest).ok().map(str::trim))?
}

/// The decoded body and how many bytes it took, or `None` while the last chunk is not there.
fn decode_chunked(mut rest: &[u8]) -> Result<Option<(Vec<u8>, usize)>> {
    let whole = rest.len();
    let mut body = Vec::new();
    loop {
        let Some(line_end) = memmem::find(rest, b"\r\n") else { return Ok(None) };
        let line = std::str::from_utf8(&rest[..line_end])?;
        let digits = line.split(';').next().unwrap_or(line).trim();
        let size = usize::from_str_radix(digits, 16).context("chunk size")?;
        ensure!(size <= MAX_RESPONSE, "chunk of {size} bytes");
        let data = line_end + 2;
        let Some(after) = rest.get(data + size..) else { return Ok(None) };
        if after.len() < 2 {
            return Ok(None);
        }
        ensure!(
            after.starts_with(b"\r\n"),
            "chunk without end, or trailers, which we never ask for"
        );
        body.extend_from_slice(&rest[data..data + size]);
        rest = &after[2..];
        if size == 0 {
            return Ok(Some((body, whole - rest.len())));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Feeds `wire` in pieces of `step` bytes and returns every response found.
    fn read_all(wire: &[u8], step: usize) -> Result<Vec<(u16, Vec<u8>)>> {
        let mut reader = ResponseReader::default();
        let mut found = Vec::new();
        for piece in wire.chunks(step) {
            reader.push(piece);
            while let Some(response) = reader.complete()? {
                found.push((response.status, reader.body(&response).to_vec()));
                reader.consume(&response);
            }
        }
        Ok(found)
    }

    #[test]
    fn responses_are_found_however_the_bytes_are_cut() {
        let wire = b"HTTP/1.1 201 Created\r\ncontent-type: a/b\r\nContent-Length: 5\r\n\r\nhello\
            HTTP/1.1 204 No Content\r\n\r\n\
            HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n\
            HTTP/1.1 422 X\r\ncontent-length: 0\r\n\r\n";
        let expected = vec![
            (201, b"hello".to_vec()),
            (204, Vec::new()),
            (200, b"abc0123456789".to_vec()),
            (422, Vec::new()),
        ];
        for step in 1..=wire.len() {
            assert_eq!(read_all(wire, step).unwrap(), expected, "pieces of {step}");
        }
    }

    #[test]
    fn an_incomplete_response_is_not_reported() {
        let wire = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhell";
        assert!(read_all(wire, 7).unwrap().is_empty());
    }

    #[test]
    fn what_is_not_a_response_is_an_error() {
        for wire in [
            &b"SSH-2.0-x\r\n\r\n"[..],
            b"HTTP/1.1 2x1 A\r\ncontent-length: 0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\n\r\n",
            b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\n",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nabc\r\n",
        ] {
            assert!(read_all(wire, 3).is_err(), "{}", String::from_utf8_lossy(wire));
        }
    }

    #[test]
    fn a_closing_connection_is_seen() {
        let mut reader = ResponseReader::default();
        reader.push(b"HTTP/1.1 503 X\r\nConnection: close\r\ncontent-length: 0\r\n\r\n");
        assert!(reader.complete().unwrap().unwrap().closes);
    }
}
