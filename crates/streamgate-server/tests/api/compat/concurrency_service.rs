//! `/compat/concurrency-service/`.

use std::num::NonZeroU32;

use serde_json::json;
use streamgate_server::{DialectName, RateLimitSettings, ServerSettings};

use crate::support::{Answer, Service, keys};

const JSON: &str = "application/json; charset=utf-8";

const NAMELESS: &str = "Please specify a userId and sessionId";

impl Service {
    /// A call of the dialect; the path stands behind `userId`.
    async fn session(&self, ids: &str) -> Answer {
        self.get(&path(ids)).await
    }

    /// How many users there are.
    async fn users(&self) -> usize {
        let users = self.get("/v1/users").await.json();
        users["users"].as_array().unwrap().len()
    }
}

impl Answer {
    /// Asserts what the dialect says, to the byte.
    #[track_caller]
    fn assert_gateway(&self, status: u16, body: &str) {
        assert_eq!(self.header("x-content-type-options"), Some("nosniff"));
        self.assert_text(status, JSON, body);
    }
}

fn path(ids: &str) -> String {
    format!("/compat/concurrency-service/dev/startSession/userId/{ids}")
}

#[tokio::test]
async fn sessions_are_counted_once_and_the_next_one_is_refused() {
    let service = Service::open();
    for (id, active) in [("s1", 1), ("s2", 2), ("s2", 2), ("s3", 3)] {
        let counted = service.session(&format!("u/sessionId/{id}")).await;
        counted.assert_gateway(
            200,
            &format!(r#"{{"user":"u","concurrentSessions":{active}}}"#),
        );
    }
    let refused = service.session("u/sessionId/s4").await;
    refused.assert_gateway(
        400,
        "User u is trying to watch 4 streams at once, which is too many.",
    );
    let known = service.session("u/sessionId/s1").await;
    known.assert_gateway(200, r#"{"user":"u","concurrentSessions":3}"#);
}

#[tokio::test]
async fn the_limit_of_the_user_is_in_the_text() {
    let service = Service::open();
    for (limit, wanted) in [(1, 2), (0, 1)] {
        service.set_user("u", &json!({ "limit": limit })).await;
        service.session("u/sessionId/s1").await;
        let refused = service.session("u/sessionId/s2").await;
        refused.assert_gateway(
            400,
            &format!("User u is trying to watch {wanted} streams at once, which is too many."),
        );
    }
}

#[tokio::test]
async fn sessions_are_shared_with_the_api_and_last_for_the_lease_of_the_dialects() {
    let service = Service::open();
    service.start(&["x", "y"]).await;
    service.session("u/sessionId/z").await;
    let sessions = service.get("/v1/users/u/sessions").await.json();
    assert_eq!(sessions["sessions"][2]["session_id"], "z");
    let expires_at = &sessions["sessions"][2]["expires_at"];
    assert_eq!(expires_at, "2026-11-21T18:30:00.000Z");
    let refused = service.session("u/sessionId/w").await;
    assert_eq!(refused.status, 400);
    service.call("DELETE", "/v1/users/u/sessions/x").await;
    let admitted = service.session("u/sessionId/w").await;
    admitted.assert_gateway(200, r#"{"user":"u","concurrentSessions":3}"#);
}

#[tokio::test]
async fn a_repeated_start_begins_the_lease_anew() {
    let service = Service::open();
    service.session("u/sessionId/s").await;
    service.advance(3_600);
    service.session("u/sessionId/s").await;
    let sessions = service.get("/v1/users/u/sessions").await.json();
    let expires_at = &sessions["sessions"][0]["expires_at"];
    assert_eq!(expires_at, "2026-11-21T19:30:00.000Z");
}

#[tokio::test]
async fn ids_are_decoded_segment_by_segment() {
    let service = Service::open();
    for (sent, meant) in [
        ("a%2Fb", "a/b"),
        ("a+b", "a+b"),
        ("a%20b", "a b"),
        ("J%C3%BCrgen", "Jürgen"),
        ("%22quoted%22", "\\\"quoted\\\""),
        ("..", ".."),
        ("%2E", "."),
        ("userId", "userId"),
        ("%2525", "%25"),
        ("<b>", "<b>"),
    ] {
        // No client sends what is no URI.
        let sent = sent.replace('<', "%3C").replace('>', "%3E");
        let counted = service.session(&format!("{sent}/sessionId/{sent}")).await;
        counted.assert_gateway(
            200,
            &format!(r#"{{"user":"{meant}","concurrentSessions":1}}"#),
        );
    }
    let sessions = service.get("/v1/users/a%2Fb/sessions").await.json();
    assert_eq!(sessions["sessions"][0]["session_id"], "a/b");
    // `..` and `userId` as they are: nothing was normalised.
    assert_eq!(service.users().await, 10);
}

#[tokio::test]
async fn the_stage_is_any_one_segment() {
    let service = Service::open();
    for stage in ["prod", "v1", "%2F", "startSession", "openapi.json"] {
        let path = format!(
            "/compat/concurrency-service/{stage}/startSession/userId/u/sessionId/s?stage=test"
        );
        let counted = service.get(&path).await;
        counted.assert_gateway(200, r#"{"user":"u","concurrentSessions":1}"#);
    }
}

#[tokio::test]
async fn an_id_that_is_left_out_is_asked_for() {
    let service = Service::open();
    for ids in ["/sessionId/s", "u/sessionId/", "/sessionId/"] {
        service.session(ids).await.assert_gateway(400, NAMELESS);
    }
    assert_eq!(service.users().await, 0);
}

#[tokio::test]
async fn an_id_that_is_not_valid_is_refused_and_named() {
    let service = Service::open();
    let long_user = format!("{}/sessionId/s", "x".repeat(257));
    let long_session = format!("u/sessionId/{}", "x".repeat(129));
    for (ids, complaint) in [
        (&*long_user, "userId must be at most 256 bytes long, is 257"),
        (
            &*long_session,
            "sessionId must be at most 128 bytes long, is 129",
        ),
        (
            "%00/sessionId/s",
            "userId must not contain control characters",
        ),
        (
            "u/sessionId/%7F",
            "sessionId must not contain control characters",
        ),
        (
            "%FF/sessionId/s",
            "userId must be UTF-8 when percent-decoded",
        ),
        (
            "u/sessionId/%C3",
            "sessionId must be UTF-8 when percent-decoded",
        ),
        (
            "a%zz/sessionId/s",
            "userId must have two hexadecimal digits behind each percent sign",
        ),
    ] {
        service.session(ids).await.assert_gateway(400, complaint);
    }
    assert_eq!(service.users().await, 0);
}

#[tokio::test]
async fn other_methods_and_paths_are_no_calls_and_head_starts_nothing() {
    let service = Service::open();
    let started = "/dev/startSession/userId/u/sessionId/s";
    for (method, path) in [
        ("POST", started),
        ("DELETE", started),
        ("HEAD", started),
        ("HEAD", "/dev/startSession/userId//sessionId/s"),
        ("PUT", "/dev/startSession/userId/u/sessionId/"),
        ("GET", "/"),
        ("GET", "/startSession/userId/u/sessionId/s"),
        ("GET", "//startSession/userId/u/sessionId/s"),
        ("GET", "/dev/startsession/userId/u/sessionId/s"),
        ("GET", "/dev/startSession/userId/u/sessionId"),
        ("GET", "/dev/startSession/userId/a/b/sessionId/s"),
        ("GET", "/dev/stage/startSession/userId/u/sessionId/s"),
    ] {
        let path = format!("/compat/concurrency-service{path}");
        let answer = service.call(method, &path).await;
        let body = match method {
            "HEAD" => "",
            _ => r#"{"message":"Not Found"}"#,
        };
        answer.assert_gateway(404, body);
    }
    assert_eq!(service.users().await, 0);
}

#[tokio::test]
async fn a_store_that_is_down_is_a_502_as_the_gateway_wrote_it() {
    let service = Service::open();
    service.break_store().await;
    let answer = service.session("u/sessionId/s").await;
    answer.assert_gateway(502, r#"{"message": "Internal server error"}"#);
    assert_eq!(answer.header("retry-after"), Some("1"));
}

#[tokio::test]
async fn a_record_that_cannot_be_read_is_a_502_too() {
    let service = Service::open();
    service.damage("u").await;
    let answer = service.session("u/sessionId/s").await;
    answer.assert_gateway(502, r#"{"message": "Internal server error"}"#);
}

#[tokio::test]
async fn a_key_is_asked_for_wherever_there_are_keys() {
    let service = Service::keyed();
    let call = path("u/sessionId/s");
    for call in [&call, &path("/sessionId/s"), &path("%FF/sessionId/")] {
        for answer in [
            service.get(call).await,
            service.call_as("nope", "GET", call).await,
        ] {
            answer.assert_gateway(403, r#"{"message":"Forbidden"}"#);
            let kind = answer.header("x-amzn-errortype");
            assert_eq!(kind, Some("ForbiddenException"));
        }
    }
    let counted = service.call_as("player", "GET", &call).await;
    counted.assert_gateway(200, r#"{"user":"u","concurrentSessions":1}"#);
    let nameless = service.call_as("player", "GET", &path("/sessionId/")).await;
    nameless.assert_gateway(400, NAMELESS);
    // Each key speaks of the users of its tenant.
    let elsewhere = service
        .call_as("other", "GET", &path("u/sessionId/t"))
        .await;
    elsewhere.assert_gateway(200, r#"{"user":"u","concurrentSessions":1}"#);
}

#[tokio::test]
async fn too_many_requests_are_a_429_that_names_its_kind() {
    let one = NonZeroU32::new(1);
    for rate_limit in [
        RateLimitSettings {
            per_key_per_s: one,
            ..RateLimitSettings::default()
        },
        RateLimitSettings {
            per_user_per_s: one,
            ..RateLimitSettings::default()
        },
    ] {
        let service = Service::with(ServerSettings {
            keys: keys(),
            rate_limit,
            ..ServerSettings::default()
        });
        let call = path("u/sessionId/s");
        let first = service.call_as("player", "GET", &call).await;
        assert_eq!(first.status, 200, "{}", first.text());
        let second = service.call_as("player", "GET", &call).await;
        second.assert_gateway(429, r#"{"message":"Too Many Requests"}"#);
        let kind = second.header("x-amzn-errortype");
        assert_eq!(kind, Some("TooManyRequestsException"));
        assert_eq!(second.header("retry-after"), Some("1"));
    }
}

#[tokio::test]
async fn it_can_stand_at_the_root() {
    let service = Service::at_root(DialectName::ConcurrencyService);
    let counted = service
        .get("/dev/startSession/userId/a%2Fb/sessionId/s")
        .await;
    counted.assert_gateway(200, r#"{"user":"a/b","concurrentSessions":1}"#);
    let nameless = service.get("/dev/startSession/userId//sessionId/s").await;
    nameless.assert_gateway(400, NAMELESS);
}

/// A gateway did not mind it.
#[tokio::test]
async fn a_slash_at_the_end_changes_nothing() {
    let service = Service::open();
    let at = "/compat/concurrency-service/dev/startSession";
    let started = service.get(&format!("{at}/userId/u/sessionId/s/")).await;
    assert_eq!(started.json()["concurrentSessions"], 1);
    let nameless = service.get(&format!("{at}/userId//sessionId/s/")).await;
    assert_eq!(nameless.status, 400);
    assert_eq!(nameless.text(), "Please specify a userId and sessionId");
    let head = service
        .call("HEAD", &format!("{at}/userId/v/sessionId/s/"))
        .await;
    assert_eq!(head.status, 404);
    assert_eq!(service.users().await, 1);
}
