//! Everything a client can get wrong, over a raw socket. Each mistake is a 4xx in the words of the
//! dialect, never a 5xx, never silence, and changes nothing.
//!
//! The contracts say little about mistakes. Where they are silent, the tables here are the
//! statement of what we do: a call that does not exist, and a method that a path does not have, is
//! 404; an id that cannot be one is 400; a body over 16 KiB is 413.

mod concurrency_service;
mod session_tracker;
mod stream_log;
mod stream_requests;
mod user_streams;

use streamgate_testkit::exchange;

use crate::dialects::dialect::Dialect;
use crate::dialects::setup::{Service, raw_request};
use crate::dialects::shape;

/// A request that is wrong, and what is answered.
#[derive(Debug)]
struct Bad {
    what: String,
    method: &'static str,
    /// Within the dialect.
    path: String,
    body: Vec<u8>,
    status: u16,
    /// What the answer has in it.
    says: &'static str,
}

fn bad(method: &'static str, path: impl Into<String>, status: u16) -> Bad {
    let path = path.into();
    Bad {
        what: format!("{method} {}", shortened(&path)),
        method,
        path,
        body: Vec::new(),
        status,
        says: "",
    }
}

impl Bad {
    fn with(self, body: impl Into<Vec<u8>>) -> Self {
        let body = body.into();
        let text = String::from_utf8_lossy(&body).into_owned();
        Self {
            what: format!("{} {}", self.what, shortened(&text)),
            body,
            ..self
        }
    }

    fn says(self, says: &'static str) -> Self {
        Self { says, ..self }
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}… ({} bytes)", &text[..end], text.len()),
        None => text.to_owned(),
    }
}

/// Texts in a URL that are no id, neither of a user nor of a session.
fn no_ids() -> Vec<String> {
    let ids = ["%FF", "a%C3", "%ED%A0%80", "%00", "a%0Ab", "%7F", "%C2%80"].map(str::to_owned);
    [
        ids.to_vec(),
        vec!["x".repeat(300), "x".repeat(5_000), "%41".repeat(300)],
    ]
    .concat()
}

/// Bodies that are no JSON object.
fn no_objects() -> Vec<Vec<u8>> {
    let bodies: [&[u8]; 15] = [
        b"",
        b" ",
        b"{",
        b"{\"userId\":\"u\",\"id\":\"u\"",
        b"{\"userId\":\"u\"}{\"userId\":\"u\"}",
        b"userId=u&id=u",
        b"[]",
        b"[{\"userId\":\"u\",\"id\":\"u\"}]",
        b"1",
        b"\"u\"",
        b"null",
        b"true",
        b"\xff",
        b"{\"userId\":\"\xff\",\"id\":\"\xff\"}",
        b"{\"userId\":\"\\ud800\",\"id\":\"\\ud800\"}",
    ];
    let nested = b"{\"userId\":".repeat(1_000);
    let mut all: Vec<Vec<u8>> = bodies.map(<[u8]>::to_vec).into();
    all.extend([b"[".repeat(10_000), nested]);
    all
}

/// Values of a member of a body that are no id.
const NO_VALUES: [&str; 8] = [
    "[]",
    "{}",
    "[\"u\"]",
    "{\"u\":\"u\"}",
    "true",
    "false",
    "\"a\\u0000b\"",
    "\"\\u0085\"",
];

/// Methods that the paths of dialects do not have; for CORS, OPTIONS has a test of its own.
const OTHER_METHODS: [&str; 4] = ["PUT", "PATCH", "HEAD", "TRACE"];

/// Sends each of them to a server that has one user with one session, and says everything that is
/// not as it should be.
fn refuses(dialect: Dialect, requests: &[Bad]) {
    let service = Service::start(&[]);
    let answer = service.start_session(dialect, "known", "s");
    assert!(dialect.verdict(&answer, "known", "s", 3).is_held());
    let before = service.everything();
    let mut wrong = Vec::new();
    for bad in requests {
        if let Err(what) = refuses_one(&service, dialect, bad) {
            wrong.push(format!("{}: {what}", bad.what));
        }
        let after = service.everything();
        if after != before {
            wrong.push(format!("{}: something was applied: {after:?}", bad.what));
            break;
        }
    }
    assert!(
        wrong.is_empty(),
        "{} are wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    service.end();
}

fn refuses_one(service: &Service, dialect: Dialect, bad: &Bad) -> Result<(), String> {
    let path = dialect.at(&bad.path);
    let answer = service.raw((bad.method, &path), &[], &bad.body);
    if answer.status != bad.status {
        return Err(format!("is not {}: {answer:?}", bad.status));
    }
    if bad.method == "HEAD" {
        // An answer to HEAD has no body that could have a shape.
        return match answer.text.as_str() {
            "" => Ok(()),
            text => Err(format!("has a body: {text}")),
        };
    }
    shape::check(dialect, &answer)?;
    match answer.text.contains(bad.says) {
        true => Ok(()),
        false => Err(format!("does not say {:?}: {answer:?}", bad.says)),
    }
}

/// A path that no server has to read is refused before any dialect sees it.
#[test]
fn a_path_of_70_000_bytes_is_refused() {
    let service = Service::start(&[]);
    let long = "x".repeat(70_000);
    for dialect in Dialect::ALL {
        let ask = dialect.start(&long, &long);
        let path = match ask.body {
            None => ask.path,
            Some(_) => format!("{}{long}", ask.path),
        };
        let answer = service.raw((ask.method, &path), &[], b"");
        assert!(
            (400..500).contains(&answer.status),
            "{dialect:?}: {answer:?}"
        );
    }
    let nothing = service.everything();
    assert_eq!((nothing.users.len(), nothing.sessions.len()), (0, 0));
    service.end();
}

/// A client that goes silent in the middle of its body is told so, and has changed nothing.
#[test]
fn a_body_that_does_not_come_is_given_up() {
    let service = Service::start(&["http.body_timeout_s=1"]);
    for (dialect, path) in [
        (Dialect::StreamLog, "/dev/stream"),
        (Dialect::StreamRequests, "/createuser"),
    ] {
        let whole = br#"{"userId":"u","Name":"N","Subscription":"S","id":"u"}"#;
        let mut bytes = raw_request("POST", &dialect.at(path), &[], whole);
        bytes.pop();
        let answer = exchange(service.address(), &bytes);
        assert_eq!(answer.status, 408, "{dialect:?}: {answer:?}");
        shape::check(dialect, &answer).unwrap();
    }
    assert_eq!(service.everything().users, [""; 0]);
}

#[test]
fn too_many_requests_are_refused_in_the_words_of_the_dialect() {
    let service = Service::start(&["rate_limit.per_user_per_s=1"]);
    for dialect in Dialect::ALL {
        let user = dialect.name();
        let mut answers = (0..100).map(|_| service.ask(&dialect.start(user, "s")));
        let refused = answers.find(|answer| answer.status == 429);
        let refused = refused.unwrap_or_else(|| panic!("{dialect:?}: never"));
        shape::check(dialect, &refused).unwrap();
    }
}

/// What is sent in a path, and what is meant.
const IN_PATHS: [(&str, &str); 8] = [
    ("a%2Fb", "a/b"),
    ("%C3%A9", "é"),
    ("%c3%a9t%C3%A9", "été"),
    ("a%20b", "a b"),
    ("a+b", "a+b"),
    ("%2E%2E", ".."),
    ("%25", "%"),
    // Decoded once, as in /v1: what comes of it is no escape. A bare `%zz` is a 400.
    ("%25zz", "%zz"),
];

#[test]
fn ids_in_paths_are_percent_decoded() {
    for dialect in [Dialect::ConcurrencyService, Dialect::UserStreams] {
        let service = Service::start(&[]);
        for (sent, meant) in IN_PATHS {
            let answer = service.ask(&dialect.start(sent, sent));
            assert!(
                dialect.verdict(&answer, meant, meant, 3).is_held(),
                "{answer:?}"
            );
            assert_eq!(service.live(sent), [meant], "{dialect:?}");
        }
        let mut meant = IN_PATHS.map(|(_, meant)| meant);
        meant.sort_unstable();
        assert_eq!(service.everything().users, meant, "{dialect:?}");
    }
}

#[test]
fn the_longest_ids_are_taken() {
    let service = Service::start(&[]);
    let (user, session) = ("u".repeat(256), "s".repeat(128));
    for dialect in Dialect::ALL {
        let answer = service.start_session(dialect, &user, &session);
        assert!(dialect.verdict(&answer, &user, &session, 3).is_held());
        assert_eq!(
            service.v1("DELETE", &format!("/users/{user}"), None).status,
            204
        );
    }
}
