//! stream-log: everything in the body.

use serde_json::json;

use super::{Bad, NO_VALUES, OTHER_METHODS, bad, no_objects, refuses};
use crate::dialects::dialect::Dialect;
use crate::dialects::setup::Service;

const PATH: &str = "/dev/stream";

#[test]
fn mistakes_are_refused() {
    let mut requests: Vec<Bad> = Vec::new();
    for method in ["POST", "DELETE"] {
        for body in no_objects() {
            requests.push(bad(method, PATH, 400).with(body));
        }
        let large = json!({ "userId": "known", "streamId": "s", "more": "x".repeat(17_000) });
        requests.push(bad(method, PATH, 413).with(large.to_string()));
    }
    for body in [
        "{}",
        r#"{"userId":""}"#,
        r#"{"userId":null}"#,
        r#"{"userid":"known"}"#,
    ] {
        let request = bad("POST", PATH, 400).with(body);
        requests.push(request.says("Request missing userId"));
    }
    for (member, other) in [
        ("userId", r#""streamId":"s""#),
        ("streamId", r#""userId":"known""#),
    ] {
        for value in ["\"\"", "null"] {
            let body = format!("{{{other},\"{member}\":{value}}}");
            requests.push(bad("DELETE", PATH, 404).with(body).says(member));
        }
        let body = format!("{{{other}}}");
        requests.push(bad("DELETE", PATH, 404).with(body).says(member));
    }
    let long = ["x".repeat(300), "x".repeat(5_000)].map(|id| format!("\"{id}\""));
    for value in NO_VALUES.into_iter().chain(long.iter().map(String::as_str)) {
        let no_user = format!(r#"{{"userId":{value},"streamId":"s"}}"#);
        let no_stream = format!(r#"{{"userId":"known","streamId":{value}}}"#);
        requests.push(bad("POST", PATH, 400).with(no_user.clone()).says("userId"));
        requests.push(bad("DELETE", PATH, 404).with(no_user).says("userId"));
        requests.push(bad("DELETE", PATH, 404).with(no_stream).says("streamId"));
    }
    let body = r#"{"userId":"known","streamId":"s"}"#;
    for method in OTHER_METHODS.into_iter().chain(["GET", "OPTIONS"]) {
        requests.push(bad(method, PATH, 404).with(if method == "HEAD" { "" } else { body }));
    }
    for path in [
        "",
        "/",
        "/stream",
        "/dev",
        "/dev/",
        "/dev/stream/s",
        "/dev/Stream",
        "/a/dev/stream",
    ] {
        requests.push(bad("POST", path, 404).with(body));
        requests.push(bad("DELETE", path, 404).with(body));
    }
    refuses(Dialect::StreamLog, &requests);
}

/// A large number and the same number as a float could be one user or two: none is guessed.
#[test]
fn a_number_too_large_to_be_exact_is_refused() {
    let exact = ["1e300", "1e16", "123456789012345678901234567890"];
    let requests = exact.map(|number| {
        let body = format!(r#"{{"userId":{number}}}"#);
        bad("POST", PATH, 400).with(body).says("userId")
    });
    refuses(Dialect::StreamLog, &requests);
}

#[test]
fn the_body_is_json_whatever_the_content_type() {
    let service = Service::start(&[]);
    let path = Dialect::StreamLog.at(PATH);
    for (i, kind) in [
        "application/json",
        "text/plain",
        "application/x-www-form-urlencoded",
        "x",
    ]
    .into_iter()
    .enumerate()
    {
        let body = format!(r#" {{ "userId" : "\u00e9 / {i}" }} "#);
        let answer = service.raw(("POST", &path), &[("content-type", kind)], body.as_bytes());
        assert_eq!(answer.status, 201, "{kind}: {answer:?}");
        assert_eq!(answer.json()["message"]["userId"], format!("é / {i}"));
        assert_eq!(service.live(&format!("%C3%A9%20%2F%20{i}")).len(), 1);
    }
}

/// The readers of JSON that the original used took the last.
#[test]
fn of_a_member_that_is_given_twice_the_last_counts() {
    let service = Service::start(&[]);
    let path = Dialect::StreamLog.at(PATH);
    let answer = service.raw(("POST", &path), &[], br#"{"userId":"a","userId":"b"}"#);
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!(service.everything().users, ["b"]);
}
