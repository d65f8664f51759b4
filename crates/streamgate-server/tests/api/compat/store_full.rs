//! A store without room, in each dialect: it refuses what adds to the store, in its own words, and
//! serves everything else.

use axum::body::Body;
use streamgate_server::DialectName;

use crate::support::{Answer, MADE_V4_ID, Service, request};

const DETAIL: &str = "the store refuses writes: it is full; send the same request again";

/// A call of a dialect: method, path below `/compat/NAME`, body.
type Call = (&'static str, &'static str, &'static str);

/// A dialect with a start of a new session, and the response to it where the store is full.
struct Refusal {
    dialect: DialectName,
    start: Call,
    status: u16,
    body: String,
}

fn refusals() -> [Refusal; 5] {
    use DialectName::{ConcurrencyService, SessionTracker, StreamLog, StreamRequests, UserStreams};
    let refusal = |dialect, start, status, body| Refusal {
        dialect,
        start,
        status,
        body,
    };
    [
        refusal(
            SessionTracker,
            ("POST", "/add-session?user_id=new", ""),
            500,
            format!(r#"{{"message":"{DETAIL}"}}"#),
        ),
        refusal(
            ConcurrencyService,
            ("GET", "/dev/startSession/userId/new/sessionId/s", ""),
            502,
            r#"{"message": "Internal server error"}"#.to_owned(),
        ),
        refusal(
            StreamLog,
            ("POST", "/dev/stream", r#"{"userId":"new"}"#),
            503,
            format!(r#"{{"statusCode":503,"message":{{"error":"{DETAIL}"}}}}"#),
        ),
        refusal(
            UserStreams,
            ("GET", "/user-streams/new/s", ""),
            503,
            format!(
                r#"{{"error":{{"statusCode":503,"name":"{}","message":"{DETAIL}"}}}}"#,
                "ServiceUnavailableError"
            ),
        ),
        refusal(
            StreamRequests,
            ("POST", "/requeststream", r#"{"id":"known","stream":"s"}"#),
            503,
            DETAIL.to_owned(),
        ),
    ]
}

impl Service {
    async fn dialect(&self, dialect: DialectName, (method, path, body): Call) -> Answer {
        let path = format!("/compat/{}{path}", dialect.as_str());
        self.send(request(method, &path, Body::from(body))).await
    }

    /// Creates a user of `stream-requests`, which must exist before it starts a stream.
    async fn create(&self, body: &'static str) -> Answer {
        let create = ("POST", "/createuser", body);
        self.dialect(DialectName::StreamRequests, create).await
    }
}

#[tokio::test]
async fn each_dialect_refuses_starts_while_the_store_is_full_and_admits_them_afterwards() {
    let service = Service::open();
    let created = service.create(r#"{"Name":"n","id":"known"}"#).await;
    assert_eq!(created.status, 200, "{}", created.text());
    service.fill_store(true);
    for refusal in refusals() {
        let answer = service.dialect(refusal.dialect, refusal.start).await;
        assert_eq!(answer.status, refusal.status, "{:?}", refusal.dialect);
        assert_eq!(answer.text(), refusal.body, "{:?}", refusal.dialect);
        assert_eq!(answer.header("retry-after"), Some("10"));
    }
    // A user of stream-requests is stored as well.
    let created = service.create(r#"{"Name":"n","id":"late"}"#).await;
    assert_eq!(
        (created.status.as_u16(), created.text()),
        (503, DETAIL.to_owned())
    );

    service.fill_store(false);
    for refusal in refusals() {
        let answer = service.dialect(refusal.dialect, refusal.start).await;
        assert!(answer.status.is_success(), "{}", answer.text());
    }
}

#[tokio::test]
async fn heartbeats_and_stops_of_sessions_of_dialects_go_on_while_the_store_is_full() {
    use DialectName::{SessionTracker, StreamLog, StreamRequests, UserStreams};
    let service = Service::open();
    service.create(r#"{"Name":"n","id":"known"}"#).await;
    for refusal in refusals() {
        let started = service.dialect(refusal.dialect, refusal.start).await;
        assert!(started.status.is_success(), "{}", started.text());
    }
    let add = ("POST", "/add-session?user_id=counted", "");
    service.dialect(SessionTracker, add).await;

    service.fill_store(true);
    for session in ["new/sessions/s", "known/sessions/s"] {
        let heartbeat = format!("/v1/users/{session}/heartbeat");
        let renewed = service.call("POST", &heartbeat).await;
        assert_eq!(renewed.status, 200, "{}", renewed.text());
    }
    let end = r#"{"userId":"new","streamId":"5b0a9d3e-7f61-4c2b-8e4d-1a2b3c4d5e6f"}"#;
    assert!(end.contains(MADE_V4_ID));
    for (dialect, call, status) in [
        (
            SessionTracker,
            ("POST", "/remove-session?user_id=counted", ""),
            200,
        ),
        (StreamLog, ("DELETE", "/dev/stream", end), 204),
        (UserStreams, ("DELETE", "/user-streams/new", ""), 204),
        (StreamRequests, ("GET", "/getuser?id=known", ""), 200),
        (StreamRequests, ("GET", "/getallusers", ""), 200),
        (
            StreamRequests,
            ("POST", "/removeuser", r#"{"id":"known"}"#),
            200,
        ),
    ] {
        let answer = service.dialect(dialect, call).await;
        assert_eq!(answer.status, status, "{call:?}: {}", answer.text());
    }
    for user in ["counted", "new", "known"] {
        let sessions = service.get(&format!("/v1/users/{user}/sessions")).await;
        assert_eq!(sessions.json()["active"], 0, "{user}");
    }
}
