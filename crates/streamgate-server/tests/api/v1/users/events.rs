//! `/v1/users/{user_id}/events`

use serde_json::json;
use streamgate_core::admission::{Start, Stop};
use streamgate_core::{EndReason, SessionId};

use crate::support::stream::Stream;
use crate::support::{BEGIN, Service, fresh, user_key};

const EVENTS: &str = "/v1/users/u/events";

#[tokio::test]
async fn the_list_comes_first_and_then_what_happens_in_its_order() {
    let service = Service::open();
    service.start(&["a"]).await;
    let mut stream = Stream::open(&service, EVENTS).await;
    let list = service.get("/v1/users/u/sessions").await.json();
    assert_eq!(stream.expect("sessions").await, list);
    service.start(&["b", "c"]).await;
    service.call("PUT", "/v1/users/someone/sessions/x").await;
    service
        .call("PUT", "/v1/users/u/sessions/d")
        .await
        .assert_problem(409, "limit_reached");
    service.call("DELETE", "/v1/users/u/sessions/a").await;
    assert_eq!(
        stream.expect("started").await,
        json!({"session": fresh("b")})
    );
    assert_eq!(
        stream.expect("started").await,
        json!({"session": fresh("c")})
    );
    let refused = stream.expect("refused").await;
    assert_eq!(
        refused,
        json!({
            "user_id": "u",
            "rule": "limit",
            "limit": 3,
            "active": 3,
            "sessions": [fresh("a"), fresh("b"), fresh("c")],
            "sessions_total": 3,
            "next_slot_at": "2026-11-21T06:31:30.000Z",
        })
    );
    let ended = stream.expect("ended").await;
    assert_eq!(
        ended,
        json!({
            "user_id": "u",
            "session_id": "a",
            "reason": "stopped",
            "ended_at": BEGIN,
            "session": fresh("a"),
        })
    );
    stream.assert_quiet().await;
}

/// The session as it was: also what it played, and by whom its slot was taken.
#[tokio::test]
async fn an_ending_carries_the_session() {
    let service = Service::open();
    let mut stream = Stream::open(&service, EVENTS).await;
    stream.expect("sessions").await;
    let facts = json!({
        "device_id": "tv",
        "content_id": "film",
        "region": "eu-west",
        "attributes": {"quality": "4k"},
    });
    let path = "/v1/users/u/sessions/s";
    assert_eq!(service.json("PUT", path, &facts).await.status, 201);
    let started = stream.expect("started").await;
    service.advance(10);
    let by = json!({"terminate": ["s"]});
    for other in ["a", "b"] {
        service
            .call("PUT", &format!("/v1/users/u/sessions/{other}"))
            .await;
        stream.expect("started").await;
    }
    let taker = service.json("PUT", "/v1/users/u/sessions/taker", &by).await;
    assert_eq!(taker.status, 201);
    let ended = stream.expect("ended").await;
    assert_eq!(ended["session"], started["session"]);
    assert_eq!(
        (&ended["reason"], &ended["taken_by"]),
        (&json!("terminated"), &json!("taker"))
    );
    stream.expect("started").await;
    service.advance(90);
    service.call("GET", "/v1/users/u/sessions").await;
    service.call("DELETE", "/v1/users/u/sessions/taker").await;
    for expired in ["a", "b", "taker"] {
        let ended = stream.expect("ended").await;
        assert_eq!(
            (&ended["reason"], &ended["session"]["session_id"]),
            (&json!("expired"), &json!(expired))
        );
    }
}

/// Another node ends sessions, and its notices are lost. The record does not keep the sessions; the
/// stream does.
#[tokio::test]
async fn endings_of_other_nodes_that_were_not_told_are_found_in_the_record() {
    let service = Service::open();
    service.start(&["a", "b"]).await;
    let mut stream = Stream::open(&service, EVENTS).await;
    stream.expect("sessions").await;
    let stop = |id: &str| Stop {
        id: SessionId::new(id).unwrap(),
        reason: EndReason::Stopped,
    };
    service.elsewhere("u", &stop("a")).await;
    service.hub.recheck(&user_key("u"));
    assert_eq!(
        stream.expect("ended").await,
        json!({
            "user_id": "u",
            "session_id": "a",
            "reason": "stopped",
            "ended_at": BEGIN,
            "session": fresh("a"),
        })
    );
    stream.assert_quiet().await;
    service.elsewhere("u", &stop("b")).await;
    let start = Start::new(SessionId::new("c").unwrap());
    service.elsewhere("u", &start).await;
    service.hub.recheck_all();
    assert_eq!(stream.expect("ended").await["session"], fresh("b"));
    let list = stream.expect("sessions").await;
    assert_eq!(list["sessions"], json!([fresh("c")]));
    stream.assert_quiet().await;
}

#[tokio::test]
async fn a_user_that_was_never_seen_has_a_stream_and_a_revival_is_a_start() {
    let service = Service::open();
    let mut stream = Stream::open(&service, EVENTS).await;
    assert_eq!(stream.expect("sessions").await["sessions"], json!([]));
    service.start(&["s"]).await;
    stream.expect("started").await;
    service.advance(90);
    service
        .call("POST", "/v1/users/u/sessions/s/heartbeat")
        .await;
    assert_eq!(stream.expect("ended").await["reason"], "expired");
    let revived = stream.expect("started").await;
    assert_eq!(
        (&revived["revived"], &revived["session"]["session_id"]),
        (&json!(true), &json!("s"))
    );
}

#[tokio::test]
async fn a_reader_that_is_too_slow_is_told_how_much_it_missed_and_the_list() {
    let service = Service::open();
    let mut stream = Stream::open(&service, EVENTS).await;
    stream.expect("sessions").await;
    for _ in 0..50 {
        service.start(&["s"]).await;
        service.call("DELETE", "/v1/users/u/sessions/s").await;
    }
    service.start(&["last"]).await;
    for _ in 0..32 {
        stream.expect("started").await;
        stream.expect("ended").await;
    }
    assert_eq!(stream.expect("gap").await, json!({"missed": 37}));
    let list = stream.expect("sessions").await;
    assert_eq!(list["sessions"], json!([fresh("last")]));
    assert_eq!(
        service.metric("streamgate_push_events_missed_total").await,
        "37"
    );
    // From here on everything is told again.
    service.call("DELETE", "/v1/users/u/sessions/last").await;
    stream.expect("ended").await;
}

#[tokio::test]
async fn parameters_and_methods_that_it_does_not_have_are_refused() {
    let service = Service::open();
    service
        .get(&format!("{EVENTS}?hold=true"))
        .await
        .assert_invalid(&["hold"]);
    service
        .call("POST", EVENTS)
        .await
        .assert_problem(405, "method_not_allowed");
    let head = service.call("HEAD", EVENTS).await;
    assert_eq!((head.status.as_u16(), head.body.len()), (200, 0));
}
