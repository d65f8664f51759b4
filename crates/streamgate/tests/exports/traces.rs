//! Spans as the collector gets them; and a collector that is away, or slow, delays nothing.

use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use streamgate_clock::Stopwatch;
use streamgate_testkit::marks::marked_lines;
use streamgate_testkit::{Answer, Client, Server, exchange, free_port};
use tempfile::TempDir;

use super::receiver::{Answers, Receiver};

/// Far more than the process takes to answer or to stop, and less than a receiver that is waited
/// for.
const SOON: Duration = Duration::from_secs(20);

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";

/// The kinds of spans in OTLP.
const INTERNAL: i32 = 1;
const SERVER: i32 = 2;
const CLIENT: i32 = 3;

/// A server that exports to this receiver.
fn exporting(dir: &TempDir, endpoint: &str, settings: &[&str]) -> Server {
    let endpoint = format!("traces.endpoint={endpoint}");
    let mut arguments = vec!["--set", &endpoint];
    for setting in settings {
        arguments.extend(["--set", setting]);
    }
    Server::start_with(dir.path(), &arguments)
}

fn endpoint(receiver: &Receiver) -> String {
    format!("http://{}/v1/traces", receiver.address)
}

/// A call with this `traceparent`.
fn call(server: &Server, method: &str, path: &str, traceparent: &str) -> Answer {
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
         traceparent: {traceparent}\r\n\r\n"
    );
    exchange(server.address, head.as_bytes())
}

/// The spans that the receiver has got.
fn spans(receiver: &Receiver) -> Vec<Span> {
    let mut spans = Vec::new();
    for posted in receiver.posted() {
        assert!(
            posted.head.starts_with("post /v1/traces "),
            "{}",
            posted.head
        );
        assert!(posted.head.contains("content-type: application/x-protobuf"));
        let text = String::from_utf8_lossy(&posted.body).into_owned();
        assert_eq!(marked_lines(&text), [""; 0]);
        let request = ExportTraceServiceRequest::decode(&posted.body[..]).unwrap();
        for of_resource in request.resource_spans {
            let resource = of_resource.resource.unwrap();
            assert_eq!(resource.attributes[0].key, "service.name");
            spans.extend(of_resource.scope_spans.into_iter().flat_map(|it| it.spans));
        }
    }
    spans
}

fn attribute<'a>(span: &'a Span, name: &str) -> Option<&'a Value> {
    let attribute = span.attributes.iter().find(|it| it.key == name)?;
    attribute.value.as_ref()?.value.as_ref()
}

fn text(span: &Span, name: &str) -> String {
    match attribute(span, name) {
        Some(Value::StringValue(text)) => text.clone(),
        other => panic!("{name} is {other:?}"),
    }
}

fn bytes(digits: &str) -> Vec<u8> {
    let pairs = (0..digits.len()).step_by(2);
    pairs
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap())
        .collect()
}

#[test]
fn a_recorded_call_is_a_span_of_its_callers_trace_with_the_store_below_it() {
    let (dir, receiver) = (TempDir::new().unwrap(), Receiver::start(Answers::Well));
    let settings = [
        "traces.one_in=0",
        "traces.trust_traceparent=true",
        "traces.headers=authorization: Bearer abc",
    ];
    let server = exporting(&dir, &endpoint(&receiver), &settings);
    let path = "/v1/users/mk7qz-user/sessions/mk7qz-session";
    let recorded = call(&server, "PUT", path, &format!("00-{TRACE}-{CALLER}-01"));
    assert_eq!(recorded.status, 201);
    // Not recorded by the caller; no caller; no trace.
    call(&server, "PUT", path, &format!("00-{TRACE}-{CALLER}-00"));
    call(&server, "PUT", path, "nonsense");
    server.call("PUT", path, None);
    assert_eq!(server.terminate().status.code(), Some(0));
    let spans = spans(&receiver);
    let [of_store, of_call] = &spans[..] else {
        panic!("{spans:#?}")
    };
    assert_eq!(of_call.trace_id, bytes(TRACE));
    assert_eq!(of_call.parent_span_id, bytes(CALLER));
    assert_eq!(of_call.kind, SERVER);
    assert_eq!(
        of_call.name,
        "PUT /v1/users/{user_id}/sessions/{session_id}"
    );
    assert_eq!(text(of_call, "http.request.method"), "PUT");
    assert_eq!(
        text(of_call, "http.route"),
        "/v1/users/{user_id}/sessions/{session_id}"
    );
    let status = attribute(of_call, "http.response.status_code");
    assert_eq!(status, Some(&Value::IntValue(201)));
    assert_eq!(of_call.status, None);
    assert_eq!(of_store.name, "store transact");
    assert_eq!(of_store.kind, INTERNAL);
    assert_eq!(of_store.trace_id, bytes(TRACE));
    assert_eq!(of_store.parent_span_id, of_call.span_id);
    assert!(of_call.start_time_unix_nano <= of_store.end_time_unix_nano);
    assert!(of_store.start_time_unix_nano <= of_store.end_time_unix_nano);
}

#[test]
fn the_key_of_the_collector_is_sent_and_never_shown() {
    let (dir, receiver) = (TempDir::new().unwrap(), Receiver::start(Answers::Well));
    let settings = ["traces.one_in=1", "traces.headers=x-key: mk7qz-key"];
    let server = exporting(&dir, &endpoint(&receiver), &settings);
    server.call("GET", "/healthz", None);
    let ended = server.terminate();
    assert_eq!(marked_lines(&(ended.stdout + &ended.stderr)), [""; 0]);
    let posted = receiver.posted();
    assert!(
        posted
            .iter()
            .any(|it| it.head.contains("x-key: mk7qz-key\r\n")),
        "{posted:?}"
    );
}

#[test]
fn one_in_three_is_recorded_whatever_players_ask_for() {
    let (dir, receiver) = (TempDir::new().unwrap(), Receiver::start(Answers::Well));
    let server = exporting(&dir, &endpoint(&receiver), &["traces.one_in=3"]);
    for flag in ["00", "01", "01"].repeat(3) {
        call(
            &server,
            "GET",
            "/healthz",
            &format!("00-{TRACE}-{CALLER}-{flag}"),
        );
    }
    assert_eq!(server.terminate().status.code(), Some(0));
    assert_eq!(spans(&receiver).len(), 3);
}

#[test]
fn a_failed_call_is_a_failed_span_with_its_cause() {
    let (dir, receiver) = (TempDir::new().unwrap(), Receiver::start(Answers::Well));
    let settings = ["traces.one_in=1", "store.url=redis://127.0.0.1:1"];
    let server = exporting(&dir, &endpoint(&receiver), &settings);
    let answer = server.call("PUT", "/v1/users/mk7qz-user/sessions/s", None);
    assert_eq!(answer.status, 503);
    server.terminate();
    let spans = spans(&receiver);
    let of_call = spans.iter().find(|it| it.kind == SERVER).unwrap();
    assert_eq!(text(of_call, "error.type"), "503");
    let status = of_call.status.as_ref().unwrap();
    assert_eq!(status.code, 2, "error");
    assert!(status.message.contains("store"), "{status:?}");
    assert!(of_call.parent_span_id.is_empty(), "the trace begins here");
    for of_store in spans.iter().filter(|it| it.name == "store transact") {
        assert_eq!(of_store.kind, CLIENT);
        assert_eq!(text(of_store, "db.system.name"), "redis");
        assert_eq!(of_store.parent_span_id, of_call.span_id);
    }
}

/// Makes calls until spans are dropped; each is answered.
async fn until_spans_are_dropped(server: &Server) {
    let mut client = Client::connect(server.address).await.unwrap();
    let watch = Stopwatch::start();
    let mut calls = 0;
    while server.metric::<u64>("streamgate_spans_dropped_total") == 0 {
        for _ in 0..500 {
            let started = client
                .start(&format!("u{}", calls % 100), "s")
                .await
                .unwrap();
            assert!(started.status < 300, "{started:?}");
            calls += 1;
        }
        assert!(watch.elapsed() < SOON, "{calls} calls");
    }
}

#[tokio::test]
async fn a_collector_that_is_away_costs_its_spans_and_no_call() {
    let dir = TempDir::new().unwrap();
    let nobody = format!("http://127.0.0.1:{}/v1/traces", free_port());
    let server = exporting(&dir, &nobody, &["traces.one_in=1"]);
    until_spans_are_dropped(&server).await;
    let ended = server.terminate();
    assert_eq!(ended.status.code(), Some(0));
    assert!(
        ended.stderr.contains("could not be sent"),
        "{}",
        ended.stderr
    );
}

#[tokio::test]
async fn a_collector_that_does_not_answer_delays_no_call_and_no_stop() {
    for answers in [Answers::Never, Answers::Unavailable] {
        let (dir, receiver) = (TempDir::new().unwrap(), Receiver::start(answers));
        let server = exporting(&dir, &endpoint(&receiver), &["traces.one_in=1"]);
        until_spans_are_dropped(&server).await;
        let watch = Stopwatch::start();
        assert_eq!(server.terminate().status.code(), Some(0));
        assert!(watch.elapsed() < SOON, "{:?}", watch.elapsed());
    }
}

#[test]
fn without_a_collector_nothing_is_recorded_and_traces_are_still_continued() {
    let dir = TempDir::new().unwrap();
    let server = Server::start(dir.path());
    let answer = call(
        &server,
        "GET",
        "/healthz",
        &format!("00-{TRACE}-{CALLER}-01"),
    );
    let given = answer.header("traceresponse");
    assert!(
        given.starts_with(&format!("00-{TRACE}-")) && given.ends_with("-00"),
        "{given}"
    );
}
