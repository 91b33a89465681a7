//! One keep-alive connection of the load generator.

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use mio::net::TcpStream;

use super::template::Expect;
use crate::http::{Complete, ResponseReader};

/// A connection that carries at most one request at a time.
pub(crate) struct Connection {
    stream: TcpStream,
    out: Vec<u8>,
    written: usize,
    reader: ResponseReader,
    in_flight: Option<InFlight>,
}

/// What is known of the request that is under way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct InFlight {
    /// When latency starts: the moment of sending, or in an open loop the moment it was due.
    pub(crate) since: Instant,
    /// What the answer must be.
    pub(crate) expect: Expect,
}

impl Connection {
    /// Connects, before any measurement begins.
    pub(crate) fn open(address: SocketAddr) -> Result<Self> {
        let stream = std::net::TcpStream::connect(address).context("connecting to the server")?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        Ok(Self {
            stream: TcpStream::from_std(stream),
            out: Vec::new(),
            written: 0,
            reader: ResponseReader::default(),
            in_flight: None,
        })
    }

    /// The socket, for registration.
    pub(crate) fn socket(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    /// Sends what `fill` writes.
    pub(crate) fn start(
        &mut self,
        flight: InFlight,
        fill: impl FnOnce(&mut Vec<u8>),
    ) -> Result<()> {
        fill(&mut self.out);
        self.written = 0;
        self.in_flight = Some(flight);
        self.continue_writing()
    }

    /// Writes what the socket's buffer did not take the first time.
    pub(crate) fn continue_writing(&mut self) -> Result<()> {
        while self.written < self.out.len() {
            match self.stream.write(&self.out[self.written..]) {
                Ok(0) => bail!("connection closed while writing"),
                Ok(count) => self.written += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error).context("writing a request"),
            }
        }
        Ok(())
    }

    /// Reads until the answer is whole or the socket is empty.
    ///
    /// After a whole answer nothing more can come before the next request, so the read that would
    /// only say "empty" is saved.
    pub(crate) fn read(&mut self, scratch: &mut [u8]) -> Result<Option<(InFlight, Complete)>> {
        loop {
            match self.stream.read(scratch) {
                Ok(0) => bail!("the server closed a connection in the middle of a cell"),
                Ok(count) => self.reader.push(&scratch[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error).context("reading an answer"),
            }
            if let Some(response) = self.reader.complete()? {
                let flight = self.in_flight.take().context("an answer to no request")?;
                return Ok(Some((flight, response)));
            }
        }
    }

    /// The body of an answer that [`Self::read`] returned.
    pub(crate) fn body<'a>(&'a self, response: &'a Complete) -> &'a [u8] {
        self.reader.body(response)
    }

    /// Makes room for the next answer.
    pub(crate) fn consume(&mut self, response: &Complete) {
        self.reader.consume(response);
    }
}
