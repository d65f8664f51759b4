//! What was recorded of the five predecessors, played again: each exchange in order against a fresh
//! server, at `/compat/NAME` and with the dialect at the root.
//!
//! Status, recorded headers and body must be the same to the byte, UUIDs aside, which are new in
//! every call. A deliberate difference stands in [`DELIBERATE`], with its reason; one that no
//! longer exists fails. There is none so far, because the faults of the originals (a 500 for a
//! missing parameter, for one) were not recorded.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use serde_json::Value;
use streamgate_testkit::Answer;

use crate::dialects::dialect::Dialect;
use crate::dialects::setup::{Service, raw_request};

/// A difference from a recording that is meant.
#[derive(Debug)]
struct Deliberate {
    dialect: Dialect,
    case: &'static str,
    /// Why ours is better, in a sentence.
    reason: &'static str,
    /// What ours answers instead.
    status: u16,
    body: &'static str,
}

const DELIBERATE: &[Deliberate] = &[];

/// A request and the answer to it, as they stand in a recording.
#[derive(Debug)]
struct Exchange {
    case: String,
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: String,
    answer: Answer,
}

impl Exchange {
    fn new(json: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let headers = |message: &Value| {
            let headers = message["headers"].as_object().unwrap().iter();
            headers
                .map(|(name, value)| (name.to_lowercase(), text(value)))
                .collect()
        };
        let (request, response) = (&json["request"], &json["response"]);
        Self {
            case: text(&json["case"]),
            method: text(&request["method"]),
            path: text(&request["path"]),
            headers: headers(request),
            body: text(&request["body"]),
            answer: Answer {
                status: response["status"].as_u64().unwrap().try_into().unwrap(),
                headers: headers(response),
                text: text(&response["body"]),
            },
        }
    }
}

/// The recording of a dialect.
fn recording(dialect: Dialect) -> Vec<Exchange> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/dialects/recorded")
        .join(format!("{}.json", dialect.name()));
    let file: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    let exchanges: Vec<_> = file.as_array().unwrap().iter().map(Exchange::new).collect();
    assert!(exchanges.len() >= 8, "an empty recording proves nothing");
    exchanges
}

#[test]
fn session_tracker() {
    replay(Dialect::SessionTracker);
}

#[test]
fn concurrency_service() {
    replay(Dialect::ConcurrencyService);
}

#[test]
fn stream_log() {
    replay(Dialect::StreamLog);
}

#[test]
fn user_streams() {
    replay(Dialect::UserStreams);
}

#[test]
fn stream_requests() {
    replay(Dialect::StreamRequests);
}

/// Plays the recording of a dialect on the server at this address, with `prefix` before each path,
/// and says everything that differs.
pub(crate) fn differences(at: SocketAddr, dialect: Dialect, prefix: &str) -> Vec<String> {
    let mut ids = Ids::default();
    let mut wrong = Vec::new();
    for exchange in &recording(dialect) {
        let (case, path) = (&exchange.case, format!("{prefix}{}", exchange.path));
        let difference = play(at, dialect, &path, exchange, &mut ids);
        wrong.extend(difference.map(|what| format!("{path} ({case}): {what}")));
    }
    wrong
}

/// Plays the recording of a dialect in both places, and says everything that differs.
fn replay(dialect: Dialect) {
    let root = format!("compat.root={}", dialect.name());
    // The original of user-streams let pages of every origin call.
    let origins = "cors.allowed_origins=*";
    let mut wrong = Vec::new();
    for (settings, prefix) in [
        (&[origins][..], dialect.at("")),
        (&[origins, root.as_str()], String::new()),
    ] {
        // Only concurrency-service was recorded behind an API key.
        let service = match dialect {
            Dialect::ConcurrencyService => Service::with_keys(settings),
            _ => Service::start(settings),
        };
        wrong.extend(differences(service.address(), dialect, &prefix));
        service.end();
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Plays one exchange; `Some` says how the answer differs from what it should be.
fn play(
    at: SocketAddr,
    dialect: Dialect,
    path: &str,
    exchange: &Exchange,
    ids: &mut Ids,
) -> Option<String> {
    let headers: Vec<(&str, &str)> = exchange
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let body = ids.ours(&exchange.body);
    let request = raw_request(&exchange.method, path, &headers, body.as_bytes());
    let answer = streamgate_testkit::exchange(at, &request);
    let recorded = &exchange.answer;
    ids.learn(&recorded.text, &answer.text);
    for id in uuids(&answer.text) {
        if !is_version_4(id) {
            return Some(format!("{id} is no UUID of version 4"));
        }
    }
    let deliberate = DELIBERATE
        .iter()
        .find(|other| other.dialect == dialect && other.case == exchange.case);
    let difference = difference(recorded, &answer);
    let Some(Deliberate {
        reason,
        status,
        body,
        ..
    }) = deliberate
    else {
        return difference;
    };
    let is_meant = (*status, masked(body)) == (answer.status, masked(&answer.text));
    (difference.is_none() || !is_meant)
        .then(|| format!("should differ, because {reason}: {answer:?}"))
}

/// How an answer differs from the recorded one.
fn difference(recorded: &Answer, answer: &Answer) -> Option<String> {
    if recorded.status != answer.status {
        return Some(format!("{} was recorded; {answer:?}", recorded.status));
    }
    for (name, value) in &recorded.headers {
        if answer.header(name) != value {
            return Some(format!("{name}: {value} was recorded; {answer:?}"));
        }
    }
    (masked(&recorded.text) != masked(&answer.text))
        .then(|| format!("{} was recorded; {answer:?}", recorded.text))
}

/// The ids that our server made in place of those in the recording.
#[derive(Debug, Default)]
struct Ids(BTreeMap<String, String>);

impl Ids {
    fn learn(&mut self, recorded: &str, ours: &str) {
        let pairs = uuids(recorded).into_iter().zip(uuids(ours));
        self.0
            .extend(pairs.map(|(recorded, ours)| (recorded.to_owned(), ours.to_owned())));
    }

    /// A recorded request with our ids in it, as far as ours were given.
    fn ours(&self, recorded: &str) -> String {
        let mut text = recorded.to_owned();
        for id in uuids(recorded) {
            let ours = self.0.get(id).map_or(id, String::as_str);
            text = text.replace(id, ours);
        }
        text
    }
}

const UUID_LENGTH: usize = 36;

/// The UUIDs in a text, as they stand there.
fn uuids(text: &str) -> Vec<&str> {
    let starts = text.char_indices();
    let pieces = starts.filter_map(|(start, _)| text.get(start..start + UUID_LENGTH));
    pieces.filter(|piece| is_uuid(piece)).collect()
}

/// The text with a word for each UUID.
fn masked(text: &str) -> String {
    let ids = uuids(text).into_iter().map(str::to_owned);
    ids.fold(text.to_owned(), |text, id| text.replace(&id, "UUID"))
}

/// Whether the text is a UUID in its usual spelling.
pub(crate) fn is_uuid(text: &str) -> bool {
    let fits = |(index, byte): (usize, u8)| match index {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
    };
    text.len() == UUID_LENGTH && text.bytes().enumerate().all(fits)
}

/// Whether a UUID says that it is random (version 4, the variant of RFC 9562).
fn is_version_4(uuid: &str) -> bool {
    let bytes = uuid.as_bytes();
    bytes[14] == b'4' && matches!(bytes[19], b'8' | b'9' | b'a' | b'b')
}

#[test]
fn the_comparison_sees_what_differs() {
    let (one, other) = (
        "f186213a-09dc-4aff-a8bf-484915598a15",
        "cff7d871-e6ef-4a34-a8b3-88bf0799c1d3",
    );
    let answer = |status, kind: &str, text: String| Answer {
        status,
        headers: vec![("content-type".to_owned(), kind.to_owned())],
        text,
    };
    let recorded = answer(200, "text/plain", format!("a {one} b"));
    let same = answer(200, "text/plain", format!("a {other} b"));
    assert_eq!(difference(&recorded, &same), None);
    for wrong in [
        answer(201, "text/plain", format!("a {other} b")),
        answer(200, "text/html", format!("a {other} b")),
        answer(200, "text/plain", format!("a {other}  b")),
        answer(200, "text/plain", "a nothing b".to_owned()),
    ] {
        assert!(difference(&recorded, &wrong).is_some(), "{wrong:?}");
    }
    assert!(is_version_4(one) && !is_version_4("0191e5a0-0000-7000-8000-000000000000"));
}
