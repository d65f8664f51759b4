//! The body of an event stream: a [`Topic`] behind a subscription, in the framing of server-sent
//! events. It is polled by the task of its connection, and has none of its own.
//!
//! It waits for what comes first: an event, a comment that is due, or a check of the topic
//! (a read of the record, or a heartbeat). A client that does not read is not waited for: the
//! connection does not poll the body then, the queue drops what does not fit, and the write timeout
//! ends the connection.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use futures_util::future::BoxFuture;
use hyper::body::Frame;
use serde::Serialize;
use streamgate_clock::Stopwatch;
use tokio::time::{Sleep, sleep};
use utoipa::ToSchema;

use super::Subscription;
use super::queue::{Delivery, Received};
use crate::caller::stream_credential::StreamCredential;
use crate::metrics::{PushMetrics, StreamEnd, StreamKind};
use crate::problem::{ApiError, Code};
use crate::state::{App, Gateway};
use crate::wire::answer::{EVENT_STREAM, with_body};

/// How often a stream has a comment, so that what stands between notices no idle connection, and
/// the server a client that has gone.
const COMMENT_EVERY: Duration = Duration::from_secs(15);

/// When a client reconnects after a stream that broke, in milliseconds, at least and at most.
const RETRY_MS: (u64, u64) = (1_000, 3_000);

/// The same after a `bye`: all clients of a node get one at once.
const BYE_RETRY_MS: (u64, u64) = (1_000, 5_000);

/// Tells nginx not to collect the answer.
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// The subject of a stream: what is written of an event, and when a check is due.
pub(crate) trait Topic: Send + Unpin + 'static {
    /// What a check finds.
    type Found: Send + Unpin + 'static;

    /// Which kind of stream it is.
    fn kind(&self) -> StreamKind;

    /// An event was delivered.
    fn on_event(&mut self, delivery: &Delivery, app: &App, out: &mut Out);

    /// Events were dropped; `None` if their number is unknown. A check follows.
    fn missed(&mut self, count: Option<u64>, app: &App, out: &mut Out);

    /// When the next check is due, counted from the beginning of the stream; `None` if never.
    fn next_check(&self) -> Option<Duration>;

    /// Checks: reads the record, or sends the heartbeat.
    fn check(&mut self, app: Arc<App>) -> BoxFuture<'static, Self::Found>;

    /// What the check found.
    fn found(&mut self, found: Self::Found, app: &App, out: &mut Out);
}

/// Why a stream ends although its topic does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ByeReason)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Bye {
    /// The node stops.
    Stopping,
    /// The credential is not valid any more.
    Unauthenticated,
    /// The session is forgotten.
    SessionUnknown,
}

/// `bye`: the server ends the stream.
#[derive(Serialize, ToSchema)]
pub(crate) struct ByeEvent {
    /// Why.
    reason: Bye,
    /// When to connect again, in milliseconds from now; `retry` of the event says the same.
    retry_ms: u64,
}

/// What a stream writes.
#[derive(Debug)]
pub(crate) struct Out {
    bytes: Vec<u8>,
    metrics: PushMetrics,
    watch: Stopwatch,
    /// How it ended, once it has.
    end: Option<StreamEnd>,
}

/// The id of an event: two numbers, as text.
pub(crate) type EventId = (u64, u64);

impl Out {
    /// The time since the beginning of the stream.
    pub(crate) fn now(&self) -> Duration {
        self.watch.elapsed()
    }

    /// Writes an event.
    pub(crate) fn event(&mut self, id: EventId, name: &str, data: &impl Serialize) {
        self.head(id, name);
        serde_json::to_writer(&mut self.bytes, data).expect("events have text as keys");
        self.bytes.extend_from_slice(b"\n\n");
        self.metrics.events.inc();
    }

    fn head(&mut self, (one, two): EventId, name: &str) {
        let head = format!("id: {one:016x}-{two}\nevent: {name}\ndata: ");
        self.bytes.extend_from_slice(head.as_bytes());
    }

    fn retry(&mut self, milliseconds: u64) {
        let line = format!("retry: {milliseconds}\n");
        self.bytes.extend_from_slice(line.as_bytes());
    }

    /// The stream ends behind what is written.
    pub(crate) fn end(&mut self, end: StreamEnd) {
        self.end = Some(end);
    }

    /// Ends the stream with a `bye`.
    pub(crate) fn bye(&mut self, id: EventId, reason: Bye) {
        let retry_ms = between(BYE_RETRY_MS);
        self.retry(retry_ms);
        self.event(id, "bye", &ByeEvent { reason, retry_ms });
        self.end(match reason {
            Bye::Unauthenticated => StreamEnd::Credential,
            Bye::Stopping | Bye::SessionUnknown => StreamEnd::Bye,
        });
    }
}

/// A random number within these bounds.
pub(crate) fn between((least, most): (u64, u64)) -> u64 {
    least + getrandom::u64().expect("the operating system has random bytes") % (most - least + 1)
}

/// An event stream.
pub(crate) struct EventStream<T: Topic> {
    app: Arc<App>,
    subscription: Subscription,
    topic: T,
    credential: StreamCredential,
    /// The accepted keys that `credential` was compared with.
    credentials: usize,
    checking: Option<BoxFuture<'static, T::Found>>,
    /// What a check has found. Events that it committed come first.
    found: Option<T::Found>,
    wants_check: bool,
    /// Whether an event was delivered since the check under way began: what it read may be older.
    is_overtaken: bool,
    next_comment: Duration,
    /// Armed for this time.
    timer: Option<(Duration, Pin<Box<Sleep>>)>,
    out: Out,
}

impl<T: Topic> EventStream<T> {
    /// A stream that begins with what `begin` writes.
    pub(crate) fn new(
        app: Arc<App>,
        subscription: Subscription,
        credential: StreamCredential,
        mut topic: T,
        begin: impl FnOnce(&mut T, &mut Out),
    ) -> Self {
        let hub = subscription.hub();
        let mut out = Out {
            bytes: Vec::new(),
            metrics: hub.metrics().clone(),
            watch: Stopwatch::start(),
            end: None,
        };
        out.metrics.streams(topic.kind()).inc();
        out.retry(between(RETRY_MS));
        begin(&mut topic, &mut out);
        Self {
            // As they were before the request was authorized, or earlier.
            credentials: usize::MAX,
            app,
            subscription,
            topic,
            credential,
            checking: None,
            found: None,
            wants_check: false,
            is_overtaken: false,
            next_comment: COMMENT_EVERY,
            timer: None,
            out,
        }
    }

    /// The answer whose body this is.
    pub(crate) fn into_response(self) -> Response {
        response(Body::new(self))
    }

    /// Does the next thing that is due. Returns whether there was one; if not, the task is woken
    /// once there is.
    fn step(&mut self, cx: &mut Context<'_>) -> bool {
        match self.subscription.next(cx) {
            Some(Received::Event(delivery)) => {
                self.is_overtaken = true;
                self.topic.on_event(&delivery, &self.app, &mut self.out);
                return true;
            }
            Some(Received::Missed(count)) => {
                self.out.metrics.missed.inc_by(count.unwrap_or(1));
                self.topic.missed(count, &self.app, &mut self.out);
                self.wants_check = true;
                return true;
            }
            Some(Received::Recheck) => {
                self.wants_check = true;
                return true;
            }
            None => {}
        }
        let hub = self.subscription.hub();
        if hub.is_closing() {
            self.out.bye(hub.event_id(), Bye::Stopping);
            return true;
        }
        if self.credentials != hub.credentials() {
            self.credentials = hub.credentials();
            if !self.credential.holds(&self.app) {
                self.out.bye(hub.event_id(), Bye::Unauthenticated);
            }
            return true;
        }
        self.work(cx) || self.wait(cx)
    }

    /// Goes on with a check, or begins one that is due.
    fn work(&mut self, cx: &mut Context<'_>) -> bool {
        if let Some(checking) = &mut self.checking {
            let Poll::Ready(found) = checking.as_mut().poll(cx) else {
                return false;
            };
            self.checking = None;
            self.found = Some(found);
            return true;
        }
        if let Some(found) = self.found.take() {
            // The result of a heartbeat is true whatever was delivered, and is to be written.
            self.wants_check |= self.is_overtaken;
            if !self.is_overtaken || self.topic.kind() == StreamKind::Hold {
                self.topic.found(found, &self.app, &mut self.out);
            }
            return true;
        }
        let is_due = |at| at <= self.out.now();
        if self.wants_check || self.topic.next_check().is_some_and(is_due) {
            self.wants_check = false;
            self.is_overtaken = false;
            self.checking = Some(self.topic.check(Arc::clone(&self.app)));
            return true;
        }
        false
    }

    /// Waits for the next time at which something is due.
    fn wait(&mut self, cx: &mut Context<'_>) -> bool {
        let now = self.out.now();
        if now >= self.next_comment {
            self.next_comment = now + COMMENT_EVERY;
            self.out.bytes.extend_from_slice(b":\n\n");
            if !self.credential.holds(&self.app) {
                let id = self.subscription.hub().event_id();
                self.out.bye(id, Bye::Unauthenticated);
            }
            return true;
        }
        let check = self.topic.next_check().filter(|_| self.checking.is_none());
        let due = check.map_or(self.next_comment, |at| at.min(self.next_comment));
        let timer = match &mut self.timer {
            Some((armed_for, timer)) => {
                if *armed_for != due {
                    *armed_for = due;
                    timer.set(sleep(due.saturating_sub(now)));
                }
                timer
            }
            none => {
                &mut none
                    .insert((due, Box::pin(sleep(due.saturating_sub(now)))))
                    .1
            }
        };
        if timer.as_mut().poll(cx).is_pending() {
            return false;
        }
        // The timer counts whole milliseconds: if it is early, it is armed again.
        self.timer = None;
        true
    }
}

impl<T: Topic> HttpBody for EventStream<T> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = self.get_mut();
        loop {
            if !this.out.bytes.is_empty() {
                let bytes = Bytes::from(std::mem::take(&mut this.out.bytes));
                return Poll::Ready(Some(Ok(Frame::data(bytes))));
            }
            if this.out.end.is_some() {
                return Poll::Ready(None);
            }
            if !this.step(cx) {
                return Poll::Pending;
            }
        }
    }
}

impl<T: Topic> Drop for EventStream<T> {
    fn drop(&mut self) {
        let metrics = &self.out.metrics;
        metrics.streams(self.topic.kind()).dec();
        metrics
            .ends(self.out.end.unwrap_or(StreamEnd::Client))
            .inc();
    }
}

/// Checks that an answer can be a stream at all.
///
/// # Errors
/// 501 where a gateway wants answers whole.
pub(crate) fn check_supported(parts: &Parts) -> Result<(), ApiError> {
    if parts.extensions.get::<Gateway>().is_none() {
        return Ok(());
    }
    let detail = "this server runs where an answer is sent whole, so it has no event streams";
    Err(ApiError::new(Code::NoStreams, detail))
}

/// An answer that is an event stream with this body.
pub(crate) fn response(body: Body) -> Response {
    let mut response = with_body(StatusCode::OK, EVENT_STREAM, body);
    let headers = response.headers_mut();
    headers.insert(X_ACCEL_BUFFERING, HeaderValue::from_static("no"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
