//! The state of a connection that its socket and its service share: whether a request is in flight,
//! and whether the client can still be written to.

use std::future::Future as _;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};
use tokio::time::{Sleep, sleep};

/// Whether a request of this connection is being answered. While one is, the timeout of an idle
/// connection does not count.
#[derive(Debug, Clone, Default)]
pub(crate) struct RequestInFlight(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    is_active: AtomicBool,
    is_client_gone: AtomicBool,
    /// Whether the answer is an event stream, which looks for a client that hangs up.
    is_stream: AtomicBool,
    has_hung_up: AtomicBool,
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

    /// Whether an event stream wants to know that the client has closed its sending side.
    pub(crate) fn awaits_hang_up(&self) -> bool {
        self.0.is_stream.load(Ordering::Relaxed) && !self.0.has_hung_up.load(Ordering::Relaxed)
    }

    /// The client has closed its sending side.
    pub(crate) fn set_hung_up(&self) {
        self.0.has_hung_up.store(true, Ordering::Relaxed);
    }

    /// Ends the request: at once for a body of known length, else with the last byte of the body.
    /// `is_stream` says whether it is an event stream.
    pub(crate) fn end_with(self, body: Body, is_stream: bool) -> Body {
        if body.size_hint().exact().is_some() {
            self.set_active(false);
            return body;
        }
        self.0.is_stream.store(is_stream, Ordering::Relaxed);
        Body::new(Streamed {
            body,
            in_flight: self,
            probe: None,
        })
    }
}

/// The body of a streamed response. It ends early if the client has gone. The request ends when
/// this is dropped: sent, skipped (HEAD) or abandoned.
#[derive(Debug)]
struct Streamed {
    body: Body,
    in_flight: RequestInFlight,
    /// Of an event stream whose client has hung up.
    probe: Option<Probe>,
}

/// Whether a client that has sent a FIN is gone, or closed its sending side only. Its system
/// answers the first write with a reset if it is gone; then the second one fails.
#[derive(Debug)]
enum Probe {
    Written(Pin<Box<Sleep>>),
    Done,
}

/// How long after the first write the second one follows.
const PROBE_AGAIN: Duration = Duration::from_millis(500);

/// A comment of an event stream.
const COMMENT: Bytes = Bytes::from_static(b":\n\n");

impl Streamed {
    /// What is written to find out whether the client is gone, if something is due.
    fn poll_probe(&mut self, cx: &mut Context<'_>) -> bool {
        let shared = &self.in_flight.0;
        let is_asked = shared.is_stream.load(Ordering::Relaxed);
        if !is_asked || !shared.has_hung_up.load(Ordering::Relaxed) {
            return false;
        }
        match &mut self.probe {
            None => self.probe = Some(Probe::Written(Box::pin(sleep(PROBE_AGAIN)))),
            Some(Probe::Written(again)) => {
                if again.as_mut().poll(cx).is_pending() {
                    return false;
                }
                self.probe = Some(Probe::Done);
            }
            Some(Probe::Done) => return false,
        }
        true
    }
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
        if self.poll_probe(cx) {
            return Poll::Ready(Some(Ok(Frame::data(COMMENT))));
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
        self.in_flight.0.is_stream.store(false, Ordering::Relaxed);
        self.in_flight.set_active(false);
    }
}
