//! An event stream, read event by event.

use std::sync::LazyLock;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::Value;
use streamgate_server::{OpenApiVersion, openapi_json};
use tokio::time::timeout;

use super::{Service, request};

/// What the document says.
static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    let document = openapi_json(None, OpenApiVersion::V3_1);
    serde_json::from_str(&document).expect("the document is JSON")
});

/// How long a test waits for an event that must come.
const PATIENCE: Duration = Duration::from_secs(60);

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
    /// The schema of each event, by the document.
    schemas: &'static Value,
}

impl Stream {
    pub(crate) async fn open(service: &Service, path: &str) -> Self {
        Self::of(service, request("GET", path, Body::empty())).await
    }

    /// The stream that answers a request.
    pub(crate) async fn of(service: &Service, request: Request<Body>) -> Self {
        let schemas = schemas_at(request.uri().path());
        let (parts, body) = service.endpoints.answer(request).await.into_parts();
        let stream = Self {
            schemas,
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
        let event = next.unwrap_or_else(|_| panic!("no event; read {:?}", self.read))?;
        let schema = self.schemas[&event.name].as_str();
        let schema = schema.unwrap_or_else(|| panic!("not in the document: {event:?}"));
        assert_members(&event.data, schema);
        Some(event)
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

/// What the document says of the events of the stream at a path.
fn schemas_at(path: &str) -> &'static Value {
    let path: Vec<&str> = path.split('/').collect();
    let is_at = |template: &str| {
        let template: Vec<&str> = template.split('/').collect();
        let mut parts = path.iter().zip(&template);
        path.len() == template.len() && parts.all(|(part, of)| of.starts_with('{') || part == of)
    };
    let paths = DOCUMENT["paths"].as_object().expect("there are paths");
    let mut events = paths.iter().filter(|(template, _)| is_at(template));
    let (_, item) = events.next().unwrap_or_else(|| panic!("no path {path:?}"));
    &item["get"]["responses"]["200"]["x-streamgate-events"]
}

/// Asserts that an object has the members of its schema: those that are required, and no others
/// than those that are named.
fn assert_members(data: &Value, schema: &str) {
    let about = &DOCUMENT["components"]["schemas"][schema];
    let named = about["properties"].as_object();
    let named = named.unwrap_or_else(|| panic!("{schema} is no object: {about}"));
    let data = data.as_object().expect("an event is an object");
    for member in data.keys() {
        assert!(named.contains_key(member), "{schema} has no {member}");
    }
    for required in about["required"].as_array().into_iter().flatten() {
        let required = required.as_str().expect("a name");
        assert!(
            data.contains_key(required),
            "{schema}: no {required} in {data:?}"
        );
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
