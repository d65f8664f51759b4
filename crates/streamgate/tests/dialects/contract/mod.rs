//! Rules of the contracts that no recording covers, one a test.

mod session_tracker;
mod stream_log;
mod stream_requests;
mod user_streams;

use streamgate_testkit::Answer;

use crate::dialects::dialect::Dialect;
use crate::dialects::setup::Service;

/// Sends a request to a dialect and gives status and body.
fn ask(
    service: &Service,
    dialect: Dialect,
    (method, path): (&str, &str),
    body: &str,
) -> (u16, String) {
    let Answer { status, text, .. } =
        service.raw((method, &dialect.at(path)), &[], body.as_bytes());
    (status, text)
}

/// The stage of the former gateway is any one segment.
#[test]
fn a_stage_may_have_any_name() {
    let service = Service::start(&[]);
    for (i, stage) in ["dev", "prod", "v1", "%2F", "%C3%A9", "stream", "-"]
        .into_iter()
        .enumerate()
    {
        let path = format!("/{stage}/startSession/userId/u/sessionId/s");
        let answer = ask(&service, Dialect::ConcurrencyService, ("GET", &path), "");
        let said = r#"{"user":"u","concurrentSessions":1}"#.to_owned();
        assert_eq!(answer, (200, said), "{stage}");
        let body = format!(r#"{{"userId":"u{i}"}}"#);
        let path = format!("/{stage}/stream");
        let answer = ask(&service, Dialect::StreamLog, ("POST", &path), &body);
        assert_eq!(answer.0, 201, "{stage}: {answer:?}");
    }
}
