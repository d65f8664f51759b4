//! The state of a connection that its socket and its service share: whether a request is in flight,
//! and whether the client can still be written to.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};

/// Whether a request of this connection is being answered. While one is, the timeout of an idle
/// connection does not count.
#[derive(Debug, Clone, Default)]
pub(crate) struct RequestInFlight(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    is_active: AtomicBool,
    is_client_gone: AtomicBool,
}

impl RequestInFlight {
    /// The head of a request has arrived.
    pub(crate) fn begin(&self) {
        self.set_active(true);
    }

    /// Whether a request is being answered.
    pub(crate) fn is_active(&self) -> bool {
        self.0.is_active.load(Ordering::Relaxed)
    }

    fn set_active(&self, is_active: bool) {
        self.0.is_active.store(is_active, Ordering::Relaxed);
    }

    /// A write has failed: nothing more reaches the client.
    pub(crate) fn set_client_gone(&self) {
        self.0.is_client_gone.store(true, Ordering::Relaxed);
    }

    /// Ends the request: at once for a body of known length, else with the last byte of the body.
    pub(crate) fn end_with(self, body: Body) -> Body {
        if body.size_hint().exact().is_some() {
            self.set_active(false);
            return body;
        }
        Body::new(Streamed {
            body,
            in_flight: self,
        })
    }
}

/// The body of a streamed response. It ends early if the client has gone. The request ends when
/// this is dropped: sent, skipped (HEAD) or abandoned.
#[derive(Debug)]
struct Streamed {
    body: Body,
    in_flight: RequestInFlight,
}

impl HttpBody for Streamed {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.in_flight.0.is_client_gone.load(Ordering::Relaxed) {
            return Poll::Ready(None);
        }
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Streamed {
    fn drop(&mut self) {
        self.in_flight.set_active(false);
    }
}
