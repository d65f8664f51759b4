//! Cross-origin requests.

use std::time::Duration;

use axum::body::Body;
use streamgate_server::{AllowedOrigins, CorsSettings, ServerSettings};

use crate::support::{Answer, Service, keys, request};

const PAGE: &str = "https://player.example.com";

fn service(allowed_origins: AllowedOrigins) -> Service {
    Service::with(ServerSettings {
        cors: CorsSettings {
            allowed_origins,
            max_age: Some(Duration::from_secs(600)),
        },
        keys: keys(),
        ..ServerSettings::default()
    })
}

async fn from_page(service: &Service, method: &str, origin: &str) -> Answer {
    let mut request = request(method, "/v1/users/u/sessions/s/heartbeat", Body::empty());
    let headers = request.headers_mut();
    headers.insert("origin", origin.parse().unwrap());
    headers.insert("access-control-request-method", "POST".parse().unwrap());
    headers.insert("x-api-key", "player".parse().unwrap());
    service.send(request).await
}

#[tokio::test]
async fn by_default_no_page_may_call() {
    let service = Service::open();
    for method in ["OPTIONS", "POST"] {
        let answer = from_page(&service, method, PAGE).await;
        assert_eq!(answer.header("access-control-allow-origin"), None);
    }
    let preflight = from_page(&service, "OPTIONS", PAGE).await;
    preflight.assert_problem(405, "method_not_allowed");
}

#[tokio::test]
async fn a_preflight_needs_no_key_and_says_what_is_allowed() {
    let service = service(AllowedOrigins::List(vec![PAGE.to_owned()]));
    let answer = from_page(&service, "OPTIONS", PAGE).await;
    assert_eq!(answer.status, 200);
    let allowed = |what: &str| answer.header(&format!("access-control-{what}")).unwrap();
    assert_eq!(allowed("allow-origin"), PAGE);
    assert_eq!(allowed("allow-methods"), "GET,POST,PUT,DELETE");
    assert_eq!(
        allowed("allow-headers"),
        "content-type,authorization,x-api-key,x-request-id,traceparent,tracestate,last-event-id"
    );
    assert_eq!(allowed("max-age"), "600");
}

#[tokio::test]
async fn a_preflight_is_observed_like_every_other_request() {
    let service = service(AllowedOrigins::List(vec![PAGE.to_owned()]));
    let answer = from_page(&service, "OPTIONS", PAGE).await;
    assert!(answer.header("x-request-id").is_some());
    let counted = service
        .metric(
            "streamgate_http_request_duration_seconds_count{method=\"OPTIONS\",\
             route=\"/v1/users/{user_id}/sessions/{session_id}/heartbeat\",status=\"200\"}",
        )
        .await;
    assert_eq!(counted, "1");
    for path in ["/docs/", "/no/such/path"] {
        let mut request = request("GET", path, Body::empty());
        let origin = PAGE.parse().unwrap();
        request.headers_mut().insert("origin", origin);
        let answer = service.send(request).await;
        assert_eq!(answer.header("access-control-allow-origin"), Some(PAGE));
        assert!(answer.header("x-request-id").is_some());
    }
}

#[tokio::test]
async fn only_pages_of_the_list_may_read_answers() {
    let service = service(AllowedOrigins::List(vec![PAGE.to_owned()]));
    let answer = from_page(&service, "POST", PAGE).await;
    answer.assert_problem(404, "session_unknown");
    assert_eq!(answer.header("access-control-allow-origin"), Some(PAGE));
    assert_eq!(
        answer.header("access-control-expose-headers"),
        Some("location,retry-after,x-request-id,traceresponse")
    );
    for other in [
        "https://evil.example.com",
        "null",
        "http://player.example.com",
    ] {
        let answer = from_page(&service, "POST", other).await;
        assert_eq!(answer.header("access-control-allow-origin"), None);
    }
}

#[tokio::test]
async fn any_page_may_be_allowed() {
    let service = service(AllowedOrigins::Any);
    let answer = from_page(&service, "POST", "https://anybody.example").await;
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
}

/// What a page asks, and the answer.
async fn preflight(service: &Service, path: &str) -> Answer {
    let mut request = request("OPTIONS", path, Body::empty());
    let headers = request.headers_mut();
    headers.insert("origin", PAGE.parse().unwrap());
    headers.insert("access-control-request-method", "POST".parse().unwrap());
    let asked = "content-type".parse().unwrap();
    headers.insert("access-control-request-headers", asked);
    service.send(request).await
}

/// A beacon always carries credentials, so browsers drop it unless the preflight allows them, and
/// names the origin.
#[tokio::test]
async fn a_beacon_is_allowed_with_credentials_and_by_the_origin_itself() {
    let list = AllowedOrigins::List(vec![PAGE.to_owned()]);
    for allowed in [list, AllowedOrigins::Any] {
        let service = service(allowed);
        for path in [
            "/v1/users/u/sessions/s/stop",
            "/v1/heartbeats",
            "/compat/session-tracker/remove-session",
        ] {
            let answer = preflight(&service, path).await;
            assert_eq!(answer.status, 200, "{path}");
            let allow = |what: &str| answer.header(&format!("access-control-allow-{what}"));
            assert_eq!(allow("origin"), Some(PAGE), "{path}");
            assert_eq!(allow("credentials"), Some("true"), "{path}");
            assert!(allow("headers").unwrap().contains("content-type"));
            let mut beacon = request("POST", path, Body::from("bye"));
            let origin = PAGE.parse().unwrap();
            beacon.headers_mut().insert("origin", origin);
            let answer = service.send(beacon).await;
            let allow = |what: &str| answer.header(&format!("access-control-allow-{what}"));
            assert_eq!(allow("origin"), Some(PAGE), "{path}");
            assert_eq!(allow("credentials"), Some("true"), "{path}");
        }
        // A page that reads answers brings its key itself, and needs no credentials of the browser.
        let answer = preflight(&service, "/v1/users/u/sessions/s/heartbeat").await;
        assert_eq!(answer.header("access-control-allow-credentials"), None);
    }
}

#[tokio::test]
async fn a_beacon_of_another_page_is_not_allowed() {
    let service = service(AllowedOrigins::List(vec!["https://a.example".to_owned()]));
    let answer = preflight(&service, "/v1/users/u/sessions/s/stop").await;
    assert_eq!(answer.header("access-control-allow-origin"), None);
}
