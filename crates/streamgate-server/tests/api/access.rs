//! Keys, tenants, and the ids in paths. What is *not* here: who may make which call
//! ([`crate::matrix`]).

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, HttpBody};
use axum::http::HeaderValue;
use bytes::Bytes;
use hyper::body::Frame;
use streamgate_server::{Keys, ServerSettings};

use crate::support::{Service, keys, request};

#[tokio::test]
async fn replaced_keys_are_the_only_ones_from_then_on() {
    let service = Service::keyed();
    let all = keys();
    // Both ways to a session: past the router and through it.
    let calls = [
        ("POST", "/v1/users/u/sessions/s/heartbeat"),
        ("GET", "/v1/users/u/sessions"),
    ];
    let is_known = async |key, (method, path)| {
        let answer = service.call_as(key, method, path).await;
        answer.status != 401
    };
    for call in calls {
        assert!(is_known("admin", call).await && is_known("player", call).await);
    }
    let admin_only = all
        .entries()
        .iter()
        .filter(|key| key.name.ends_with("admin"));
    service.set_keys(Keys::new(admin_only.cloned().collect()));
    for call in calls {
        assert!(is_known("admin", call).await && !is_known("player", call).await);
    }
    service.set_keys(all);
    for call in calls {
        assert!(is_known("player", call).await);
    }
}

#[tokio::test]
async fn a_key_comes_in_either_header() {
    let service = Service::keyed();
    for (value, status) in [
        ("Bearer player", 200),
        ("bearer  player ", 200),
        ("BEARER player", 200),
        ("Bearer", 401),
        ("Bearer ", 401),
        ("Basic player", 401),
        ("player", 401),
        ("Bearer wrong", 401),
    ] {
        let mut request = request("GET", "/v1/users/u/sessions", Body::empty());
        let value = HeaderValue::from_str(value).unwrap();
        request.headers_mut().insert("authorization", value);
        let answer = service.send(request).await;
        assert_eq!(answer.status, status, "{}", answer.text());
    }
    // A wrong `x-api-key` is not forgiven for the sake of another header.
    let mut both = request("GET", "/v1/users/u/sessions", Body::empty());
    both.headers_mut()
        .insert("x-api-key", HeaderValue::from_bytes(b"\xff").unwrap());
    both.headers_mut()
        .insert("authorization", "Bearer player".parse().unwrap());
    assert_eq!(service.send(both).await.status, 401);
}

#[tokio::test]
async fn a_caller_without_a_key_does_not_make_the_server_read_a_body() {
    let service = Service::keyed();
    for path in ["/v1/heartbeats", "/v1/users/u/sessions"] {
        let body = Body::new(NeverReady);
        let answer = service.raw("POST", path, "application/json", body).await;
        answer.assert_problem(401, "unauthenticated");
    }
}

/// A body that never ends: reading it hangs.
struct NeverReady;

impl HttpBody for NeverReady {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Pending
    }
}

#[tokio::test]
async fn keys_of_another_tenant_see_other_users() {
    let service = Service::keyed();
    for key in ["player", "other"] {
        let path = "/v1/users/u/sessions/s";
        assert_eq!(service.call_as(key, "PUT", path).await.status, 201);
    }
    let path = "/v1/users/u/sessions/s";
    assert_eq!(service.call_as("other", "DELETE", path).await.status, 204);
    let list = "/v1/users/u/sessions";
    let active = |answer: crate::support::Answer| answer.json()["active"].clone();
    assert_eq!(active(service.call_as("player", "GET", list).await), 1);
    assert_eq!(active(service.call_as("other", "GET", list).await), 0);
    let page = service.call_as("admin", "GET", "/v1/sessions").await;
    assert_eq!(page.json()["sessions"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_cursor_of_another_tenant_shows_none_of_its_users() {
    let service = Service::keyed();
    for (key, user) in [("player", "mine"), ("other", "theirs")] {
        for id in ["a", "b", "c"] {
            let path = format!("/v1/users/{user}/sessions/{id}");
            assert_eq!(service.call_as(key, "PUT", &path).await.status, 201);
        }
    }
    // One page ends between users or at the end, the other within a user.
    let mut cursors = Vec::new();
    for key in ["admin", "other"] {
        let page = service
            .call_as(key, "GET", "/v1/sessions?page_size=1")
            .await;
        cursors.push(page.json()["next_cursor"].as_str().unwrap().to_owned());
    }
    for cursor in cursors {
        for list in ["/v1/sessions", "/v1/users"] {
            let path = format!("{list}?cursor={cursor}");
            for (key, stranger) in [("admin", "theirs"), ("other", "mine")] {
                let answer = service.call_as(key, "GET", &path).await;
                assert_eq!(answer.status, 200);
                assert!(!answer.text().contains(stranger), "{}", answer.text());
            }
        }
    }
}

#[tokio::test]
async fn operator_endpoints_need_no_key_but_metrics_can_ask_for_one() {
    let service = Service::keyed();
    for path in [
        "/healthz",
        "/readyz",
        "/metrics",
        "/openapi.json",
        "/docs/",
        "/docs/problems",
    ] {
        assert_eq!(service.get(path).await.status, 200, "{path}");
    }
    let service = Service::with(ServerSettings {
        keys: keys(),
        metrics_require_key: true,
        ..ServerSettings::default()
    });
    service
        .get("/metrics")
        .await
        .assert_problem(401, "unauthenticated");
    service
        .call_as("service", "GET", "/metrics")
        .await
        .assert_problem(403, "forbidden");
    let answer = service.call_as("admin", "GET", "/metrics").await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn ids_are_any_text_percent_decoded_from_the_path_as_it_was_sent() {
    let service = Service::open();
    for (raw, id) in [
        ("plain", "plain"),
        ("a%2Fb", "a/b"),
        ("a%252Fb", "a%2Fb"),
        ("%2e%2e", ".."),
        ("..", ".."),
        (".", "."),
        ("a+b", "a+b"),
        ("a%20b", "a b"),
        ("%C3%BC%F0%9F%93%BA", "ü📺"),
        ("100%25", "100%"),
        ("%25zz", "%zz"),
        ("a%3Fb%23c", "a?b#c"),
        ("a;b=c,d:e@f", "a;b=c,d:e@f"),
        ("%22%3Cscript%3E", "\"<script>"),
        (
            "0193503C-5D3E-7C4A-9A3B-2F6D8E1C4B5A",
            "0193503C-5D3E-7C4A-9A3B-2F6D8E1C4B5A",
        ),
    ] {
        let session = format!("/v1/users/{raw}/sessions/{raw}");
        let answer = service.call("PUT", &session).await;
        assert_eq!(answer.status, 201, "{raw}: {}", answer.text());
        assert_eq!(answer.json()["session"]["user_id"], id);
        assert_eq!(answer.json()["session"]["session_id"], id);
        let beat = service.call("POST", &format!("{session}/heartbeat")).await;
        assert_eq!(beat.json()["session_id"], id);
        let location = service
            .call("POST", &format!("/v1/users/{raw}/sessions"))
            .await;
        let location = location.header("location").unwrap();
        assert_eq!(service.call("DELETE", location).await.status, 204);
        assert_eq!(service.call("DELETE", &session).await.status, 204);
    }
}

/// A decoder that takes such a `%` for itself makes one id of `a%zz` and `a%25zz`.
#[tokio::test]
async fn a_percent_sign_that_begins_no_encoded_byte_is_400_and_named() {
    let service = Service::open();
    for raw in ["a%zz", "100%", "%4", "%", "%%41", "a%4g", "%+1", "%C3%BC%"] {
        for (path, field) in [
            (format!("/v1/users/{raw}/sessions/s"), "user_id"),
            (format!("/v1/users/u/sessions/{raw}"), "session_id"),
        ] {
            service.call("PUT", &path).await.assert_invalid(&[field]);
            service.call("DELETE", &path).await.assert_invalid(&[field]);
            let stop = service.call("POST", &format!("{path}/stop")).await;
            stop.assert_invalid(&[field]);
        }
        let user = service.get(&format!("/v1/users/{raw}")).await;
        user.assert_invalid(&["user_id"]);
        let dialect = format!("/compat/user-streams/user-streams/{raw}/s");
        assert_eq!(service.get(&dialect).await.status, 400, "{dialect}");
    }
    assert_eq!(service.metric("streamgate_live_sessions").await, "0");
}

#[tokio::test]
async fn ids_out_of_their_bounds_are_named() {
    let service = Service::open();
    let long = "x".repeat(257);
    let bytes = "%C3%BC".repeat(65);
    for (path, fields) in [
        ("/v1/users/%FF/sessions/s", &["user_id"][..]),
        ("/v1/users//sessions/s", &["user_id"]),
        ("/v1/users/u/sessions/%C3", &["session_id"]),
        ("/v1/users/%00/sessions/%0A", &["user_id", "session_id"]),
        ("/v1/users/%C2%85/sessions/s", &["user_id"]),
        (&format!("/v1/users/{long}/sessions/s"), &["user_id"]),
        (&format!("/v1/users/u/sessions/{bytes}"), &["session_id"]),
    ] {
        service.call("PUT", path).await.assert_invalid(fields);
        service.call("DELETE", path).await.assert_invalid(fields);
    }
    service
        .get("/v1/users/%FF")
        .await
        .assert_invalid(&["user_id"]);
}
