//! The calls of players go past the router: nobody can tell.
//!
//! Where pages of other origins may call, all goes through the router. So two services that differ
//! in nothing else are asked the same, and answer the same.

use axum::body::Body;
use axum::http::HeaderMap;
use streamgate_server::{AllowedOrigins, CorsSettings, ServerSettings};

use crate::support::{Answer, Service, keys, request};

/// Every request twice: what the service says, and what one says whose calls all go through the
/// router.
struct Both {
    express: Service,
    router: Service,
}

impl Both {
    fn keyed() -> Self {
        let settings = |allowed_origins| ServerSettings {
            cors: CorsSettings {
                allowed_origins,
                max_age: None,
            },
            keys: keys(),
            ..ServerSettings::default()
        };
        Self {
            express: Service::with(settings(AllowedOrigins::None)),
            router: Service::with(settings(AllowedOrigins::Any)),
        }
    }

    /// Asks both, and returns the status of their one answer.
    async fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&'static str, &str)],
        body: &str,
    ) -> u16 {
        let mut answers = Vec::new();
        for service in [&self.express, &self.router] {
            let mut request = request(method, path, Body::from(body.to_owned()));
            for (name, value) in headers {
                request.headers_mut().insert(*name, value.parse().unwrap());
            }
            answers.push(service.send(request).await);
        }
        let [express, router] = answers.try_into().unwrap();
        assert_eq!(express.status, router.status, "{method} {path}");
        assert_eq!(told(&express), told(&router), "{method} {path}");
        assert_eq!(express.text(), router.text(), "{method} {path}");
        express.status.as_u16()
    }
}

/// The headers of an answer, but those for pages of other origins, and the length, which the
/// connection adds to all.
fn told(answer: &Answer) -> HeaderMap {
    let mut headers = answer.headers.clone();
    for name in [
        "vary",
        "access-control-allow-origin",
        "access-control-allow-credentials",
        "access-control-expose-headers",
        "content-length",
    ] {
        headers.remove(name);
    }
    headers
}

const ID: (&str, &str) = ("x-request-id", "the-same");
const KEY: (&str, &str) = ("x-api-key", "player");
const JSON: (&str, &str) = ("content-type", "application/json");

#[tokio::test]
async fn calls_of_players_are_answered_as_by_the_router() {
    let both = Both::keyed();
    let mut statuses = Vec::new();
    for (method, path, body) in [
        ("PUT", "/v1/users/u/sessions/a", ""),
        ("PUT", "/v1/users/u/sessions/a", r#"{"device_id":"tv"}"#),
        ("PUT", "/v1/users/u/sessions/b", r#"{"device_id":7}"#),
        ("PUT", "/v1/users/u/sessions/b", "{"),
        ("PUT", "/v1/users/u/sessions/b?x=y", ""),
        ("PUT", "/v1/users/u/sessions/%20c%2Fd", ""),
        ("PUT", "/v1/users/u/sessions/e", ""),
        ("PUT", "/v1/users/u/sessions/%ff", ""),
        ("PUT", "/v1/users/u%zz/sessions/f", ""),
        ("PUT", "/v1/users/u/sessions/f%", ""),
        ("POST", "/v1/users/u/sessions/f%4/heartbeat", ""),
        ("POST", "/v1/users/u/sessions/a/heartbeat", ""),
        ("POST", "/v1/users/u/sessions/a/heartbeat", "anything"),
        ("POST", "/v1/users/u/sessions/z/heartbeat", ""),
        ("DELETE", "/v1/users/u/sessions/a", ""),
        ("DELETE", "/v1/users/u/sessions/a", ""),
        ("DELETE", "/v1/users/u/sessions/z", ""),
        ("POST", "/v1/users/u/sessions/a/heartbeat", ""),
    ] {
        statuses.push(both.ask(method, path, &[ID, KEY, JSON], body).await);
    }
    assert_eq!(
        statuses,
        [
            201, 200, 400, 400, 201, 201, 409, 400, 400, 400, 400, 200, 200, 404, 204, 204, 404,
            410
        ]
    );
}

#[tokio::test]
async fn what_is_nearly_such_a_call_is_answered_as_by_the_router() {
    let both = Both::keyed();
    for (method, path, status) in [
        ("PUT", "/v1/users//sessions/a", 400),
        ("PUT", "/v1/users/u/sessions/", 404),
        ("PUT", "/v1/users/u/sessions/a/", 404),
        ("PUT", "/v1/users/u/sessions/a/b", 404),
        ("PUT", "/v1/users/u/Sessions/a", 404),
        ("PUT", "/v2/users/u/sessions/a", 404),
        ("PUT", "//v1/users/u/sessions/a", 404),
        ("GET", "/v1/users/u/sessions/a", 405),
        ("HEAD", "/v1/users/u/sessions/a", 405),
        ("PATCH", "/v1/users/u/sessions/a", 405),
        ("POST", "/v1/users/u/sessions/a", 405),
        ("PUT", "/v1/users/u/sessions/a/heartbeat", 405),
        ("DELETE", "/v1/users/u/sessions/a/heartbeat", 405),
        ("POST", "/v1/users/u/sessions/a/heartbeat/", 404),
        ("POST", "/v1/users/u/sessions//heartbeat", 400),
        ("POST", "/v1/users/u/sessions/heartbeat", 405),
        ("POST", "/v1/users/u/sessions/a/stop", 404),
    ] {
        assert_eq!(
            both.ask(method, path, &[ID, KEY], "").await,
            status,
            "{method} {path}"
        );
    }
}

#[tokio::test]
async fn callers_are_asked_for_their_keys_as_by_the_router() {
    let both = Both::keyed();
    let calls = [
        ("PUT", "/v1/users/u/sessions/a"),
        ("POST", "/v1/users/u/sessions/a/heartbeat"),
        ("DELETE", "/v1/users/u/sessions/a"),
    ];
    for (method, path) in calls {
        assert_eq!(both.ask(method, path, &[ID], "").await, 401);
        assert_eq!(
            both.ask(method, path, &[ID, ("x-api-key", "wrong")], "")
                .await,
            401
        );
    }
}

#[tokio::test]
async fn they_are_counted_as_by_the_router() {
    let both = Both::keyed();
    for (method, path) in [
        ("PUT", "/v1/users/u/sessions/a"),
        ("POST", "/v1/users/u/sessions/a/heartbeat"),
        ("DELETE", "/v1/users/u/sessions/a"),
    ] {
        both.ask(method, path, &[ID, KEY], "").await;
    }
    let counts = async |service: &Service| {
        let page = service.get("/metrics").await.text();
        let counted = page.lines().filter(|line| {
            line.starts_with("streamgate_http_request_duration_seconds_count")
                && line.contains("/sessions/")
        });
        let mut lines: Vec<String> = counted.map(str::to_owned).collect();
        lines.sort();
        lines
    };
    let express = counts(&both.express).await;
    assert_eq!(express.len(), 3, "{express:?}");
    assert_eq!(express, counts(&both.router).await);
}
