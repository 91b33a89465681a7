//! The HTTP/1.1 server: an accept loop in which everything one client can take has a bound.
//!
//! `axum::serve` has no limit on connections, no timeout for headers and no deadline for
//! shutting down, so this drives hyper itself. What the parts do:
//! * here: accepting, the limit on connections, draining and stopping;
//! * [`connection`]: one connection, from its first byte until its last one is flushed;
//! * [`guard`]: one request: load shedding, size and time limits, panics;
//! * [`refusal`]: what is answered when one of them is passed;
//! * [`body`] and [`wire`]: the request body and the socket as those two see them.

mod body;
mod connection;
mod guard;
mod refusal;
mod wire;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::connection::Connections;
use self::guard::Guard;
use crate::config::HttpLimits;

/// Address of the other end of a request's connection.
#[derive(Clone, Copy)]
pub(crate) struct Peer(pub(crate) std::net::SocketAddr);

/// Pause after an accept that failed for want of file descriptors or memory. Retrying at once
/// would spin, because the refused connection stays in the queue and the listener stays ready.
const ACCEPT_PAUSE: Duration = Duration::from_millis(250);

/// Serves `app` on `listener` until `shutdown` is cancelled and the last connection has ended.
///
/// Every request passes the limits of `limits`; what they refuse is answered with a problem
/// document (RFC 9457): 408 (headers or body too slow), 413 (body too large), 431 (headers too
/// large), 503 with `Retry-After` (too many requests at once), 504 (no answer in time), 500 (a
/// handler panicked; the process goes on). The app needs no layers of its own for these.
///
/// Stopping takes three steps, each bounded: `draining` becomes true and for `drain_delay`
/// requests are still accepted, so that a readiness check can fail first and load balancers
/// turn away; then the listener closes, idle connections close, and requests in flight have
/// `shutdown_timeout` to finish; then what is left is aborted.
///
/// # Errors
/// When the listener itself is unusable. Failures of single connections, and a process that
/// has run out of file descriptors, do not end it.
pub async fn serve(
    listener: TcpListener,
    app: Router,
    limits: &HttpLimits,
    shutdown: CancellationToken,
    draining: Arc<AtomicBool>,
) -> io::Result<()> {
    let server = Server {
        slots: Arc::new(Semaphore::new(limits.max_connections)),
        connections: Connections::new(Guard::new(app, limits), limits),
        tasks: TaskTracker::new(),
    };
    let drained = async {
        shutdown.cancelled().await;
        draining.store(true, Ordering::Release);
        tokio::time::sleep(limits.drain_delay).await;
    };
    let outcome = tokio::select! {
        error = server.accept(&listener) => Err(error),
        () = drained => Ok(()),
    };
    drop(listener);
    server.stop(limits.shutdown_timeout).await;
    outcome
}

struct Server {
    slots: Arc<Semaphore>,
    connections: Connections,
    tasks: TaskTracker,
}

impl Server {
    /// Accepts connections until the listener is broken; returns why.
    async fn accept(&self, listener: &TcpListener) -> io::Error {
        loop {
            // The slot comes before the connection: without one, clients wait in the kernel's
            // queue and cost this process nothing.
            let Ok(slot) = Arc::clone(&self.slots).acquire_owned().await else {
                return io::Error::other("the server is closed");
            };
            match listener.accept().await {
                Ok((stream, peer)) => {
                    let serving = self.connections.serve(stream, Peer(peer));
                    self.tasks.spawn(async move {
                        serving.await;
                        drop(slot);
                    });
                }
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => return error,
                Err(error) => {
                    tracing::warn!(%error, "cannot accept connections, pausing");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// Ends all connections: those in the middle of a request have `patience` to finish it.
    async fn stop(self, patience: Duration) {
        self.connections.finish();
        self.tasks.close();
        if tokio::time::timeout(patience, self.tasks.wait()).await.is_err() {
            tracing::warn!(connections = self.tasks.len(), "aborting unfinished requests");
            self.connections.abort();
            self.tasks.wait().await;
        }
    }
}

/// Whether an accept failed because of the connection it was about to return: the next one may
/// be taken at once.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}
