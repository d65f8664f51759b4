//! Lines in the log: one for each request, with its id, and nothing that lets others in.

use std::io;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use serde_json::Value;
use streamgate_server::{RateLimitSettings, ServerSettings};
use tracing::Level;
use tracing_subscriber::fmt::MakeWriter;

use crate::support::{Service, keys, request};

/// What was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Log {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    fn lines(&self) -> Vec<Value> {
        let parse = |line| serde_json::from_str(line).unwrap();
        self.text().lines().map(parse).collect()
    }
}

/// Sends requests with the id `r-1` and the key `player`, and returns what was logged.
async fn log_of(level: Level, service: &Service, calls: &[(&str, &str)]) -> Log {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_max_level(level)
        .with_writer(log.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    for (method, path) in calls {
        let mut request = request(method, path, Body::empty());
        let headers = request.headers_mut();
        headers.insert("x-request-id", "r-1".parse().unwrap());
        headers.insert("x-api-key", "player".parse().unwrap());
        service.send(request).await;
    }
    log
}

#[tokio::test]
async fn a_request_is_one_line_for_those_who_ask_for_it() {
    let service = Service::keyed();
    let calls = [(
        "PUT",
        "/v1/users/secret-name/sessions/secret-id?x=secret-query",
    )];
    let log = log_of(Level::DEBUG, &service, &calls).await;
    let [line] = &log.lines()[..] else {
        panic!("{}", log.text())
    };
    assert_eq!(line["level"], "DEBUG");
    assert_eq!(line["request_id"], "r-1");
    assert_eq!(line["method"], "PUT");
    assert_eq!(line["route"], "/v1/users/{user_id}/sessions/{session_id}");
    assert_eq!(line["status"], 201);
    assert!(line["duration_us"].is_u64());
    for secret in ["secret-", "player"] {
        assert!(!log.text().contains(secret), "{}", log.text());
    }
    let log = log_of(Level::INFO, &service, &calls).await;
    assert_eq!(log.text(), "", "what goes well is no news");
}

#[tokio::test]
async fn errors_of_the_server_are_logged_with_their_cause() {
    let service = Service::keyed();
    service.damage("u").await;
    let path = "/v1/users/u/sessions";
    let log = log_of(Level::WARN, &service, &[("GET", path), ("GET", "/none")]).await;
    service.break_store().await;
    let later = log_of(Level::WARN, &service, &[("GET", path)]).await;
    let ([record, damaged], [down]) = (&log.lines()[..], &later.lines()[..]) else {
        panic!("{}{}", log.text(), later.text())
    };
    // `printf %s u | sha256sum`, in part: the operator can tell whose it is, the log does not.
    assert_eq!(record["level"], "ERROR");
    assert_eq!(record["user_sha256"], "0bfe935e70c321c7");
    assert_eq!(damaged["level"], "ERROR");
    assert_eq!(damaged["request_id"], "r-1");
    assert_eq!(damaged["status"], 500);
    let cause = damaged["cause"].as_str().unwrap();
    assert!(cause.contains("cannot be read"), "{cause}");
    assert_eq!(down["level"], "WARN");
    assert_eq!(down["status"], 503);
    assert_eq!(
        down["cause"],
        "the store is unavailable: the store is closed"
    );
}

#[tokio::test]
async fn a_key_that_may_not_is_named_but_not_shown() {
    let service = Service::keyed();
    let log = log_of(Level::DEBUG, &service, &[("GET", "/v1/sessions")]).await;
    let lines = log.lines();
    assert_eq!(lines[0]["status"], 403);
    assert_eq!(lines[0]["cause"], "key \"key of player\" has scope player");
}

#[tokio::test]
async fn a_key_that_calls_too_often_is_named() {
    let service = Service::with(ServerSettings {
        keys: keys(),
        rate_limit: RateLimitSettings {
            per_key_per_s: NonZeroU32::new(1),
            per_user_per_s: None,
        },
        ..ServerSettings::default()
    });
    // So many in a row that one of them is too many also on a machine that stalls.
    let calls = [("GET", "/v1/users/u/sessions"); 100];
    let log = log_of(Level::DEBUG, &service, &calls).await;
    let lines = log.lines();
    let refused = lines.iter().find(|line| line["status"] == 429).unwrap();
    assert_eq!(refused["cause"], "key \"key of player\" is over its rate");
}
