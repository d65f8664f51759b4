//! `/v1/events`

use axum::body::Body;
use serde_json::json;

use crate::support::stream::Stream;
use crate::support::{ONE_LEASE_LATER, Service, fresh, request};

const EVENTS: &str = "/v1/events";

/// The stream behind the event with this id.
async fn behind(service: &Service, id: &str) -> Stream {
    let mut request = request("GET", EVENTS, Body::empty());
    request
        .headers_mut()
        .insert("last-event-id", id.parse().unwrap());
    Stream::of(service, request).await
}

#[tokio::test]
async fn everything_of_the_tenant_is_told_and_nothing_of_another() {
    let service = Service::keyed();
    let open = |key: &'static str| {
        let mut request = request("GET", EVENTS, Body::empty());
        request
            .headers_mut()
            .insert("x-api-key", key.parse().unwrap());
        Stream::of(&service, request)
    };
    for key in ["player", "service"] {
        service
            .call_as(key, "GET", EVENTS)
            .await
            .assert_problem(403, "forbidden");
    }
    let (mut stream, mut other) = (open("admin").await, open("other").await);
    assert_eq!(stream.expect("stream").await, json!({"scope": "all"}));
    other.expect("stream").await;
    let call = async |method: &'static str, path: &'static str| {
        service.call_as("admin", method, path).await;
    };
    call("PUT", "/v1/users/u/sessions/s").await;
    assert_eq!(
        stream.expect("started").await,
        json!({"session": fresh("s")})
    );
    service.advance(90);
    call("POST", "/v1/users/u/sessions/s/heartbeat").await;
    let ended = stream.expect("ended").await;
    assert_eq!(
        ended,
        json!({
            "user_id": "u",
            "session_id": "s",
            "reason": "expired",
            "ended_at": ONE_LEASE_LATER,
            "session": fresh("s"),
        })
    );
    assert_eq!(stream.expect("revived").await["session"]["session_id"], "s");
    for id in ["a", "b", "c"] {
        let path = format!("/v1/users/u/sessions/{id}");
        service.call_as("admin", "PUT", &path).await;
    }
    stream.expect("started").await;
    stream.expect("started").await;
    let refused = stream.expect("refused").await;
    assert_eq!(
        (&refused["rule"], &refused["active"]),
        (&json!("limit"), &json!(3))
    );
    call("DELETE", "/v1/users/u").await;
    for _ in 0..3 {
        assert_eq!(stream.expect("ended").await["reason"], "revoked");
    }
    let set = stream.expect("user_set").await;
    let erased =
        json!({"user_id": "u", "plan": null, "limit": null, "profile": {}, "erased": true});
    assert_eq!(set, erased);
    stream.assert_quiet().await;
    other.assert_quiet().await;
}

#[tokio::test]
async fn a_stream_goes_on_behind_the_last_event_that_its_client_has() {
    let service = Service::open();
    let mut stream = Stream::open(&service, EVENTS).await;
    stream.expect("stream").await;
    service.start(&["a"]).await;
    let last = stream.next().await.unwrap();
    drop(stream);
    service.start(&["b", "c"]).await;
    let mut stream = behind(&service, &last.id).await;
    let first = stream.next().await.unwrap();
    assert_eq!((&*first.name, &first.id), ("stream", &last.id));
    for id in ["b", "c"] {
        assert_eq!(stream.expect("started").await["session"]["session_id"], id);
    }
    stream.assert_quiet().await;
    // Nobody knows what is behind an event of another process.
    for id in ["0000000000000000-1", "x", "-", "1"] {
        let mut stream = behind(&service, id).await;
        stream.expect("stream").await;
        assert_eq!(stream.expect("gap").await, json!({"missed": null}), "{id}");
        stream.assert_quiet().await;
    }
}

#[tokio::test]
async fn more_than_the_buffer_holds_is_a_gap_of_so_many() {
    let service = Service::open();
    let mut slow = Stream::open(&service, EVENTS).await;
    let mut stream = Stream::open(&service, EVENTS).await;
    let first = stream.next().await.unwrap();
    for _ in 0..600 {
        service.start(&["s"]).await;
        service.call("DELETE", "/v1/users/u/sessions/s").await;
    }
    let mut late = behind(&service, &first.id).await;
    late.expect("stream").await;
    assert_eq!(late.expect("gap").await, json!({"missed": 176}));
    late.expect("started").await;
    // One that read nothing meanwhile has the oldest, and misses the newest.
    slow.expect("stream").await;
    let mut last = slow.next().await.unwrap();
    for _ in 1..1_024 {
        last = slow.next().await.unwrap();
    }
    assert_eq!(last.name, "ended");
    assert_eq!(slow.expect("gap").await, json!({"missed": 176}));
    service.start(&["s"]).await;
    let next = slow.next().await.unwrap();
    let number = |id: &str| id.split_once('-').unwrap().1.parse::<u64>().unwrap();
    assert_eq!(number(&next.id), number(&last.id) + 177);
}
