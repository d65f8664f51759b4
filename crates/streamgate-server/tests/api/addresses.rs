//! The address of a client: what limits by address count, which proxies are believed about it, and
//! that the log has it at `debug` only.
//!
//! The limiter reads the real clock, so rates here are of few a minute.

use std::num::NonZeroU32;

use axum::body::Body;
use axum::http::Request;
use streamgate_server::telemetry::LogFormat;
use streamgate_server::{
    Gateway, HttpSettings, Keys, RateLimitSettings, ServerSettings, TrustedProxies,
};

use crate::logs::Log;
use crate::support::documented::Call;
use crate::support::viewers::{Down, own_token, settings, signing_key, verifier};
use crate::support::{Answer, Service, keys};

const LIST: &str = "/v1/users/u/sessions";

/// A proxy that is trusted.
const PROXY: &str = "10.0.0.1";

/// Failures that one address has at once.
const FAILURES: u32 = 3;

/// A service that believes [`PROXY`].
fn service(keys: Keys, rate_limit: RateLimitSettings) -> Service {
    Service::with(ServerSettings {
        keys,
        rate_limit,
        http: HttpSettings {
            trusted_proxies: TrustedProxies::new(vec!["10.0.0.0/8".parse().unwrap()]),
            ..HttpSettings::default()
        },
        metrics_require_key: true,
        ..ServerSettings::default()
    })
}

fn few_failures() -> Service {
    let rate_limit = RateLimitSettings {
        failed_auth_per_address_per_min: NonZeroU32::new(FAILURES),
        ..RateLimitSettings::default()
    };
    service(keys(), rate_limit)
}

/// A GET of `path` with these headers that comes from this peer.
async fn get(service: &Service, peer: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::builder().method("GET").uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let gateway = Gateway {
        client: peer.parse().unwrap(),
        stage: None,
    };
    let request = request.body(Vec::new()).unwrap();
    let call = Call::of(&request);
    let answer = service.endpoints.answer_for_gateway(request, gateway).await;
    let answer = Answer::of(answer.unwrap().map(Body::from)).await;
    call.assert_documents(&answer);
    answer
}

async fn status(service: &Service, peer: &str, headers: &[(&str, &str)]) -> u16 {
    get(service, peer, LIST, headers).await.status.as_u16()
}

/// Fails until the peer may not fail again.
async fn exhaust(service: &Service, peer: &str, headers: &[(&str, &str)]) {
    for _ in 0..FAILURES {
        assert_eq!(status(service, peer, headers).await, 401);
    }
    assert_eq!(status(service, peer, headers).await, 429);
}

const WRONG: (&str, &str) = ("x-api-key", "guess");

#[tokio::test]
async fn failed_authentication_is_limited_by_address_and_a_valid_key_passes() {
    let service = few_failures();
    exhaust(&service, "192.0.2.1", &[WRONG]).await;
    let refused = get(&service, "192.0.2.1", LIST, &[WRONG]).await;
    let wait: u32 = refused.headers["retry-after"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!((1..=20).contains(&wait), "{wait}");
    let body = refused.text();
    assert!(
        body.contains("too_many_requests") && body.contains("this address"),
        "{body}"
    );
    for wrong in [&[][..], &[("authorization", "Bearer a.b.c")]] {
        assert_eq!(status(&service, "192.0.2.1", wrong).await, 429);
    }
    let page = service.metrics.render_text();
    let counted = page.contains("streamgate_failed_auth_limited_total 4\n");
    assert!(counted, "{page}");
    for _ in 0..100 {
        let known = [("x-api-key", "player")];
        assert_eq!(status(&service, "192.0.2.1", &known).await, 200);
    }
    // A key without the scope is known.
    let known = get(
        &service,
        "192.0.2.1",
        "/v1/sessions",
        &[("x-api-key", "player")],
    )
    .await;
    assert_eq!(known.status, 403);
    assert_eq!(status(&service, "192.0.2.2", &[WRONG]).await, 401);
    let health = get(&service, "192.0.2.1", "/healthz", &[]).await;
    assert_eq!(health.status, 200);
}

#[tokio::test]
async fn dialects_and_the_metrics_share_the_limit() {
    let service = few_failures();
    exhaust(&service, "192.0.2.1", &[WRONG]).await;
    for (place, path) in [
        "/metrics",
        "/compat/stream-requests/getallusers",
        "/compat/user-streams/user-streams/u/s",
        "/compat/concurrency-service/dev/startSession/userId/u/sessionId/s",
    ]
    .into_iter()
    .enumerate()
    {
        let other = format!("192.0.2.{}", 10 + place);
        let answer = get(&service, "192.0.2.1", path, &[WRONG]).await;
        assert_eq!(answer.status, 429, "{path}");
        assert!(answer.headers.contains_key("retry-after"), "{path}");
        let elsewhere = get(&service, &other, path, &[WRONG]).await;
        assert_ne!(elsewhere.status, 429, "{path}");
        let known = get(&service, "192.0.2.1", path, &[("x-api-key", "admin")]).await;
        assert_eq!(known.status, 200, "{path}");
    }
}

#[tokio::test]
async fn a_network_of_ipv6_is_one_address() {
    let service = few_failures();
    exhaust(&service, "2001:db8::1", &[WRONG]).await;
    assert_eq!(status(&service, "2001:db8::ffff", &[WRONG]).await, 429);
    assert_eq!(status(&service, "2001:db8:0:1::1", &[WRONG]).await, 401);
}

#[tokio::test]
async fn zero_is_no_limit() {
    let rate_limit = RateLimitSettings {
        failed_auth_per_address_per_min: None,
        ..RateLimitSettings::default()
    };
    let service = service(keys(), rate_limit);
    for _ in 0..200 {
        assert_eq!(status(&service, "192.0.2.1", &[WRONG]).await, 401);
    }
}

#[tokio::test]
async fn the_clients_of_a_trusted_proxy_are_told_apart_and_cannot_choose_their_address() {
    let service = few_failures();
    let of = |client| [WRONG, ("x-forwarded-for", client)];
    exhaust(&service, PROXY, &of("198.51.100.1")).await;
    assert_eq!(status(&service, PROXY, &of("198.51.100.2")).await, 401);
    // What the client wrote stands left of what the proxy appended.
    assert_eq!(
        status(&service, PROXY, &of("203.0.113.9, 198.51.100.1")).await,
        429
    );
    // Through two proxies, and directly.
    assert_eq!(
        status(&service, PROXY, &of("198.51.100.1, 10.9.9.9")).await,
        429
    );
    assert_eq!(status(&service, "198.51.100.1", &[WRONG]).await, 429);
}

#[tokio::test]
async fn a_peer_that_is_not_trusted_cannot_evade_the_limit_and_the_operator_is_told_of_it() {
    let service = few_failures();
    let log = Log::of(LogFormat::Json, "info", async {
        for client in 0..FAILURES {
            let forged = format!("198.51.100.{client}");
            let headers = [
                WRONG,
                ("x-forwarded-for", &*forged),
                ("forwarded", "for=203.0.113.1"),
            ];
            assert_eq!(status(&service, "192.0.2.1", &headers).await, 401);
        }
        let headers = [WRONG, ("x-forwarded-for", "198.51.100.77")];
        assert_eq!(status(&service, "192.0.2.1", &headers).await, 429);
        assert_eq!(status(&service, "192.0.2.1", &[WRONG]).await, 429);
    });
    let text = log.await.text();
    let told = text.matches("http.trusted_proxies").count();
    assert_eq!(told, 1, "{text}");
    for address in ["192.0.2.1", "198.51.100"] {
        assert!(!text.contains(address), "{text}");
    }
}

#[tokio::test]
async fn a_rate_of_callers_without_a_key_counts_the_client_of_a_trusted_proxy() {
    let rate_limit = RateLimitSettings {
        per_key_per_s: NonZeroU32::new(1),
        ..RateLimitSettings::default()
    };
    let service = service(Keys::default(), rate_limit);
    let mut refused = 0;
    for client in 0..100 {
        let client = format!("198.51.100.{client}");
        assert_eq!(
            status(&service, PROXY, &[("x-forwarded-for", &client)]).await,
            200
        );
        let forged = status(&service, "192.0.2.1", &[("x-forwarded-for", &client)]).await;
        refused += u32::from(forged == 429);
    }
    assert!(refused > 0, "a peer that is not trusted is one caller");
}

#[tokio::test]
async fn the_line_of_a_request_has_the_address_of_its_client_at_debug_only() {
    let service = few_failures();
    let call = async || {
        let headers = [("x-api-key", "player"), ("x-forwarded-for", "198.51.100.5")];
        assert_eq!(status(&service, PROXY, &headers).await, 200);
    };
    let text = Log::of(LogFormat::Json, "debug", call()).await.text();
    assert!(text.contains(r#""client.ip":"198.51.100.5""#), "{text}");
    service.break_store().await;
    let broken = async {
        let headers = [("x-api-key", "player"), ("x-forwarded-for", "198.51.100.5")];
        assert_eq!(status(&service, PROXY, &headers).await, 503);
    };
    let text = Log::of(LogFormat::Json, "debug", broken).await.text();
    assert!(
        text.contains("503") && !text.contains("198.51.100.5"),
        "{text}"
    );
}

/// Behind one NAT: who has failed too often, and viewers who have done nothing wrong.
#[tokio::test]
async fn a_token_that_was_verified_passes_and_a_new_one_is_refused_before_it_is_verified() {
    let signing = signing_key();
    let service = Service::with(ServerSettings {
        keys: keys(),
        tokens: Some(verifier(settings(&signing, Vec::new()), Down)),
        rate_limit: RateLimitSettings {
            failed_auth_per_address_per_min: NonZeroU32::new(FAILURES),
            ..RateLimitSettings::default()
        },
        ..ServerSettings::default()
    });
    let nat = "192.0.2.1";
    let bearer = |token: &str| format!("Bearer {token}");
    let known = bearer(&own_token(&signing, "u"));
    let known = [("authorization", &*known)];
    assert_eq!(status(&service, nat, &known).await, 200);
    let wrong = bearer("eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJ1In0.AAAA");
    exhaust(&service, nat, &[("authorization", &*wrong)]).await;
    assert_eq!(status(&service, nat, &known).await, 200);
    assert_eq!(status(&service, nat, &[("x-api-key", "player")]).await, 200);
    // It is valid, which only its signature would tell.
    let new = bearer(&own_token(&signing, "u"));
    let new = [("authorization", &*new)];
    let refused = get(&service, nat, LIST, &new).await;
    assert_eq!(refused.status, 429);
    assert!(refused.headers.contains_key("retry-after"));
    assert_eq!(status(&service, "192.0.2.2", &new).await, 200);
    // Verified there, it is known here.
    assert_eq!(status(&service, nat, &new).await, 200);
}
