//! Promise 8: a request that has arrived whole is carried out, even if its client hangs up. Clients
//! close or reset their connection right behind a request, or close their sending side only.

use std::time::Duration;

use streamgate_server::HttpSettings;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::running::{Over, Running, Stream, over_plain_and_tls, read_all, read_until};
use crate::support::{MADE_ID, MADE_V4_ID, Service};

/// How many requests of each kind are sent with each of the four ways to leave, together more than
/// 1,000. Each has a connection of its own, and its handshake.
const fn requests(over: Over) -> usize {
    match over {
        Over::Plain => 1_000,
        Over::Tls => 260,
    }
}

/// The same for calls of dialects, of which there are many kinds: over TLS, fewer.
const fn requests_of_dialects(over: Over) -> usize {
    match over {
        Over::Plain => 260,
        Over::Tls => 40,
    }
}

/// Bytes that make a body long.
const LONG: usize = 20 << 10;

/// How a client leaves once its request is written.
#[derive(Debug, Clone, Copy)]
enum Leaves {
    /// FIN at once, on a connection of its own.
    Fresh,
    /// RST at once, on a connection of its own.
    FreshReset,
    /// FIN at once, on a connection that has been used.
    Used,
    /// RST at once, on a connection that has been used.
    UsedReset,
}

/// Every way to leave.
const WAYS: [Leaves; 4] = [
    Leaves::Fresh,
    Leaves::FreshReset,
    Leaves::Used,
    Leaves::UsedReset,
];

/// Sends a request and leaves, without waiting for anything.
async fn send_and_leave(running: &Running, leaves: Leaves, request: &str) {
    let mut stream = running.connect().await;
    if matches!(leaves, Leaves::Used | Leaves::UsedReset) {
        let ask = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
        stream.write_all(ask).await.unwrap();
        read_until(&mut stream, "\"ok\"}").await;
    }
    stream.write_all(request.as_bytes()).await.unwrap();
    if matches!(leaves, Leaves::FreshReset | Leaves::UsedReset) {
        stream.set_zero_linger();
    }
}

/// A request with a body, of one line and one header for each part.
fn with_body(line: &str, body: &str) -> String {
    format!(
        "{line} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn without_body(line: &str) -> String {
    format!("{line} HTTP/1.1\r\nhost: x\r\n\r\n")
}

/// Waits until a metric has this value; `line` is its name with its labels.
async fn wait_for(service: &Service, line: &str, value: usize, what: &str) {
    let mut last = String::new();
    for _ in 0..2_000 {
        let page = service.get("/metrics").await.text();
        let found = page
            .lines()
            .find_map(|found| found.strip_prefix(line)?.strip_prefix(' '));
        last = found.unwrap_or("nothing").to_owned();
        if last == value.to_string() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{what}: {line} is {last}, not {value}");
}

/// The line of the metric that counts these answers.
fn answers(method: &str, route: &str, status: u16) -> String {
    format!(
        "streamgate_http_request_duration_seconds_count\
         {{method=\"{method}\",route=\"{route}\",status=\"{status}\"}}"
    )
}

/// Sends as many requests as there are users, each client leaving at once, and waits until all of
/// them are carried out: answered with this status, although no client reads it.
async fn all_are_carried_out(
    over: Over,
    prepare: impl AsyncFn(&Service, usize),
    request: impl Fn(usize) -> String,
    counted: &str,
) {
    for leaves in WAYS {
        let running = Running::over(over, HttpSettings::default()).await;
        for i in 0..requests(over) {
            prepare(&running.service, i).await;
        }
        for i in 0..requests(over) {
            send_and_leave(&running, leaves, &request(i)).await;
        }
        wait_for(
            &running.service,
            counted,
            requests(over),
            &format!("{leaves:?}"),
        )
        .await;
        // The clients have gone, so no connection is left.
        let open = "streamgate_http_connections";
        wait_for(&running.service, open, 0, &format!("{leaves:?}")).await;
    }
}

async fn nothing(_: &Service, _: usize) {}

/// Starts session `s` of user number `i`.
async fn started(service: &Service, i: usize) {
    let path = format!("/v1/users/u{i}/sessions/s");
    assert_eq!(service.call("PUT", &path).await.status, 201);
}

const SESSION: &str = "/v1/users/{user_id}/sessions/{session_id}";

async fn a_start_is_carried_out_for_a_client_that_has_left(over: Over) {
    let start = |i| with_body(&format!("PUT /v1/users/u{i}/sessions/s"), "{}");
    all_are_carried_out(over, nothing, start, &answers("PUT", SESSION, 201)).await;
    let route = "/v1/users/{user_id}/sessions";
    let start = |i| with_body(&format!("POST /v1/users/u{i}/sessions"), "{}");
    all_are_carried_out(over, nothing, start, &answers("POST", route, 201)).await;
}

async fn a_heartbeat_is_carried_out_for_a_client_that_has_left(over: Over) {
    let route = format!("{SESSION}/heartbeat");
    let heartbeat = |i| without_body(&format!("POST /v1/users/u{i}/sessions/s/heartbeat"));
    all_are_carried_out(over, started, heartbeat, &answers("POST", &route, 200)).await;
}

async fn a_stop_is_carried_out_for_a_client_that_has_left(over: Over) {
    let stop = |i| without_body(&format!("DELETE /v1/users/u{i}/sessions/s"));
    all_are_carried_out(over, started, stop, &answers("DELETE", SESSION, 204)).await;
    let route = format!("{SESSION}/stop");
    let stop = |i| with_body(&format!("POST /v1/users/u{i}/sessions/s/stop"), "bye");
    all_are_carried_out(over, started, stop, &answers("POST", &route, 204)).await;
}

/// A batch of one heartbeat, whose body has this number of blanks.
fn batch(i: usize, blanks: usize) -> String {
    let entry = format!("{{\"user_id\":\"u{i}\",\"session_id\":\"s\"}}");
    let body = format!("{{\"heartbeats\":[{entry}{}]}}", " ".repeat(blanks));
    with_body("POST /v1/heartbeats", &body)
}

async fn a_batch_is_carried_out_for_a_client_that_has_left(over: Over) {
    let batch = |i| batch(i, 0);
    let counted = answers("POST", "/v1/heartbeats", 200);
    all_are_carried_out(over, started, batch, &counted).await;
}

/// Nothing of a long body is read before its turn (ADR 0030): what has arrived is read behind a FIN
/// or a reset, too.
async fn a_long_batch_is_carried_out_for_a_client_that_has_left(over: Over) {
    let batch = |i| batch(i, LONG);
    let counted = answers("POST", "/v1/heartbeats", 200);
    all_are_carried_out(over, started, batch, &counted).await;
}

async fn a_change_of_a_user_is_carried_out_for_a_client_that_has_left(over: Over) {
    let change = |i| with_body(&format!("PUT /v1/users/u{i}"), "{\"limit\":2}");
    let counted = answers("PUT", "/v1/users/{user_id}", 200);
    all_are_carried_out(over, nothing, change, &counted).await;
    let erase = |i| without_body(&format!("DELETE /v1/users/u{i}"));
    let counted = answers("DELETE", "/v1/users/{user_id}", 204);
    all_are_carried_out(over, started, erase, &counted).await;
}

/// The starts and stops of each dialect, in an order in which each succeeds. Of a call: method,
/// status, path below `/compat` with the names of the route, body.
const DIALECTS: [&str; 5] = [
    "POST 200 /session-tracker/add-session?user_id={userId}
     POST 200 /session-tracker/remove-session?user_id={userId}",
    // It has no stop.
    "GET 200 /concurrency-service/{stage}/startSession/userId/{userId}/sessionId/{sessionId}",
    r#"POST 201 /stream-log/{stage}/stream {"userId":"{userId}"}
       DELETE 204 /stream-log/{stage}/stream {"userId":"{userId}","streamId":"{made}"}"#,
    "GET 200 /user-streams/user-streams/{userId}/{sessionId}
     DELETE 204 /user-streams/user-streams/{userId}",
    r#"POST 200 /stream-requests/createuser {"Name":"n","id":"{userId}"}
       POST 200 /stream-requests/requeststream {"id":"{userId}","stream":"{sessionId}"}
       POST 200 /stream-requests/removeuser {"id":"{userId}"}"#,
];

/// A call of a dialect.
#[derive(Debug)]
struct Call<'a> {
    method: &'a str,
    status: u16,
    path: &'a str,
    body: &'a str,
}

/// The calls of a dialect of [`DIALECTS`].
fn calls_of(dialect: &str) -> Vec<Call<'_>> {
    dialect.lines().map(Call::of).collect()
}

impl<'a> Call<'a> {
    fn of(line: &'a str) -> Self {
        let mut parts = line.trim().splitn(4, ' ');
        let mut next = || parts.next().unwrap_or_default();
        Self {
            method: next(),
            status: next().parse().unwrap(),
            path: next(),
            body: next(),
        }
    }

    /// The request for user number `i`.
    fn request(&self, i: usize) -> String {
        let filled = |text: &str| {
            text.replace("{userId}", &format!("u{i}"))
                .replace("{sessionId}", "s")
                .replace("{stage}", "dev")
                .replace("{made}", MADE_V4_ID)
        };
        let line = format!("{} /compat{}", self.method, filled(self.path));
        match self.body {
            "" => without_body(&line),
            body => with_body(&line, &filled(body)),
        }
    }

    /// The line of the metric that counts its answers.
    fn counted(&self) -> String {
        let route = self.path.split('?').next().unwrap_or_default();
        answers(self.method, &format!("/compat{route}"), self.status)
    }
}

async fn a_call_of_a_dialect_is_carried_out_for_a_client_that_has_left(over: Over) {
    let users = requests_of_dialects(over);
    for dialect in DIALECTS {
        let calls = calls_of(dialect);
        for leaves in WAYS {
            let running = Running::over(over, HttpSettings::default()).await;
            for call in &calls {
                for i in 0..users {
                    send_and_leave(&running, leaves, &call.request(i)).await;
                }
                let what = format!("{leaves:?}, {call:?}");
                wait_for(&running.service, &call.counted(), users, &what).await;
            }
            let left = if calls.len() > 1 { 0 } else { users };
            let live = running.service.metric("streamgate_live_sessions").await;
            assert_eq!(live, left.to_string(), "{leaves:?}, {calls:?}");
        }
    }
}

/// Requests that follow each other on one connection, whose client has left before the first is
/// answered: the answers cannot be delivered, and the requests behind them are carried out.
async fn every_request_of_a_pipeline_is_carried_out_for_a_client_that_has_left(over: Over) {
    let running = Running::over(over, HttpSettings::default()).await;
    for i in 0..requests(over) {
        let line = |method: &str, what| format!("{method} /v1/users/u{i}/sessions/s{what}");
        let requests = [line("PUT", ""), line("POST", "/heartbeat"), line("PUT", "")]
            .into_iter()
            .chain((0..5).map(|_| line("POST", "/heartbeat")))
            .chain([line("DELETE", "")]);
        let pipeline: String = requests.map(|line| without_body(&line)).collect();
        send_and_leave(&running, Leaves::UsedReset, &pipeline).await;
    }
    let stops = answers("DELETE", SESSION, 204);
    wait_for(&running.service, &stops, requests(over), "pipelines").await;
    wait_for(&running.service, "streamgate_live_sessions", 0, "pipelines").await;
}

/// Sends a request, closes the sending side, and waits for the answer.
async fn half_close(running: &Running, request: &str, status: u16) {
    let mut stream = running.sent(request).await;
    stream.shutdown().await.unwrap();
    let answer = read_all(&mut stream).await;
    let right = format!("HTTP/1.1 {status} ");
    assert!(answer.starts_with(&right), "{request}: {answer}");
}

/// RFC 9112, 9.6: a client that has closed its sending side may still wait for its answer.
async fn a_half_closed_client_gets_its_answer(over: Over) {
    let running = Running::over(over, HttpSettings::default()).await;
    for i in 0..requests(over) {
        let user = format!("/v1/users/u{i}");
        let path = format!("{user}/sessions/s");
        for (request, status) in [
            (with_body(&format!("PUT {user}"), "{\"limit\":1}"), 200),
            (with_body(&format!("PUT {path}"), "{}"), 201),
            (without_body(&format!("POST {path}/heartbeat")), 200),
            (batch(i, 0), 200),
            (batch(i, LONG), 200),
            (without_body(&format!("DELETE {path}")), 204),
            (with_body(&format!("POST {user}/sessions"), "{}"), 201),
            (
                with_body(&format!("POST {user}/sessions/{MADE_ID}/stop"), "bye"),
                204,
            ),
        ] {
            half_close(&running, &request, status).await;
        }
    }
    let live = running.service.metric("streamgate_live_sessions").await;
    assert_eq!(live, "0");
}

async fn a_half_closed_client_of_a_dialect_gets_its_answer(over: Over) {
    let running = Running::over(over, HttpSettings::default()).await;
    for call in DIALECTS.into_iter().flat_map(calls_of) {
        for i in 0..requests(Over::Tls) {
            half_close(&running, &call.request(i), call.status).await;
        }
    }
}

/// A body that was announced and did not come is no whole request.
async fn a_request_that_has_not_arrived_whole_is_not_carried_out(over: Over) {
    let running = Running::over(over, HttpSettings::default()).await;
    let mut stream = running.connect().await;
    let head = b"PUT /v1/users/u/sessions/s HTTP/1.1\r\nhost: x\r\n\
                 content-type: application/json\r\ncontent-length: 20\r\n\r\n{}";
    stream.write_all(head).await.unwrap();
    stream.shutdown().await.unwrap();
    let answer = read_all(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    let live = running.service.metric("streamgate_live_sessions").await;
    assert_eq!(live, "0");
}

/// A streamed answer is given up once its client has left, whether or not it had read some of it.
async fn a_streamed_answer_ends_when_its_client_has_left(over: Over) {
    let running = Running::over(over, HttpSettings::default()).await;
    let profile = {
        let text = "x".repeat(256);
        serde_json::json!({"profile": {"a": text, "b": text, "c": text, "d": text}})
    };
    // More than all buffers between server and client can hold.
    for i in 0..20_000 {
        let path = format!("/v1/users/u{i}");
        let answer = running.service.json("PUT", &path, &profile).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    let list = without_body("GET /compat/stream-requests/getallusers");
    for reads in [false, true] {
        let mut streams: Vec<Stream> = Vec::new();
        for _ in 0..10 {
            let mut stream = running.connect().await;
            stream.write_all(list.as_bytes()).await.unwrap();
            if reads {
                stream.read_exact(&mut [0; 4_096]).await.unwrap();
            }
            streams.push(stream);
        }
        drop(streams);
        let open = "streamgate_http_connections";
        wait_for(&running.service, open, 0, "streamed answers").await;
    }
}

over_plain_and_tls! {
    a_start_is_carried_out_for_a_client_that_has_left,
    a_heartbeat_is_carried_out_for_a_client_that_has_left,
    a_stop_is_carried_out_for_a_client_that_has_left,
    a_batch_is_carried_out_for_a_client_that_has_left,
    a_long_batch_is_carried_out_for_a_client_that_has_left,
    a_change_of_a_user_is_carried_out_for_a_client_that_has_left,
    a_call_of_a_dialect_is_carried_out_for_a_client_that_has_left,
    every_request_of_a_pipeline_is_carried_out_for_a_client_that_has_left,
    a_half_closed_client_gets_its_answer,
    a_half_closed_client_of_a_dialect_gets_its_answer,
    a_request_that_has_not_arrived_whole_is_not_carried_out,
    a_streamed_answer_ends_when_its_client_has_left,
}
