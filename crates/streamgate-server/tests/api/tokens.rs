//! Viewers: what a token permits, on every call, and how one that is not accepted is refused.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use serde_json::{Value, json};
use streamgate_server::{CompatSettings, DialectName, RateLimitSettings, ServerSettings};
use streamgate_tokens::{Algorithm, FetchKeys, Fetched, Location, Source, key_set_of};

use crate::support::viewers::{
    Down, bearing, login, login_by_secret, login_token, own_token, service, settings, signing_key,
    token_at, verifier,
};
use crate::support::{Service, keys, request};

/// Every call under `/v1`, and whether the viewer `u` may make it.
const CALLS: [(bool, &str, &str); 16] = [
    (true, "PUT", "/v1/users/u/sessions/s"),
    (true, "POST", "/v1/users/u/sessions"),
    (true, "POST", "/v1/users/u/sessions/s/heartbeat"),
    (true, "GET", "/v1/users/u/sessions"),
    (true, "POST", "/v1/users/u/sessions/s/stop"),
    (true, "DELETE", "/v1/users/u/sessions/s"),
    (false, "POST", "/v1/heartbeats"),
    (false, "GET", "/v1/users/u"),
    (false, "PUT", "/v1/users/u"),
    (false, "DELETE", "/v1/users/u"),
    (false, "POST", "/v1/users/u/tokens"),
    (false, "GET", "/v1/users"),
    (false, "GET", "/v1/sessions"),
    (false, "POST", "/v1/import"),
    (false, "GET", "/admin/backup"),
    (false, "GET", "/metrics"),
];

fn service_whose_metrics_ask() -> (Service, String) {
    let signing = signing_key();
    let service = Service::with(ServerSettings {
        keys: keys(),
        metrics_require_key: true,
        tokens: Some(verifier(settings(&signing, Vec::new()), Down)),
        ..ServerSettings::default()
    });
    (service, own_token(&signing, "u"))
}

#[tokio::test]
async fn a_viewer_acts_for_its_own_user_and_does_nothing_else() {
    let (service, token) = service_whose_metrics_ask();
    for (may, method, path) in CALLS {
        let answer = service.call_with(&token, method, path).await;
        let status = answer.status.as_u16();
        if may {
            assert!(status < 300, "{method} {path}: {}", answer.text());
            // The same call about another user, by every way to write its path.
            for user in ["v", "U", "u%20", "%75%00", "ü"] {
                let other = path.replace("/users/u/", &format!("/users/{user}/"));
                let answer = service.call_with(&token, method, &other).await;
                let status = answer.status.as_u16();
                assert!([400, 403].contains(&status), "{method} {other}: {status}");
            }
            let other = path.replace("/users/u/", "/users/v/");
            let answer = service.call_with(&token, method, &other).await;
            answer.assert_problem(403, "forbidden");
        } else {
            // Not every call exists on every build.
            if status != 404 {
                answer.assert_problem(403, "forbidden");
            }
        }
    }
    // An id that is written in another way is the same id.
    let path = "/v1/users/%75/sessions/s";
    assert_eq!(service.call_with(&token, "PUT", path).await.status, 201);
}

#[tokio::test]
async fn the_fast_path_and_the_router_treat_viewers_alike() {
    let signing = signing_key();
    let service = service(&signing);
    let tokens = [
        own_token(&signing, "u"),
        own_token(&signing, "v"),
        token_at(&signing, "u", 10_000),
        own_token(&signing_key(), "u"),
    ];
    for token in &tokens {
        for (_, method, path) in CALLS {
            let make = || bearing(token, request(method, path, Body::empty()));
            let fast = service.send(make()).await;
            let routed = service.send_to_router(make()).await;
            let is_start = fast.status == 201 || routed.status == 201;
            assert!(fast.status == routed.status || is_start, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn a_token_that_is_not_accepted_is_401_and_only_its_expiry_is_told() {
    let signing = signing_key();
    let service = service(&signing);
    let good = own_token(&signing, "u");
    let (message, _) = good.rsplit_once('.').unwrap();
    let another = own_token(&signing, "v");
    let (_, signature) = another.rsplit_once('.').unwrap();
    let (expired, invalid) = ("the token has expired", "the token is not valid");
    for (token, detail) in [
        (token_at(&signing, "u", 10_000), expired),
        (token_at(&signing, "u", -10_000), invalid),
        (own_token(&signing_key(), "u"), invalid),
        (format!("{message}."), invalid),
        (format!("{message}.{signature}"), invalid),
        (login_token("u", &json!({"aud": "other"})), invalid),
        (login_token("u", &json!({"iss": "other"})), invalid),
        (login_token("u", &json!({"exp": 1})), expired),
        (login_token("", &json!({})), invalid),
        ("a.b.c".to_owned(), invalid),
        ("..".to_owned(), invalid),
        (format!("{message}.{}", "A".repeat(9_000)), invalid),
    ] {
        for path in ["/v1/users/u/sessions", "/v1/users/v/sessions", "/v1/users"] {
            let answer = service.call_with(&token, "GET", path).await;
            let problem = answer.assert_problem(401, "unauthenticated");
            assert_eq!(problem["detail"], detail);
            let challenge = answer.header("www-authenticate");
            assert_eq!(challenge, Some("Bearer error=\"invalid_token\""));
        }
    }
    let refused = |class: &str| format!("streamgate_tokens_refused_total{{reason=\"{class}\"}}");
    for (class, count) in [
        ("too_long", "3"),
        ("malformed", "6"),
        ("unknown_issuer", "3"),
        ("signature", "9"),
        ("expired", "6"),
        ("not_yet_valid", "3"),
        ("claims", "6"),
        ("keys_unavailable", "0"),
    ] {
        assert_eq!(service.metric(&refused(class)).await, count, "{class}");
    }
}

#[tokio::test]
async fn keys_and_tokens_are_told_apart_by_their_form() {
    let signing = signing_key();
    let service = service(&signing);
    let path = "/v1/users/u/sessions";
    let token = own_token(&signing, "u");
    assert_eq!(service.call_with("player", "GET", path).await.status, 200);
    // The header `x-api-key` decides first, and holds keys only.
    assert_eq!(service.call_as(&token, "GET", path).await.status, 401);
    for (key, status) in [("player", 200), ("wrong", 401)] {
        let mut both = bearing(&token, request("GET", path, Body::empty()));
        both.headers_mut().insert("x-api-key", key.parse().unwrap());
        assert_eq!(service.send(both).await.status, status);
    }
    for key in ["sgk_a.b.c", "a.b", "a.b.c.d"] {
        let answer = service.call_with(key, "GET", path).await;
        let problem = answer.assert_problem(401, "unauthenticated");
        assert_eq!(problem["detail"], "the API key is not known", "{key}");
    }
}

#[tokio::test]
async fn an_open_server_honours_its_own_tokens_and_ignores_others() {
    let signing = signing_key();
    let service = Service::with(ServerSettings {
        tokens: Some(verifier(settings(&signing, Vec::new()), Down)),
        ..ServerSettings::default()
    });
    let (own, other) = ("/v1/users/u/sessions", "/v1/users/v/sessions");
    assert_eq!(service.get(other).await.status, 200);
    let token = own_token(&signing, "u");
    assert_eq!(service.call_with(&token, "GET", own).await.status, 200);
    assert_eq!(service.call_with(&token, "GET", other).await.status, 403);
    assert_eq!(
        service.call_with(&token, "GET", "/v1/users").await.status,
        403
    );
    for (token, status) in [
        (token_at(&signing, "u", 10_000), 401),
        (own_token(&signing_key(), "u"), 401),
        (login_token("u", &json!({})), 200),
        ("a.b.c".to_owned(), 200),
        ("any".to_owned(), 200),
    ] {
        let answer = service.call_with(&token, "GET", other).await;
        assert_eq!(answer.status, status, "{}", answer.text());
    }
}

#[tokio::test]
async fn a_server_with_issuers_and_without_keys_is_not_open() {
    let signing = signing_key();
    let tokens = settings(&signing, vec![login_by_secret()]);
    let service = Service::with(ServerSettings {
        tokens: Some(verifier(tokens, Down)),
        ..ServerSettings::default()
    });
    for (_, method, path) in CALLS {
        if path == "/metrics" {
            continue;
        }
        service
            .call(method, path)
            .await
            .assert_problem(401, "unauthenticated");
        let answer = service.call_as("any", method, path).await;
        answer.assert_problem(401, "unauthenticated");
    }
    for token in [login_token("u", &json!({})), own_token(&signing, "u")] {
        let answer = service
            .call_with(&token, "GET", "/v1/users/u/sessions")
            .await;
        assert_eq!(answer.status, 200);
    }
}

#[tokio::test]
async fn the_calls_of_a_viewer_have_a_rate_of_their_own() {
    let signing = signing_key();
    let service = Service::with(ServerSettings {
        keys: keys(),
        tokens: Some(verifier(settings(&signing, Vec::new()), Down)),
        rate_limit: RateLimitSettings {
            viewer_per_user_per_s: NonZeroU32::new(1),
            ..RateLimitSettings::default()
        },
        ..ServerSettings::default()
    });
    let list = async |token: &str, user: &str| {
        let path = format!("/v1/users/{user}/sessions");
        service.call_with(token, "GET", &path).await.status.as_u16()
    };
    let (first, second) = (own_token(&signing, "u"), own_token(&signing, "u"));
    assert_eq!(list(&first, "u").await, 200);
    // Another token is the same viewer; another viewer is not.
    assert_eq!(list(&second, "u").await, 429);
    assert_eq!(list(&own_token(&signing, "v"), "v").await, 200);
    assert_eq!(list("wrong.wrong.wrong", "u").await, 401);
}

/// What a token says about its user is recorded with the start, and judged at once.
#[tokio::test]
async fn plan_and_limit_ride_with_the_start() {
    let signing = signing_key();
    let service = service(&signing);
    let user = async || {
        let answer = service.call_as("service", "GET", "/v1/users/u").await;
        let user = answer.json();
        (user["plan"].clone(), user["limit"].clone())
    };
    let start = async |claims: Value, id: &str| {
        let token = login_token("u", &claims);
        let path = format!("/v1/users/u/sessions/{id}");
        service.call_with(&token, "PUT", &path).await
    };
    // `basic` has one slot.
    assert_eq!(start(json!({"plan": "basic"}), "a").await.status, 201);
    assert_eq!(user().await, (json!("basic"), json!(1)));
    let refused = start(json!({"plan": "basic"}), "b").await;
    assert_eq!(refused.assert_problem(409, "limit_reached")["limit"], 1);
    // The token that says more is believed at once; one that says nothing changes nothing.
    assert_eq!(
        start(json!({"plan": "basic", "limit": 2}), "b")
            .await
            .status,
        201
    );
    assert_eq!(start(json!({}), "c").await.status, 409);
    assert_eq!(user().await, (json!("basic"), json!(2)));
    // Null clears.
    assert_eq!(
        start(json!({"plan": null, "limit": null}), "c")
            .await
            .status,
        201
    );
    assert_eq!(user().await, (Value::Null, json!(3)));
    // A limit of 0 ends what is live, and refuses the start.
    let refused = start(json!({"limit": 0}), "d").await;
    assert_eq!(refused.assert_problem(409, "limit_reached")["limit"], 0);
    let beat = service
        .call_as("player", "POST", "/v1/users/u/sessions/a/heartbeat")
        .await;
    assert_eq!(
        beat.assert_problem(410, "session_ended")["reason"],
        "revoked"
    );
}

#[tokio::test]
async fn a_plan_or_limit_that_cannot_be_used_refuses_the_start_whole() {
    let signing = signing_key();
    let service = service(&signing);
    for claims in [
        json!({"plan": "gone", "limit": 2}),
        json!({"plan": 7, "limit": 2}),
        json!({"limit": 1_001, "plan": "basic"}),
        json!({"limit": "2"}),
    ] {
        let token = login_token("u", &claims);
        for (method, path) in [
            ("PUT", "/v1/users/u/sessions/s"),
            ("POST", "/v1/users/u/sessions"),
        ] {
            let answer = service.call_with(&token, method, path).await;
            answer.assert_problem(403, "entitlement_unusable");
        }
        // What does not start a session does not ask.
        let list = service
            .call_with(&token, "GET", "/v1/users/u/sessions")
            .await;
        assert_eq!(list.status, 200);
    }
    let unknown = service.call_as("service", "GET", "/v1/users/u").await;
    unknown.assert_problem(404, "not_found");
}

/// Every dialect, its call that starts a session of a user, and what it answers.
const DIALECT_STARTS: [(DialectName, &str, &str, &str); 4] = [
    (
        DialectName::SessionTracker,
        "POST",
        "/add-session?user_id=USER",
        "",
    ),
    (
        DialectName::ConcurrencyService,
        "GET",
        "/dev/startSession/userId/USER/sessionId/s",
        "",
    ),
    (
        DialectName::StreamLog,
        "POST",
        "/dev/stream",
        r#"{"userId":"USER"}"#,
    ),
    (DialectName::UserStreams, "GET", "/user-streams/USER/s", ""),
];

#[tokio::test]
async fn a_viewer_calls_dialects_about_its_own_user() {
    let signing = signing_key();
    for (dialect, method, path, body) in DIALECT_STARTS {
        let service = Service::with(ServerSettings {
            keys: keys(),
            compat: CompatSettings {
                dialects: vec![dialect],
                ..CompatSettings::default()
            },
            tokens: Some(verifier(settings(&signing, vec![login_by_secret()]), Down)),
            ..ServerSettings::default()
        });
        let start = async |token: &str, user: &str| {
            let path = format!("/compat/{}{path}", dialect.as_str()).replace("USER", user);
            let body = Body::from(body.replace("USER", user));
            let mut made = bearing(token, request(method, &path, body));
            let json = "application/json".parse().unwrap();
            made.headers_mut().insert("content-type", json);
            service.send(made).await
        };
        let name = dialect.as_str();
        for token in [
            own_token(&signing, "7"),
            login_token("7", &json!({"limit": 2})),
        ] {
            let own = start(&token, "7").await;
            assert!(own.status.is_success(), "{name}: {own:?}");
            let other = start(&token, "8").await;
            assert_eq!(other.status, 403, "{name}: {other:?}");
            assert_ne!(
                other.header("content-type"),
                Some("application/problem+json")
            );
        }
        let user = service
            .call_as("service", "GET", "/v1/users/7")
            .await
            .json();
        assert_eq!(user["limit"], 2, "{name}");
        let bad = start(&login_token("7", &json!({"plan": "gone"})), "7").await;
        assert_eq!(bad.status, 403, "{name}: {bad:?}");
        let expired = start(&token_at(&signing, "7", 10_000), "7").await;
        let is_refused = [401, 403].contains(&expired.status.as_u16());
        assert!(is_refused, "{name}: {expired:?}");
    }
}

#[tokio::test]
async fn a_dialect_that_asks_for_no_key_honours_a_token() {
    let signing = signing_key();
    let service = Service::with(ServerSettings {
        keys: keys(),
        compat: CompatSettings {
            dialects: vec![DialectName::UserStreams],
            require_key: false,
            ..CompatSettings::default()
        },
        tokens: Some(verifier(settings(&signing, Vec::new()), Down)),
        ..ServerSettings::default()
    });
    let (own, other) = (
        "/compat/user-streams/user-streams/u/s",
        "/compat/user-streams/user-streams/v/s",
    );
    let token = own_token(&signing, "u");
    assert_eq!(service.get(other).await.status, 200);
    assert_eq!(service.call_with(&token, "GET", own).await.status, 200);
    assert_eq!(service.call_with(&token, "GET", other).await.status, 403);
    assert_eq!(service.call_with("a.b.c", "GET", own).await.status, 401);
}

/// A site that answers when it is told to.
#[derive(Debug)]
struct Slow {
    body: Vec<u8>,
    go: parking_lot::Mutex<std::sync::mpsc::Receiver<bool>>,
}

impl FetchKeys for Slow {
    fn fetch(&self, _: &Location) -> Result<Fetched, String> {
        let body = self.body.clone();
        match self.go.lock().recv() {
            Ok(true) => Ok(Fetched {
                body,
                max_age: None,
            }),
            _ => Err("down".to_owned()),
        }
    }
}

/// A call waits for the keys of its issuer while they are fetched, on each way to a handler; if they
/// cannot be had, it is told so.
#[tokio::test]
async fn calls_wait_for_the_keys_of_their_issuer() {
    for is_up in [true, false] {
        let signing = signing_key();
        let (tell, go) = std::sync::mpsc::channel();
        let site = Slow {
            body: key_set_of([signing.public()].into_iter()).into_bytes(),
            go: parking_lot::Mutex::new(go),
        };
        let at = Location {
            url: "https://login.example/keys".to_owned(),
            authorities: None,
        };
        let mut issuer = login(Source::Url(at), Algorithm::Es256);
        issuer.issuer = "streamgate-elsewhere".to_owned();
        let tokens = verifier(settings(&signing_key(), vec![issuer]), site);
        for keys in tokens.remote_keys() {
            keys.start().unwrap();
        }
        let service = Service::with(ServerSettings {
            tokens: Some(Arc::clone(&tokens)),
            ..ServerSettings::default()
        });
        let user =
            streamgate_core::UserKey::of_text(&streamgate_core::TenantId::default_tenant(), "u");
        let now_s = streamgate_clock::wall_ms() / 1_000;
        let names = ("streamgate-elsewhere", "streams");
        let token = signing
            .mint(names, &user.unwrap(), now_s, 600)
            .unwrap()
            .token;
        let calls = async {
            tokio::join!(
                service.call_with(&token, "PUT", "/v1/users/u/sessions/s"),
                service.call_with(&token, "GET", "/v1/users/u/sessions"),
            )
        };
        let told = async {
            // Both calls are waiting by now: the executor runs them first.
            tokio::task::yield_now().await;
            tell.send(is_up).unwrap();
        };
        let waited = async { tokio::join!(biased; calls, told).0 };
        let (start, list) = tokio::time::timeout(Duration::from_secs(20), waited)
            .await
            .unwrap();
        if is_up {
            assert_eq!((start.status.as_u16(), list.status.as_u16()), (201, 200));
        } else {
            for answer in [start, list] {
                answer.assert_problem(503, "issuer_unavailable");
                assert_eq!(answer.header("retry-after"), Some("5"));
            }
            let page = service.get("/metrics").await.text();
            for line in [
                "streamgate_issuer_keys_age_seconds{issuer=\"login\"} -1",
                "streamgate_issuer_fetch_failures_total{issuer=\"login\"} 1",
            ] {
                assert!(page.contains(line), "{line} in\n{page}");
            }
        }
        drop(tell);
        for keys in tokens.remote_keys() {
            keys.stop();
        }
    }
}
