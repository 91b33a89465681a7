//! The request body under watch.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, ready};

use axum::BoxError;
use bytes::Bytes;
use http_body_util::{LengthLimitError, Limited};
use hyper::body::{Body, Frame, Incoming, SizeHint};

const ARRIVING: u8 = 0;
const COMPLETE: u8 = 1;
const TOO_LARGE: u8 = 2;

/// How far a request body has come; shared by the body and by whoever judges the request.
pub(super) struct Progress(Arc<AtomicU8>);

impl Progress {
    /// The client still owes bytes.
    pub(super) fn is_arriving(&self) -> bool {
        self.0.load(Ordering::Acquire) == ARRIVING
    }

    /// The client sent more than it may.
    pub(super) fn is_too_large(&self) -> bool {
        self.0.load(Ordering::Acquire) == TOO_LARGE
    }
}

/// A request body that ends in an error ([`LengthLimitError`]) after `limit` bytes, so that a
/// chunked body without an announced length is bounded too.
pub(super) struct WatchedBody {
    body: Limited<Incoming>,
    progress: Arc<AtomicU8>,
}

impl WatchedBody {
    /// Watches `incoming`, of which at most `limit` bytes are let through.
    pub(super) fn new(incoming: Incoming, limit: usize) -> (Self, Progress) {
        let progress = Arc::new(AtomicU8::new(ARRIVING));
        let body = Self { body: Limited::new(incoming, limit), progress: Arc::clone(&progress) };
        (body, Progress(progress))
    }
}

impl Body for WatchedBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        match &frame {
            Some(Err(error)) if error.is::<LengthLimitError>() => {
                self.progress.store(TOO_LARGE, Ordering::Release);
            }
            Some(Ok(_)) if !self.body.is_end_stream() => {}
            Some(Err(_)) => {}
            Some(Ok(_)) | None => self.progress.store(COMPLETE, Ordering::Release),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
