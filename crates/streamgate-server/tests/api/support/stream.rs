//! An event stream, read event by event.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::Value;
use tokio::time::timeout;

use super::{Service, request};

/// How long a test waits for an event that must come.
const PATIENCE: Duration = Duration::from_secs(20);

/// An event of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StreamEvent {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) data: Value,
    pub(crate) retry_ms: Option<u64>,
}

/// The reader of a stream.
pub(crate) struct Stream {
    pub(crate) response: Response<()>,
    body: Body,
    read: String,
}

impl Stream {
    pub(crate) async fn open(service: &Service, path: &str) -> Self {
        Self::of(service, request("GET", path, Body::empty())).await
    }

    /// The stream that answers a request.
    pub(crate) async fn of(service: &Service, request: Request<Body>) -> Self {
        let (parts, body) = service.endpoints.answer(request).await.into_parts();
        let stream = Self {
            response: Response::from_parts(parts, ()),
            body,
            read: String::new(),
        };
        assert_eq!(stream.response.status(), StatusCode::OK);
        let kind = &stream.response.headers()["content-type"];
        assert_eq!(kind, "text/event-stream");
        stream
    }

    /// The next event; `None` at the end of the stream.
    pub(crate) async fn next(&mut self) -> Option<StreamEvent> {
        let next = timeout(PATIENCE, self.read_next()).await;
        next.unwrap_or_else(|_| panic!("no event; read {:?}", self.read))
    }

    async fn read_next(&mut self) -> Option<StreamEvent> {
        loop {
            if let Some(end) = self.read.find("\n\n") {
                let message: String = self.read.drain(..end + 2).collect();
                if let Some(event) = parse(&message) {
                    return Some(event);
                }
                continue;
            }
            let frame = self.body.frame().await?.unwrap();
            let bytes = frame.into_data().unwrap();
            self.read += std::str::from_utf8(&bytes).unwrap();
        }
    }

    /// The next event, which must have this name; its data.
    #[track_caller]
    pub(crate) fn expect(&mut self, name: &str) -> impl Future<Output = Value> {
        let caller = std::panic::Location::caller();
        async move {
            let event = self.next().await;
            let event = event.unwrap_or_else(|| panic!("{caller}: the stream ended, no {name}"));
            assert_eq!(event.name, name, "{caller}: {event:?}");
            event.data
        }
    }

    /// Asserts that the stream has ended.
    pub(crate) async fn assert_end(&mut self) {
        assert_eq!(self.next().await, None);
    }

    /// Asserts that there is nothing to read now.
    pub(crate) async fn assert_quiet(&mut self) {
        let more = timeout(Duration::from_millis(100), self.read_next()).await;
        assert!(more.is_err(), "{more:?}");
    }
}

/// The event of a message; `None` for a comment.
pub(crate) fn parse(message: &str) -> Option<StreamEvent> {
    let field = |name: &str| {
        let mut lines = message.lines();
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    };
    let Some(data) = field("data") else {
        assert_eq!(message, ":\n\n", "a message is an event or a comment");
        return None;
    };
    Some(StreamEvent {
        id: field("id").expect("every event has an id").to_owned(),
        name: field("event").expect("every event has a name").to_owned(),
        data: serde_json::from_str(data).unwrap(),
        retry_ms: field("retry").map(|text| text.parse().unwrap()),
    })
}
