//! Appends at a steady rate from some clients, with their times.

use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::load::Latency;
use crate::stack::{CRITERIA, Stack, TYPE_NAME};

/// Clients at once.
const CLIENTS: u64 = 4;

/// Appends that go on until they are stopped.
pub(super) struct Load {
    stop: CancellationToken,
    clients: Vec<JoinHandle<Result<Latency>>>,
}

impl Load {
    /// Begins with `rate` appends a second.
    pub(super) fn begin(stack: &Stack, rate: u64) -> Result<Self> {
        let stop = CancellationToken::new();
        let criteria: Value = serde_json::from_str(CRITERIA)?;
        let record = json!({ "type": TYPE_NAME, "criteria": criteria });
        let pause = Duration::from_secs(CLIENTS) / u32::try_from(rate)?;
        let clients = (0..CLIENTS).map(|_| {
            let (mut client, record, stop) = (stack.agent_client(), record.clone(), stop.clone());
            tokio::spawn(async move {
                let mut latency = Latency::new()?;
                let mut beats = tokio::time::interval(pause);
                while !stop.is_cancelled() {
                    beats.tick().await;
                    let begun = Instant::now();
                    client.create("/v1/records", &record).await?;
                    latency.record(begun.elapsed());
                }
                Ok(latency)
            })
        });
        Ok(Self { clients: clients.collect(), stop })
    }

    /// Ends it; an append that failed is an error.
    pub(super) async fn end(self) -> Result<Latency> {
        self.stop.cancel();
        let mut all = Latency::new()?;
        for client in self.clients {
            all.add(&client.await??)?;
        }
        Ok(all)
    }
}
