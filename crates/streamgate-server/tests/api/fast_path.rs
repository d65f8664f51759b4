//! The fast path answers the calls of players as the router does: with CORS and without.
//!
//! Two services with the same settings are asked the same, one of them by its router alone. That
//! the fast path is taken at all is a test of the crate itself (`app.rs`).

use axum::body::Body;
use axum::http::HeaderMap;
use streamgate_server::{AllowedOrigins, CorsSettings, ServerSettings};

use crate::support::{Answer, Service, keys, request};

/// The page that sends every request here; no server minds where no origin is configured.
const PAGE: (&str, &str) = ("origin", "https://player.example.com");

/// Two services with the same settings, and what may differ between pairs: CORS.
struct Pair {
    fast: Service,
    router: Service,
    allows_page: bool,
}

/// A pair for each CORS setting. Every request goes to all of them.
struct Pairs([Pair; 4]);

impl Pairs {
    fn keyed() -> Self {
        let list = |origin: &str| AllowedOrigins::List(vec![origin.to_owned()]);
        let pair = |allowed_origins: AllowedOrigins, allows_page| {
            let service = || {
                Service::with(ServerSettings {
                    cors: CorsSettings {
                        allowed_origins: allowed_origins.clone(),
                        max_age: None,
                    },
                    keys: keys(),
                    ..ServerSettings::default()
                })
            };
            Pair {
                fast: service(),
                router: service(),
                allows_page,
            }
        };
        Self([
            pair(AllowedOrigins::None, false),
            pair(AllowedOrigins::Any, true),
            pair(list(PAGE.1), true),
            pair(list("https://other.example.com"), false),
        ])
    }

    /// Asks all, and returns the status of their one answer.
    async fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&'static str, &str)],
        body: &str,
    ) -> u16 {
        let request = || {
            let mut request = request(method, path, Body::from(body.to_owned()));
            for (name, value) in headers.iter().chain([&PAGE]) {
                request.headers_mut().insert(*name, value.parse().unwrap());
            }
            request
        };
        let mut answers = Vec::new();
        for pair in &self.0 {
            let fast = pair.fast.send(request()).await;
            let router = pair.router.send_to_router(request()).await;
            assert_eq!(fast.status, router.status, "{method} {path}");
            assert_eq!(compared(&fast), compared(&router), "{method} {path}");
            assert_eq!(fast.text(), router.text(), "{method} {path}");
            let allowed = fast.header("access-control-allow-origin");
            assert_eq!(allowed.is_some(), pair.allows_page, "{method} {path}");
            answers.push((fast.status.as_u16(), fast.text()));
        }
        answers.dedup();
        assert_eq!(answers.len(), 1, "{method} {path}: {answers:?}");
        answers[0].0
    }
}

/// The headers of an answer, but the length, which the connection adds to all.
fn compared(answer: &Answer) -> HeaderMap {
    let mut headers = answer.headers.clone();
    headers.remove("content-length");
    headers
}

const ID: (&str, &str) = ("x-request-id", "the-same");
const KEY: (&str, &str) = ("x-api-key", "player");
const JSON: (&str, &str) = ("content-type", "application/json");

#[tokio::test]
async fn hot_calls_are_answered_as_by_the_router() {
    let pairs = Pairs::keyed();
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
        statuses.push(pairs.ask(method, path, &[ID, KEY, JSON], body).await);
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
async fn near_misses_of_hot_calls_are_answered_as_by_the_router() {
    let pairs = Pairs::keyed();
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
            pairs.ask(method, path, &[ID, KEY], "").await,
            status,
            "{method} {path}"
        );
    }
}

#[tokio::test]
async fn keys_of_hot_calls_are_checked_as_by_the_router() {
    let pairs = Pairs::keyed();
    let calls = [
        ("PUT", "/v1/users/u/sessions/a"),
        ("POST", "/v1/users/u/sessions/a/heartbeat"),
        ("DELETE", "/v1/users/u/sessions/a"),
    ];
    for (method, path) in calls {
        assert_eq!(pairs.ask(method, path, &[ID], "").await, 401);
        assert_eq!(
            pairs
                .ask(method, path, &[ID, ("x-api-key", "wrong")], "")
                .await,
            401
        );
    }
}

#[tokio::test]
async fn hot_calls_are_counted_as_by_the_router() {
    let pairs = Pairs::keyed();
    for (method, path) in [
        ("PUT", "/v1/users/u/sessions/a"),
        ("POST", "/v1/users/u/sessions/a/heartbeat"),
        ("DELETE", "/v1/users/u/sessions/a"),
    ] {
        pairs.ask(method, path, &[ID, KEY], "").await;
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
    for pair in &pairs.0 {
        let fast = counts(&pair.fast).await;
        assert_eq!(fast.len(), 3, "{fast:?}");
        assert_eq!(fast, counts(&pair.router).await);
    }
}
