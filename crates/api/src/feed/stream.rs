//! Server-Sent Events (WHATWG HTML, 9.2).

use std::convert::Infallible;
use std::fmt::Write as _;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use bytes::Bytes;
use futures::stream::unfold;
use tokio::time::Instant;

use super::{Filter, Found, Listener, next};
use crate::auth::{Access, authenticate};
use crate::state::App;

/// Most events that are written at once.
const CHUNK: usize = 100;
/// Time without an event after which a comment shows that the stream lives, and the key is looked at again.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// After this time the stream ends and the client comes again: streams then spread over the processes.
const LIFETIME: Duration = Duration::from_secs(15 * 60);

struct Stream {
    app: App,
    access: Access,
    headers: HeaderMap,
    listener: Listener,
    filter: Filter,
    after: i64,
    ends: Instant,
    checked: Instant,
}

/// The events after `after`, as they come, until the key ends, the process stops or the lifetime is over.
pub(crate) fn stream(
    app: App,
    (access, headers): (Access, HeaderMap),
    listener: Listener,
    filter: Filter,
    after: i64,
) -> Response {
    let now = Instant::now();
    let stream = Stream {
        app,
        access,
        headers,
        listener,
        filter,
        after,
        ends: now + LIFETIME,
        checked: now,
    };
    let first = futures::stream::once(async {
        Ok::<_, Infallible>(Bytes::from_static(b"retry: 2000\n\n"))
    });
    let rest = unfold(stream, |mut stream| async move {
        let chunk = stream.chunk().await?;
        Some((Ok(chunk), stream))
    });
    let mut response = Response::new(Body::from_stream(futures::StreamExt::chain(first, rest)));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Proxies of the nginx family collect answers unless they are told not to.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

impl Stream {
    /// What is written next; `None` ends the stream.
    async fn chunk(&mut self) -> Option<Bytes> {
        let now = Instant::now();
        if now >= self.ends {
            return None;
        }
        // A key that was revoked reads nothing more, however busy the stream is.
        if now >= self.checked + HEARTBEAT {
            authenticate(&self.app, self.access, &self.headers).await.ok()?;
            self.checked = now;
        }
        let end = self.ends.min(self.checked + HEARTBEAT);
        let found =
            next(&self.app, &mut self.listener, &self.filter, self.after, CHUNK, end).await.ok()?;
        self.after = found.upto;
        if found.events.is_empty() && self.listener.newest.borrow().closing {
            return None;
        }
        Some(self.written(&found))
    }

    fn written(&self, found: &Found) -> Bytes {
        if found.events.is_empty() {
            // The id lets a client that gets few events resume from here all the same.
            return Bytes::from(format!(
                ": alive\nid: {}\n\n",
                self.app.cursors().seal(found.upto)
            ));
        }
        let mut text = String::new();
        for (seq, event) in &found.events {
            let cursor = self.app.cursors().seal(*seq);
            // JSON has no line break in it.
            let _ =
                write!(text, "id: {cursor}\nevent: {}\ndata: {}\n\n", event.kind, event.plain());
        }
        Bytes::from(text)
    }
}
