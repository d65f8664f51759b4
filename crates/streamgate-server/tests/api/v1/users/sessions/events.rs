//! `/v1/users/{user_id}/sessions/{session_id}/events`

use axum::body::Body;
use serde_json::json;
use streamgate_server::{Keys, PushSettings, ServerSettings};
use streamgate_tokens::SKEW_S;

use crate::support::stream::Stream;
use crate::support::viewers::{self, bearing, own_token, signing_key, token_at};
use crate::support::{Service, fresh, keys, request};

const EVENTS: &str = "/v1/users/u/sessions/s/events";
const HOLD: &str = "/v1/users/u/sessions/s/events?hold=true";

#[tokio::test]
async fn a_session_is_told_as_it_is_and_then_its_end_as_a_heartbeat_is() {
    let service = Service::open();
    service.start(&["s", "other"]).await;
    let mut stream = Stream::open(&service, EVENTS).await;
    let first = stream.next().await.unwrap();
    assert_eq!((&*first.name, first.data), ("session", fresh("s")));
    assert!(
        first
            .retry_ms
            .is_some_and(|ms| (1_000..=3_000).contains(&ms))
    );
    service.call("DELETE", "/v1/users/u/sessions/other").await;
    stream.assert_quiet().await;
    service.call("DELETE", "/v1/users/u/sessions/s").await;
    let last = stream.next().await.unwrap();
    assert_ne!(first.id, last.id);
    stream.assert_end().await;
    let gone = service
        .call("POST", "/v1/users/u/sessions/s/heartbeat")
        .await;
    gone.assert_problem(410, "session_ended");
    assert_eq!((&*last.name, last.data), ("ended", gone.json()));
}

#[tokio::test]
async fn every_way_to_end_is_told_with_its_reason() {
    for reason in ["stopped", "evicted", "terminated", "revoked", "expired"] {
        let service = Service::open();
        if reason == "evicted" {
            service.set_user("u", &json!({"plan": "rolling"})).await;
        }
        service.start(&["s", "second"]).await;
        let mut stream = Stream::open(&service, EVENTS).await;
        stream.expect("session").await;
        match reason {
            "stopped" => service.call("DELETE", "/v1/users/u/sessions/s").await,
            "evicted" => service.call("PUT", "/v1/users/u/sessions/new").await,
            "terminated" => {
                let body = json!({"terminate": ["s"]});
                service.json("PUT", "/v1/users/u/sessions/new", &body).await
            }
            "revoked" => service.call("DELETE", "/v1/users/u").await,
            _ => {
                service.advance(90);
                // Whichever call comes next finds it.
                service.call("PUT", "/v1/users/u/sessions/new").await
            }
        };
        let ended = stream.expect("ended").await;
        assert_eq!(ended["reason"], reason, "{ended}");
        let taker = ["evicted", "terminated"].contains(&reason).then_some("new");
        assert_eq!(ended["taken_by"].as_str(), taker, "{ended}");
        assert_eq!(
            (&ended["status"], &ended["code"]),
            (&json!(410), &json!("session_ended"))
        );
        stream.assert_end().await;
    }
}

#[tokio::test]
async fn a_stream_that_cannot_begin_is_answered_as_a_heartbeat_is() {
    let service = Service::open();
    for path in [EVENTS, HOLD] {
        service
            .get(path)
            .await
            .assert_problem(404, "session_unknown");
    }
    service.start(&["s"]).await;
    service.call("DELETE", "/v1/users/u/sessions/s").await;
    for path in [EVENTS, HOLD] {
        let gone = service.get(path).await.assert_problem(410, "session_ended");
        assert_eq!(gone["reason"], "stopped");
        let head = service.call("HEAD", path).await;
        assert_eq!((head.status.as_u16(), head.body.len()), (410, 0));
    }
    service
        .get(&format!("{EVENTS}?hold=yes"))
        .await
        .assert_invalid(&["hold"]);
    service
        .get(&format!("{EVENTS}?hodl=true"))
        .await
        .assert_invalid(&["hodl"]);
    service
        .call("POST", EVENTS)
        .await
        .assert_problem(405, "method_not_allowed");
    service.break_store().await;
    service.get(EVENTS).await.assert_store_unavailable();
    service.get(HOLD).await.assert_store_unavailable();
}

#[tokio::test]
async fn a_head_request_opens_no_stream_and_renews_nothing() {
    let service = Service::open();
    service.start(&["s"]).await;
    service.advance(1);
    for path in [EVENTS, HOLD] {
        let head = service.call("HEAD", path).await;
        assert_eq!((head.status.as_u16(), head.body.len()), (200, 0));
        assert_eq!(head.header("content-type"), Some("text/event-stream"));
    }
    let list = service.get("/v1/users/u/sessions").await.json();
    assert_eq!(list["sessions"], json!([fresh("s")]));
    assert_eq!(
        service
            .metric("streamgate_push_streams{kind=\"hold\"}")
            .await,
        "0"
    );
}

#[tokio::test]
async fn a_hold_begins_with_a_heartbeat_and_revives_like_one() {
    let service = Service::open();
    service.start(&["s"]).await;
    service.advance(30);
    let mut stream = Stream::open(&service, HOLD).await;
    let session = stream.expect("session").await;
    assert_eq!(session["expires_at"], "2026-11-21T06:32:00.000Z");
    // Two at once harm nobody.
    let mut again = Stream::open(&service, HOLD).await;
    again.expect("session").await;
    drop((stream, again));
    service.advance(200);
    service
        .get(EVENTS)
        .await
        .assert_problem(410, "session_ended");
    let mut stream = Stream::open(&service, HOLD).await;
    stream.expect("session").await;
    assert_eq!(service.active("u").await, 1);
    service.call("DELETE", "/v1/users/u/sessions/s").await;
    let ended = stream.expect("ended").await;
    assert_eq!(ended["reason"], "stopped");
    stream.assert_end().await;
}

#[tokio::test]
async fn a_hold_of_a_full_user_is_answered_410() {
    let service = Service::open();
    service.set_user("u", &json!({"limit": 1})).await;
    service.start(&["s"]).await;
    service.advance(90);
    service.start(&["other"]).await;
    let gone = service.get(HOLD).await.assert_problem(410, "session_ended");
    assert_eq!(gone["reason"], "expired");
}

#[tokio::test]
async fn a_hold_goes_on_without_the_store_if_the_server_fails_open() {
    let service = Service::fails_open();
    service.start(&["s"]).await;
    service.break_store().await;
    let mut stream = Stream::open(&service, HOLD).await;
    assert_eq!(stream.expect("session").await["session_id"], "s");
}

#[tokio::test]
async fn a_session_that_ended_before_its_stream_is_never_listened_to() {
    // The subscription comes first, so whatever ends in between is in the state or is told.
    for _ in 0..50 {
        let service = Service::open();
        service.start(&["s"]).await;
        let (answer, _) = tokio::join!(
            service
                .endpoints
                .answer(request("GET", EVENTS, Body::empty())),
            service.call("DELETE", "/v1/users/u/sessions/s"),
        );
        if answer.status() == 200 {
            let ended = http_body_util::BodyExt::collect(answer.into_body())
                .await
                .unwrap();
            let text = String::from_utf8(ended.to_bytes().to_vec()).unwrap();
            assert!(text.contains("event: ended\n"), "{text}");
        } else {
            assert_eq!(answer.status(), 410);
        }
    }
}

#[tokio::test]
async fn more_streams_than_allowed_are_refused() {
    let service = Service::with(ServerSettings {
        push: PushSettings {
            max_streams: 3,
            max_streams_per_user: 2,
            ..PushSettings::default()
        },
        ..ServerSettings::default()
    });
    service.start(&["s"]).await;
    service.call("PUT", "/v1/users/v/sessions/s").await;
    let one = Stream::open(&service, EVENTS).await;
    let two = Stream::open(&service, "/v1/users/u/events").await;
    let refused = service.get(HOLD).await;
    refused.assert_problem(429, "too_many_requests");
    assert!(refused.header("retry-after").is_some());
    let three = Stream::open(&service, "/v1/users/v/events").await;
    let refused = service.get("/v1/users/v/sessions/s/events").await;
    refused.assert_problem(503, "overloaded");
    assert!(refused.header("retry-after").is_some());
    assert_eq!(
        service
            .metric("streamgate_push_streams_refused_total")
            .await,
        "2"
    );
    drop((one, two, three));
    drop(Stream::open(&service, EVENTS).await);
    for kind in ["session", "hold", "user"] {
        let open = service
            .metric(&format!("streamgate_push_streams{{kind=\"{kind}\"}}"))
            .await;
        assert_eq!(open, "0", "{kind}");
    }
    let ended = "streamgate_push_streams_ended_total{reason=\"client\"}";
    assert_eq!(service.metric(ended).await, "4");
}

#[tokio::test]
async fn a_stream_ends_when_its_key_is_accepted_no_longer() {
    let service = Service::keyed();
    service
        .call_as("player", "PUT", "/v1/users/u/sessions/s")
        .await;
    service
        .get(EVENTS)
        .await
        .assert_problem(401, "unauthenticated");
    let with_key = |path: &str| {
        let mut request = request("GET", path, Body::empty());
        request
            .headers_mut()
            .insert("x-api-key", "player".parse().unwrap());
        request
    };
    let mut of_session = Stream::of(&service, with_key(EVENTS)).await;
    let mut of_user = Stream::of(&service, with_key("/v1/users/u/events")).await;
    of_session.expect("session").await;
    of_user.expect("sessions").await;
    // The same keys again change nothing.
    service.set_keys(keys());
    of_session.assert_quiet().await;
    let others = keys()
        .entries()
        .iter()
        .filter(|key| &*key.name != "key of player")
        .cloned()
        .collect();
    service.set_keys(Keys::new(others));
    for stream in [&mut of_session, &mut of_user] {
        let bye = stream.expect("bye").await;
        assert_eq!(bye["reason"], "unauthenticated");
        stream.assert_end().await;
    }
}

#[tokio::test]
async fn a_stream_ends_when_its_token_has_expired() {
    let signing = signing_key();
    let service = viewers::service(&signing);
    let start = service.call_as("player", "PUT", "/v1/users/u/sessions/s");
    assert_eq!(start.await.status, 201);
    let lasting = own_token(&signing, "u");
    // Accepted for five seconds more, of the ten minutes that it was minted for.
    let short = token_at(&signing, "u", 600 + SKEW_S - 5);
    let open = async |token: &str, path: &str| {
        Stream::of(
            &service,
            bearing(token, request("GET", path, Body::empty())),
        )
        .await
    };
    let mut kept = open(&lasting, "/v1/users/u/events").await;
    let mut ends = [
        open(&short, EVENTS).await,
        open(&short, HOLD).await,
        open(&short, "/v1/users/u/events").await,
    ];
    for stream in &mut ends {
        stream.next().await.unwrap();
        // It is looked at with the comment that is due every 15 seconds.
        let bye = stream.expect("bye").await;
        assert_eq!(bye["reason"], "unauthenticated");
        stream.assert_end().await;
    }
    kept.expect("sessions").await;
    kept.assert_quiet().await;
    drop(ends);
    let ended = "streamgate_push_streams_ended_total{reason=\"credential\"}";
    let page = service.metrics.render_text();
    assert!(page.contains(&format!("{ended} 3\n")), "{page}");
}

#[tokio::test]
async fn foreign_pages_hold_no_session_of_an_open_server() {
    let service = Service::open();
    service.start(&["s"]).await;
    service.advance(1);
    let from = |path: &str, name: &'static str, value: &str| {
        let mut request = request("GET", path, Body::empty());
        let headers = request.headers_mut();
        headers.insert("host", "localhost:8080".parse().unwrap());
        headers.insert(name, value.parse().unwrap());
        request
    };
    for (name, value) in [
        ("origin", "https://evil.example"),
        ("sec-fetch-site", "cross-site"),
    ] {
        let refused = service.send(from(HOLD, name, value)).await;
        refused.assert_problem(403, "forbidden");
        // It cannot read this one: no header allows it.
        let stream = Stream::of(&service, from(EVENTS, name, value)).await;
        let headers = stream.response.headers();
        assert!(!headers.contains_key("access-control-allow-origin"));
    }
    let refused = service.send(from(EVENTS, "host", "rebind.example")).await;
    refused.assert_problem(403, "forbidden");
    let list = service.get("/v1/users/u/sessions").await.json();
    assert_eq!(list["sessions"], json!([fresh("s")]));
    Stream::of(&service, from(HOLD, "origin", "http://localhost:8080")).await;
}

/// Promise 12: of many players, each is told.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn none_of_64_players_misses_its_ending() {
    let service = Service::open();
    for round in 0..5 {
        let mut streams = Vec::new();
        for player in 0..64 {
            let path = format!("/v1/users/p{player}/sessions/r{round}");
            assert_eq!(service.call("PUT", &path).await.status, 201);
            streams.push(Stream::open(&service, &format!("{path}/events")).await);
        }
        let endings = (0..64).map(|player| {
            let endpoints = service.endpoints.clone();
            tokio::spawn(async move {
                let path = format!("/v1/users/p{player}/sessions/r{round}");
                let stop = request("DELETE", &path, Body::empty());
                assert_eq!(endpoints.answer(stop).await.status(), 204);
            })
        });
        for ending in endings.collect::<Vec<_>>() {
            ending.await.unwrap();
        }
        for mut stream in streams {
            stream.expect("session").await;
            assert_eq!(stream.expect("ended").await["reason"], "stopped");
            stream.assert_end().await;
        }
    }
}
