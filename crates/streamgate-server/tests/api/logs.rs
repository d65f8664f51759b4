//! Lines in the log: one for each request, with its id, and nothing that lets others in.

use std::io;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use serde_json::{Value, json};
use streamgate_server::telemetry::{ErrorReports, LineQueue, LogFormat, subscriber};
use streamgate_server::{RateLimitSettings, ServerSettings};

use crate::support::{Service, keys, request};

/// What was logged.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    pub(crate) fn lines(&self) -> Vec<Value> {
        let parse = |line| serde_json::from_str(line).unwrap();
        self.text().lines().map(parse).collect()
    }

    /// What `run` logs, through the pipeline of the process.
    pub(crate) async fn of(format: LogFormat, filter: &str, run: impl Future<Output = ()>) -> Self {
        Self::reporting(format, filter, None, run).await
    }

    /// The same with error reports.
    pub(crate) async fn reporting(
        format: LogFormat,
        filter: &str,
        reports: Option<Arc<dyn ErrorReports>>,
        run: impl Future<Output = ()>,
    ) -> Self {
        let log = Self::default();
        let queue = LineQueue::start(log.clone());
        let (subscriber, repeats) = subscriber(format, filter, &queue, reports).unwrap();
        let _guard = tracing::subscriber::set_default(subscriber);
        run.await;
        repeats.report_all();
        assert!(queue.flush(PATIENCE), "the sink is memory");
        assert_eq!(queue.dropped(), 0);
        log
    }
}

/// Longer than it takes to write a test's lines to memory.
const PATIENCE: Duration = Duration::from_secs(60);

/// The trace context of the calls here, and what its lines say of it.
const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const TRACE_ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// Sends requests with the id `r-1`, a trace context and the key `player`, and returns what was
/// logged.
async fn log_of(filter: &str, service: &Service, calls: &[(&str, &str)]) -> Log {
    Log::of(LogFormat::Json, filter, send(service, calls)).await
}

async fn send(service: &Service, calls: &[(&str, &str)]) {
    for (method, path) in calls {
        let mut request = request(method, path, Body::empty());
        let headers = request.headers_mut();
        headers.insert("x-request-id", "r-1".parse().unwrap());
        headers.insert("traceparent", TRACEPARENT.parse().unwrap());
        headers.insert("x-api-key", "player".parse().unwrap());
        service.send(request).await;
    }
}

#[tokio::test]
async fn a_request_is_one_line_for_those_who_ask_for_it() {
    let service = Service::keyed();
    let calls = [(
        "PUT",
        "/v1/users/secret-name/sessions/secret-id?x=secret-query",
    )];
    let log = log_of("debug", &service, &calls).await;
    let [line] = &log.lines()[..] else {
        panic!("{}", log.text())
    };
    assert_eq!(line["log.level"], "DEBUG");
    assert_eq!(line["http.request.id"], "r-1");
    assert_eq!(line["http.request.method"], "PUT");
    assert_eq!(
        line["labels.route"],
        "/v1/users/{user_id}/sessions/{session_id}"
    );
    assert_eq!(line["http.response.status_code"], 201);
    assert!(line["event.duration"].as_u64().unwrap() % 1_000 == 0, "ns");
    assert_eq!(line["trace.id"], TRACE_ID);
    assert_eq!(line["span.id"].as_str().unwrap().len(), 16);
    for secret in ["secret-", "player"] {
        assert!(!log.text().contains(secret), "{}", log.text());
    }
    let log = log_of("info", &service, &calls).await;
    assert_eq!(log.text(), "", "what goes well is no news");
}

#[tokio::test]
async fn errors_of_the_server_are_logged_with_their_cause() {
    let service = Service::keyed();
    service.damage("u").await;
    let path = "/v1/users/u/sessions";
    let log = log_of("warn", &service, &[("GET", path), ("GET", "/none")]).await;
    service.break_store().await;
    let later = log_of("warn", &service, &[("GET", path)]).await;
    let ([record, damaged], [down]) = (&log.lines()[..], &later.lines()[..]) else {
        panic!("{}{}", log.text(), later.text())
    };
    // A line of the engine, on the way to the answer: it belongs to the trace as well.
    assert_eq!(record["trace.id"], TRACE_ID);
    // `printf %s u | sha256sum`, in part: the operator can tell whose it is, the log does not.
    assert_eq!(record["log.level"], "ERROR");
    assert_eq!(record["user.hash"], "0bfe935e70c321c7");
    assert_eq!(damaged["log.level"], "ERROR");
    assert_eq!(damaged["http.request.id"], "r-1");
    assert_eq!(damaged["http.response.status_code"], 500);
    let cause = damaged["error.message"].as_str().unwrap();
    assert!(cause.contains("cannot be read"), "{cause}");
    assert_eq!(down["log.level"], "WARN");
    assert_eq!(down["http.response.status_code"], 503);
    assert_eq!(
        down["error.message"],
        "the store is unavailable: the store is closed"
    );
}

/// The line of a request, whole: what a shipper of logs takes without parsing.
#[tokio::test]
async fn a_line_in_json_has_the_names_of_the_elastic_common_schema() {
    let service = Service::keyed();
    service.break_store().await;
    let log = log_of("info", &service, &[("GET", "/v1/users/u/sessions")]).await;
    let mut line = log.lines().remove(0);
    let mut take = |name: &str| line.as_object_mut().unwrap().remove(name).unwrap();
    let time = take("@timestamp");
    let time = time.as_str().unwrap();
    assert!(time.ends_with('Z') && time.contains('T'), "{time}");
    assert!(take("event.duration").is_u64());
    assert!(take("span.id").is_string());
    assert_eq!(
        line,
        json!({
            "ecs.version": "9.4.0",
            "log.level": "WARN",
            "log.logger": "streamgate_server::routing::observe",
            "service.name": "streamgate",
            "service.version": env!("CARGO_PKG_VERSION"),
            "message": "request",
            "http.request.id": "r-1",
            "http.request.method": "GET",
            "http.response.status_code": 503,
            "labels.route": "/v1/users/{user_id}/sessions",
            "error.message": "the store is unavailable: the store is closed",
            "trace.id": TRACE_ID,
        })
    );
}

#[tokio::test]
async fn a_line_in_text_has_short_names() {
    let service = Service::keyed();
    service.break_store().await;
    let calls = [("GET", "/v1/users/u/sessions")];
    let log = Log::of(LogFormat::Human, "info", send(&service, &calls)).await;
    let text = log.text();
    for part in [
        "  WARN streamgate_server::routing::observe: request request_id=\"r-1\" method=\"GET\" ",
        " route=\"/v1/users/{user_id}/sessions\" status=503 duration_us=",
        " error=\"the store is unavailable: the store is closed\" ",
        &format!(" trace_id={TRACE_ID} span_id="),
    ] {
        assert!(text.contains(part), "{part:?} in {text:?}");
    }
}

#[tokio::test]
async fn a_request_without_a_trace_context_has_no_trace_in_its_line() {
    let service = Service::open();
    for format in [LogFormat::Human, LogFormat::Json] {
        let log = Log::of(format, "debug", async {
            service.get("/v1/users/nobody").await;
        });
        let text = log.await.text();
        assert!(text.contains("404") && !text.contains("trace"), "{text}");
    }
}

#[tokio::test]
async fn a_key_that_may_not_is_named_but_not_shown() {
    let service = Service::keyed();
    let log = log_of("debug", &service, &[("GET", "/v1/sessions")]).await;
    let lines = log.lines();
    assert_eq!(lines[0]["http.response.status_code"], 403);
    assert_eq!(
        lines[0]["error.message"],
        "key \"key of player\" has scope player"
    );
}

#[tokio::test]
async fn a_key_that_calls_too_often_is_named() {
    let service = Service::with(ServerSettings {
        keys: keys(),
        rate_limit: RateLimitSettings {
            per_key_per_s: NonZeroU32::new(1),
            ..RateLimitSettings::default()
        },
        ..ServerSettings::default()
    });
    // So many in a row that one of them is too many also on a machine that stalls.
    let calls = [("GET", "/v1/users/u/sessions"); 100];
    let log = log_of("debug", &service, &calls).await;
    let lines = log.lines();
    let refused = lines
        .iter()
        .find(|line| line["http.response.status_code"] == 429)
        .unwrap();
    assert_eq!(
        refused["error.message"],
        "key \"key of player\" is over its rate"
    );
}
