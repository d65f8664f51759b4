//! Which key each call of each dialect needs: keys that are set are asked for, unless the settings
//! say that they are not.

use std::collections::BTreeSet;

use axum::body::Body;
use serde_json::Value;
use streamgate_server::{
    CompatSettings, DialectName, OpenApiVersion, ServerSettings, dialects_without_key, openapi_json,
};

use crate::support::{Answer, Service, keys, request};

/// A call that a caller without any key may make.
const NO_KEY: &str = "";

/// A call: dialect, method, its path in the document, the path that is asked for, its body, and the
/// least scope that may make it.
type Call = (
    DialectName,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
);

/// Every call of every dialect.
const CALLS: [Call; 13] = {
    use DialectName::{ConcurrencyService, SessionTracker, StreamLog, StreamRequests, UserStreams};
    const START: &str = "/{stage}/startSession/userId/{userId}/sessionId/{sessionId}";
    const USER: &str = "/user-streams/{userId}";
    const STREAM: &str = "/user-streams/{userId}/{sessionId}";
    const LOG: &str = "/{stage}/stream";
    [
        (
            SessionTracker,
            "POST",
            "/add-session",
            "/add-session?user_id=a",
            "",
            "player",
        ),
        (
            SessionTracker,
            "POST",
            "/remove-session",
            "/remove-session?user_id=a",
            "",
            "player",
        ),
        (
            ConcurrencyService,
            "GET",
            START,
            "/dev/startSession/userId/a/sessionId/s",
            "",
            "player",
        ),
        (
            StreamLog,
            "POST",
            LOG,
            "/dev/stream",
            r#"{"userId":"b"}"#,
            "player",
        ),
        (
            StreamLog,
            "DELETE",
            LOG,
            "/dev/stream",
            r#"{"userId":"b","streamId":"s"}"#,
            "player",
        ),
        (
            UserStreams,
            "GET",
            STREAM,
            "/user-streams/a/s",
            "",
            "player",
        ),
        (UserStreams, "DELETE", USER, "/user-streams/a", "", "player"),
        (StreamRequests, "GET", "/", "/", "", NO_KEY),
        (
            StreamRequests,
            "POST",
            "/createuser",
            "/createuser",
            r#"{"Name":"n","Subscription":"s","id":"c"}"#,
            "service",
        ),
        (
            StreamRequests,
            "POST",
            "/requeststream",
            "/requeststream",
            r#"{"id":"c","stream":"s"}"#,
            "player",
        ),
        (
            StreamRequests,
            "GET",
            "/getuser",
            "/getuser?id=c",
            "",
            "service",
        ),
        (
            StreamRequests,
            "POST",
            "/removeuser",
            "/removeuser",
            r#"{"id":"c"}"#,
            "service",
        ),
        (
            StreamRequests,
            "GET",
            "/getallusers",
            "/getallusers",
            "",
            "admin",
        ),
    ]
};

/// Every way to present a key: none, one that is not known, one of each scope.
const KEYS: [Option<&str>; 6] = [
    None,
    Some("revoked"),
    Some(""),
    Some("player"),
    Some("service"),
    Some("admin"),
];

fn keyed(require_key: bool) -> Service {
    Service::with(ServerSettings {
        keys: keys(),
        compat: CompatSettings {
            require_key,
            ..CompatSettings::default()
        },
        ..ServerSettings::default()
    })
}

async fn ask(service: &Service, call: &Call, key: Option<&str>) -> Answer {
    let (dialect, method, _, path, body, _) = call;
    let path = format!("/compat/{}{path}", dialect.as_str());
    let mut request = request(method, &path, Body::from(*body));
    if let Some(key) = key {
        let headers = request.headers_mut();
        headers.insert("x-api-key", key.parse().unwrap());
    }
    service.send(request).await
}

/// What became of the key: 401 and 403 as every other dialect says them, `None` if it may call.
fn refused(dialect: DialectName, answer: &Answer) -> Option<u16> {
    match answer.status.as_u16() {
        // The gateway knew one answer for both.
        403 if dialect == DialectName::ConcurrencyService => Some(403),
        401 => Some(401),
        // In stream-log the limit is a 403, too.
        403 if answer.text().contains("needs a key of scope") => Some(403),
        _ => None,
    }
}

fn rank(scope: &str) -> Option<usize> {
    ["player", "service", "admin"]
        .iter()
        .position(|known| *known == scope)
}

/// What a call should hear that presents this key.
fn expected(call: &Call, key: Option<&str>, is_asked: bool) -> Option<u16> {
    let (dialect, .., needed) = *call;
    if needed == NO_KEY {
        return None;
    }
    let status = match key {
        None => is_asked.then_some(401),
        Some(key) => match rank(key) {
            None => Some(401),
            Some(has) => (Some(has) < rank(needed)).then_some(403),
        },
    };
    let is_gateway = dialect == DialectName::ConcurrencyService;
    status.map(|status| if is_gateway { 403 } else { status })
}

#[tokio::test]
async fn every_call_needs_a_key_of_its_scope() {
    for require_key in [true, false] {
        for call in &CALLS {
            for key in KEYS {
                let service = keyed(require_key);
                let answer = ask(&service, call, key).await;
                let (dialect, method, path, ..) = call;
                let is_asked = require_key || *dialect == DialectName::ConcurrencyService;
                assert_eq!(
                    refused(*dialect, &answer),
                    expected(call, key, is_asked),
                    "{dialect:?} {method} {path} with {key:?}, require_key {require_key}: {}",
                    answer.text()
                );
            }
        }
    }
}

/// The default asks: what is not written down opens nothing.
#[test]
fn keys_that_are_set_are_asked_for_by_default() {
    assert!(CompatSettings::default().require_key);
}

#[test]
fn the_dialects_that_serve_callers_without_a_key_are_listed() {
    let settings = |require_key| CompatSettings {
        require_key,
        ..CompatSettings::default()
    };
    assert_eq!(dialects_without_key(&settings(true)), []);
    let mut open = DialectName::ALL.to_vec();
    open.retain(|name| *name != DialectName::ConcurrencyService);
    assert_eq!(dialects_without_key(&settings(false)), open);
    let few = CompatSettings {
        dialects: vec![DialectName::ConcurrencyService, DialectName::StreamLog],
        ..settings(false)
    };
    assert_eq!(dialects_without_key(&few), [DialectName::StreamLog]);
}

/// A call that is added to a dialect must state here which scope it needs.
#[test]
fn the_table_of_calls_is_complete() {
    for name in DialectName::ALL {
        let document: Value =
            serde_json::from_str(&openapi_json(Some(name), OpenApiVersion::V3_1)).unwrap();
        let mut documented = BTreeSet::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            for method in item.as_object().unwrap().keys() {
                documented.insert((method.to_uppercase(), path.clone()));
            }
        }
        let listed: BTreeSet<_> = CALLS
            .iter()
            .filter(|(dialect, ..)| *dialect == name)
            .map(|(_, method, path, ..)| ((*method).to_owned(), (*path).to_owned()))
            .collect();
        assert_eq!(documented, listed, "{name:?}");
    }
}

#[tokio::test]
async fn without_keys_a_key_that_is_sent_says_nothing() {
    let service = Service::open();
    for call in &CALLS {
        let answer = ask(&service, call, Some("left over")).await;
        assert_eq!(refused(call.0, &answer), None, "{}", answer.text());
    }
}

async fn live(service: &Service, key: &str) -> u64 {
    let path = "/v1/users/u/sessions";
    let answer = service.call_as(key, "GET", path).await;
    answer.json()["active"].as_u64().unwrap()
}

#[tokio::test]
async fn a_key_says_whose_users_are_meant_also_where_none_is_asked_for() {
    let service = keyed(false);
    let path = "/compat/user-streams/user-streams/u/s";
    assert_eq!(service.call_as("other", "GET", path).await.status, 200);
    assert_eq!(live(&service, "other").await, 1);
    assert_eq!(live(&service, "admin").await, 0, "of another tenant");
    // The one that always asks finds the same session.
    let path = "/compat/concurrency-service/dev/startSession/userId/u/sessionId/s";
    let answer = service.call_as("other", "GET", path).await;
    assert_eq!(answer.json()["concurrentSessions"], 1);
    assert_eq!(live(&service, "other").await, 1);
}
