//! What the server answers when the app cannot: one problem (RFC 9457) for each reason.

use axum::response::{IntoResponse, Response};
use http::header::CONNECTION;
use http::{HeaderValue, StatusCode};

use crate::problem::{Problem, internal_error};

/// Why a request was not answered by the app.
#[derive(Debug, Clone, Copy)]
pub(super) enum Refusal {
    /// 400: the head is not HTTP/1.1, or holds what nothing can use.
    Malformed,
    /// 408: head or body did not arrive in time.
    TooSlow,
    /// 413: the body has more bytes than this.
    BodyTooLarge(usize),
    /// 414.
    UriTooLong,
    /// 431.
    HeadersTooLarge,
    /// 500: a handler panicked. The panic hook has logged where.
    Panicked,
    /// 503: too many requests at once.
    Overloaded,
    /// 504: the app did not answer in time.
    Unanswered,
}

impl Refusal {
    /// The refusal that hyper meant with a bare status.
    pub(super) fn of_head(status: StatusCode) -> Self {
        match status {
            StatusCode::URI_TOO_LONG => Self::UriTooLong,
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => Self::HeadersTooLarge,
            _ => Self::Malformed,
        }
    }

    /// The answer, which is counted.
    pub(super) fn answer(self) -> Response {
        let mut response = self.problem().into_response();
        let status = response.status().as_u16().to_string();
        metrics::counter!("deed_http_refused_total", "status" => status).increment(1);
        // Part of the request is unread, or its handler was cut off: this connection ends.
        if !matches!(self, Self::Overloaded | Self::Panicked) {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }

    fn problem(self) -> Problem {
        match self {
            Self::Malformed => Problem::bad_request(
                "malformed-request",
                "the request target or a header field is not valid",
                "Check the request line, the header names and their values (RFC 9112); leave out %00.",
            ),
            Self::TooSlow => Problem::new(
                StatusCode::REQUEST_TIMEOUT,
                "request-too-slow",
                "the request did not arrive completely within the time allowed",
            )
            .hint("Send the whole request at once; split a large batch into several."),
            Self::BodyTooLarge(limit) => Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "body-too-large",
                format!("the body is larger than {limit} bytes"),
            )
            .hint(
                "Split a batch; notarize a digest of large content instead of the content itself.",
            ),
            Self::UriTooLong => Problem::new(
                StatusCode::URI_TOO_LONG,
                "uri-too-long",
                "the request target is longer than this server reads",
            )
            .hint("Shorten the path and the query."),
            Self::HeadersTooLarge => Problem::new(
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                "headers-too-large",
                "the request has too many header fields, or they are too large together",
            )
            .hint("Send at most 100 header fields and 32 KiB of them; move data into the body."),
            Self::Panicked => internal_error(),
            Self::Overloaded => Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "overloaded",
                "the server is working on as many requests as it is allowed to",
            )
            .retry_after(1)
            .hint("Nothing was done. Retry after the time in Retry-After."),
            Self::Unanswered => Problem::new(
                StatusCode::GATEWAY_TIMEOUT,
                "no-answer-in-time",
                "the request was not finished in time: it may or may not have taken effect",
            )
            .retry_after(1)
            .hint("Retry with the same Idempotency-Key and body: it takes effect once."),
        }
    }
}
