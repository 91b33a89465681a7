//! The event loop of a cell, closed or open.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use mio::{Events, Interest, Poll, Token};

use super::connection::{Connection, InFlight};
use super::latency::Latency;
use super::template::{Workload, new_key};

/// How long the answers to the last requests may take.
const DRAIN: Duration = Duration::from_secs(30);
/// Longest wait of one poll, so that an interrupt is seen.
const LONGEST_POLL: Duration = Duration::from_millis(200);
/// How many samples of whole bodies one cell keeps.
const MOST_SAMPLES: usize = 200;

/// One cell.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// The server.
    pub(crate) address: SocketAddr,
    /// Number of connections; in a closed loop each always has one request under way.
    pub(crate) connections: usize,
    /// Time that is not counted.
    pub(crate) warm_up: Duration,
    /// Time that is counted.
    pub(crate) measure: Duration,
    /// Requests per second of an open loop; `None` for a closed one.
    pub(crate) rate: Option<f64>,
    /// One of this many bodies is kept for checking.
    pub(crate) sample_every: u64,
    /// Where keys and picks come from.
    pub(crate) seed: u64,
}

/// A kept answer.
#[derive(Debug)]
pub(crate) struct Sample {
    /// Status code.
    pub(crate) status: u16,
    /// Body, byte for byte.
    pub(crate) body: Vec<u8>,
}

/// What a cell measured.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// Latencies of the expected answers inside the counted time that were `Created`.
    pub(crate) created: Latency,
    /// Requests refused as they should be, inside the counted time.
    pub(crate) refused: u64,
    /// Answers of any kind, warm-up and draining included.
    pub(crate) answers: u64,
    /// Counted time.
    pub(crate) measured: Duration,
    /// Whole bodies.
    pub(crate) samples: Vec<Sample>,
}

impl Outcome {
    /// Created per second of counted time.
    pub(crate) fn rate(&self) -> f64 {
        self.created.count() as f64 / self.measured.as_secs_f64()
    }
}

/// Runs one cell to its end on the calling thread; `stop` ends it early with an error.
///
/// # Errors
/// A broken connection or an answer of an unexpected class: a cell with failures measures nothing.
pub(crate) fn run(plan: &Plan, workload: &Workload, stop: &AtomicBool) -> Result<Outcome> {
    let mut engine = Engine::new(plan, workload)?;
    let result = engine.drive(stop);
    result.map(|()| engine.outcome)
}

struct Engine<'a> {
    plan: &'a Plan,
    workload: &'a Workload,
    poll: Poll,
    connections: Vec<Connection>,
    rng: fastrand::Rng,
    serial: u64,
    /// Connections without a request.
    idle: Vec<usize>,
    /// Due requests that found no idle connection.
    overdue: VecDeque<Instant>,
    /// When the next request of an open loop is due.
    next_due: Instant,
    count_from: Instant,
    count_until: Instant,
    outcome: Outcome,
}

impl<'a> Engine<'a> {
    fn new(plan: &'a Plan, workload: &'a Workload) -> Result<Self> {
        let poll = Poll::new()?;
        let mut connections = Vec::with_capacity(plan.connections);
        for index in 0..plan.connections {
            let mut connection = Connection::open(plan.address)?;
            poll.registry().register(
                connection.socket(),
                Token(index),
                Interest::READABLE | Interest::WRITABLE,
            )?;
            connections.push(connection);
        }
        let start = Instant::now();
        let outcome = Outcome {
            created: Latency::new()?,
            refused: 0,
            answers: 0,
            measured: plan.measure,
            samples: Vec::new(),
        };
        Ok(Self {
            plan,
            workload,
            poll,
            idle: (0..connections.len()).rev().collect(),
            connections,
            rng: fastrand::Rng::with_seed(plan.seed),
            serial: 0,
            overdue: VecDeque::new(),
            next_due: start,
            count_from: start + plan.warm_up,
            count_until: start + plan.warm_up + plan.measure,
            outcome,
        })
    }

    fn drive(&mut self, stop: &AtomicBool) -> Result<()> {
        let mut events = Events::with_capacity(1024);
        let mut scratch = vec![0; 64 * 1024];
        loop {
            let now = Instant::now();
            ensure!(!stop.load(Ordering::Relaxed), "interrupted");
            if now < self.count_until {
                self.send_due(now)?;
            } else if self.idle.len() == self.connections.len() {
                return Ok(());
            } else if now > self.count_until + DRAIN {
                bail!("answers missing {} s after the last request", DRAIN.as_secs());
            }
            let wait = self.longest_wait(now);
            match self.poll.poll(&mut events, Some(wait)) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                other => other.context("waiting for answers")?,
            }
            for event in &events {
                let index = event.token().0;
                if event.is_writable() {
                    self.connections[index].continue_writing()?;
                }
                if event.is_readable() {
                    self.on_readable(index, &mut scratch)?;
                }
            }
        }
    }

    /// In a closed loop every idle connection sends; in an open one, as many as are due.
    fn send_due(&mut self, now: Instant) -> Result<()> {
        let Some(rate) = self.plan.rate else {
            while let Some(index) = self.idle.pop() {
                self.send(index, now)?;
            }
            return Ok(());
        };
        while self.next_due <= now {
            self.overdue.push_back(self.next_due);
            self.next_due += Duration::from_secs_f64(1.0 / rate);
        }
        while !self.overdue.is_empty() && !self.idle.is_empty() {
            if let (Some(due), Some(index)) = (self.overdue.pop_front(), self.idle.pop()) {
                self.send(index, due)?;
            }
        }
        Ok(())
    }

    /// epoll counts milliseconds, so in an open loop a request may leave up to one late, which its
    /// latency includes. Spinning instead would take a core from the server.
    fn longest_wait(&self, now: Instant) -> Duration {
        let can_send = !self.idle.is_empty() && now < self.count_until;
        if self.plan.rate.is_none() || !can_send {
            return LONGEST_POLL;
        }
        let left = self.next_due.saturating_duration_since(now);
        left.clamp(Duration::from_millis(1), LONGEST_POLL)
    }

    fn send(&mut self, index: usize, since: Instant) -> Result<()> {
        let template = self.workload.pick(&mut self.rng);
        let key = new_key(&mut self.rng);
        self.serial += 1;
        let flight = InFlight { since, expect: template.expect() };
        self.connections[index].start(flight, |out| template.fill(out, &key, self.serial))
    }

    fn on_readable(&mut self, index: usize, scratch: &mut [u8]) -> Result<()> {
        let connection = &mut self.connections[index];
        let Some((flight, response)) = connection.read(scratch)? else { return Ok(()) };
        let now = Instant::now();
        let body = connection.body(&response);
        if !flight.expect.admits(response.status) {
            let excerpt: String = String::from_utf8_lossy(body).chars().take(500).collect();
            bail!("expected {:?}, got {}: {excerpt}", flight.expect, response.status);
        }
        if self.outcome.answers.is_multiple_of(self.plan.sample_every)
            && self.outcome.samples.len() < MOST_SAMPLES
        {
            self.outcome.samples.push(Sample { status: response.status, body: body.to_vec() });
        }
        ensure!(!response.closes, "the server ends keep-alive");
        connection.consume(&response);
        self.outcome.answers += 1;
        if now >= self.count_from && now < self.count_until {
            if response.status == 201 {
                self.outcome.created.record(now - flight.since);
            } else {
                self.outcome.refused += 1;
            }
        }
        if now < self.count_until && self.plan.rate.is_none() {
            return self.send(index, now);
        }
        self.idle.push(index);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;
    use crate::load::template::{Expect, Template};

    /// Answers every request on every connection with `answer`; ends with its connections.
    fn responder(answer: &'static [u8]) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                std::thread::spawn(move || {
                    let mut seen = Vec::new();
                    let mut chunk = [0; 4096];
                    while let Ok(count @ 1..) = stream.read(&mut chunk) {
                        seen.extend_from_slice(&chunk[..count]);
                        if seen.ends_with(b"{\"end\":1}") {
                            seen.clear();
                            stream.write_all(answer).unwrap();
                        }
                    }
                });
            }
        });
        address
    }

    fn cell(address: SocketAddr, rate: Option<f64>) -> Result<Outcome> {
        let template = Template::new(address, "b", "/v1/x", None, "{\"end\":1}", Expect::Created)?;
        let plan = Plan {
            address,
            connections: 4,
            warm_up: Duration::ZERO,
            measure: Duration::from_millis(100),
            rate,
            sample_every: 1,
            seed: 1,
        };
        run(&plan, &Workload::of(vec![template]), &AtomicBool::new(false))
    }

    const CREATED: &[u8] = b"HTTP/1.1 201 Created\r\ncontent-length: 2\r\n\r\n{}";

    #[test]
    fn a_closed_loop_keeps_every_connection_busy_and_drains_them() {
        let outcome = cell(responder(CREATED), None).unwrap();
        assert!(outcome.answers >= 4, "{}", outcome.answers);
        assert!(outcome.created.count() <= outcome.answers);
        assert_eq!(outcome.refused, 0);
        assert_eq!((outcome.samples[0].status, &outcome.samples[0].body[..]), (201, &b"{}"[..]));
    }

    #[test]
    fn an_open_loop_sends_no_more_than_it_is_told() {
        let outcome = cell(responder(CREATED), Some(100.0)).unwrap();
        assert!((1..=11).contains(&outcome.answers), "{}", outcome.answers);
    }

    #[test]
    fn an_unexpected_answer_or_end_fails_the_cell() {
        let failed = responder(b"HTTP/1.1 500 No\r\ncontent-length: 4\r\n\r\noops");
        let error = cell(failed, None).unwrap_err().to_string();
        assert!(error.contains("got 500: oops"), "{error}");
        let closing =
            responder(b"HTTP/1.1 201 Created\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
        let error = cell(closing, None).unwrap_err().to_string();
        assert!(error.contains("keep-alive"), "{error}");
    }
}
