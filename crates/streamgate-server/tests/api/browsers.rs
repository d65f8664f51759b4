//! Calls without a key that a web page of another origin made a browser send: refused where they
//! would change something, and all of them where the page has led the browser here under a name of
//! its own (DNS rebinding). The calls are those of the documents, so that no new one is forgotten.

use std::fmt;

use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::json;
use streamgate_server::{
    AllowedOrigins, CompatSettings, CorsSettings, DialectName, ServerSettings,
};

use crate::support::operations::{Names, Operation, operations};
use crate::support::{Answer, Service, keys, request, viewers};

const PAGE: &str = "https://player.example";
const EVIL: &str = "https://evil.example";

/// The operations that ask for no credential, and so keep nothing from anybody. A new one without a
/// scope is a decision, and is added here.
const PUBLIC: [&str; 6] = [
    "/",
    "/.well-known/jwks.json",
    "/healthz",
    "/metrics",
    "/openapi.json",
    "/readyz",
];

/// A call that a page could make a browser send.
#[derive(Debug)]
struct Call {
    operation: Operation,
    /// What is added to its path.
    query: &'static str,
}

impl fmt::Display for Call {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{}{}", self.operation, self.query)
    }
}

/// Every call of every document that a key would guard: those that change something, or the others.
fn calls(changing: bool) -> Vec<Call> {
    let mut calls = Vec::new();
    for operation in operations() {
        if operation.scope().is_none() {
            let is_known = PUBLIC.contains(&&*operation.template);
            assert!(is_known, "{operation} asks for no credential");
            continue;
        }
        // A browser sends a GET for an image, an event stream or a link, without asking.
        let starts_by_get = matches!(
            operation.dialect,
            Some(DialectName::UserStreams | DialectName::ConcurrencyService)
        );
        let takes_the_backup_place = operation.template == "/admin/backup";
        let changes = operation.method != "GET" || starts_by_get || takes_the_backup_place;
        // An open stream that holds a session renews its lease.
        if operation.has_parameter("hold") && changing {
            calls.push(Call {
                operation: operation.clone(),
                query: "?hold=true",
            });
        }
        if changes == changing {
            calls.push(Call {
                operation,
                query: "",
            });
        }
    }
    calls
}

fn service(allowed_origins: AllowedOrigins) -> Service {
    Service::with(ServerSettings {
        cors: CorsSettings {
            allowed_origins,
            max_age: None,
        },
        ..ServerSettings::default()
    })
}

/// The call with these headers.
fn with(call: &Call, headers: &[(&'static str, &str)]) -> Request<Body> {
    let names = Names {
        user: "u",
        session: "s",
    };
    let mut request = call.operation.request(names);
    let uri = format!("{}{}", request.uri(), call.query);
    *request.uri_mut() = uri.parse().unwrap();
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    request
}

/// A GET of this path with these headers.
fn get(path: &str, headers: &[(&'static str, &str)]) -> Request<Body> {
    let mut request = request("GET", path, Body::empty());
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    request
}

/// Asserts that the guard has refused a call, in the words of whatever dialect it is.
#[track_caller]
fn assert_kept_out(answer: &Answer, what: &str) {
    let text = answer.text();
    assert_eq!(answer.status, 403, "{what}: {text}");
    // The gateway of concurrency-service says no more than this.
    let says = text.contains("cors.allowed_origins") || text == r#"{"message":"Forbidden"}"#;
    assert!(says, "{what}: {text}");
}

#[track_caller]
fn assert_let_in(answer: &Answer, what: &str) {
    assert_ne!(answer.status, 403, "{what}: {}", answer.text());
}

#[tokio::test]
async fn a_page_of_another_origin_changes_nothing() {
    for call in calls(true) {
        let service = service(AllowedOrigins::None);
        for headers in [
            &[("host", "localhost:8080"), ("origin", EVIL)][..],
            &[("host", "localhost:8080"), ("origin", "null")],
            &[
                ("host", "localhost:8080"),
                ("origin", "http://localhost:3000"),
            ],
            &[("host", "127.0.0.1"), ("sec-fetch-site", "cross-site")],
            &[("host", "127.0.0.1"), ("sec-fetch-site", "same-site")],
        ] {
            let answer = service.send(with(&call, headers)).await;
            assert_kept_out(&answer, &format!("{call} {headers:?}"));
            assert_eq!(answer.header("access-control-allow-origin"), None);
        }
        let users = service.get("/v1/users").await.json();
        assert_eq!(users["users"], json!([]), "{call}");
    }
}

#[tokio::test]
async fn calls_without_a_key_from_no_foreign_page_are_answered() {
    for call in calls(true) {
        let service = service(AllowedOrigins::None);
        for headers in [
            // Programs, in HTTP/1.0 even without a host.
            &[][..],
            &[("host", "127.0.0.1:8080")],
            // The explorer of this server, also behind a proxy that speaks TLS.
            &[
                ("host", "localhost:8080"),
                ("origin", "http://localhost:8080"),
            ],
            &[
                ("host", "localhost"),
                ("origin", "https://localhost"),
                ("sec-fetch-site", "same-origin"),
            ],
            // Navigation to an address that was typed.
            &[("host", "[::1]:8080"), ("sec-fetch-site", "none")],
        ] {
            let answer = service.send(with(&call, headers)).await;
            assert_let_in(&answer, &format!("{call} {headers:?}"));
        }
    }
}

#[tokio::test]
async fn the_setting_for_origins_lets_their_pages_in() {
    let listed = AllowedOrigins::List(vec![PAGE.to_owned()]);
    for call in calls(true) {
        for (allowed, origin) in [(listed.clone(), PAGE), (AllowedOrigins::Any, EVIL)] {
            let service = service(allowed);
            let headers = [("host", "localhost:8080"), ("origin", origin)];
            let answer = service.send(with(&call, &headers)).await;
            assert_let_in(&answer, &format!("{call} from {origin}"));
        }
        let service = service(listed.clone());
        let headers = [("host", "localhost:8080"), ("origin", EVIL)];
        let answer = service.send(with(&call, &headers)).await;
        assert_kept_out(&answer, &format!("{call} from another"));
    }
}

/// To the browser, a page at this name is of the origin that it calls: nothing but the host tells.
#[tokio::test]
async fn a_host_of_another_name_is_answered_nothing_that_a_key_would_guard() {
    let service = service(AllowedOrigins::None);
    service.start(&["s"]).await;
    for host in ["rebind.example", "rebind.example:8080", "203.0.113.7:80"] {
        let origin = format!("http://{host}");
        let headers = [
            ("host", host),
            ("origin", origin.as_str()),
            ("sec-fetch-site", "same-origin"),
        ];
        for call in calls(true).into_iter().chain(calls(false)) {
            let answer = service.send(with(&call, &headers)).await;
            assert_kept_out(&answer, &format!("{call} at {host}"));
            // A balancer's own checks send no origin.
            let answer = service.send(with(&call, &headers[..1])).await;
            assert_kept_out(&answer, &format!("{call} at {host}"));
        }
        let live = service.get("/v1/users/u/sessions").await.json();
        assert_eq!(live["active"], 1, "nothing was changed");
        // Endpoints that need no key have no secrets.
        for path in ["/healthz", "/readyz", "/openapi.json", "/docs/"] {
            let answer = service.send(get(path, &headers)).await;
            assert_eq!(answer.status, 200, "{path}");
        }
    }
    let problem = service
        .send(get("/v1/users", &[("host", "rebind.example")]))
        .await
        .assert_problem(403, "forbidden");
    let detail = problem["detail"].as_str().unwrap();
    for word in ["rebind.example", "[[keys]]", "cors.allowed_origins"] {
        assert!(detail.contains(word), "{detail}");
    }
}

#[tokio::test]
async fn a_target_in_absolute_form_names_a_host_too() {
    let service = service(AllowedOrigins::None);
    let absolute = |host: &str| format!("http://{host}/v1/users");
    let answer = service.get(&absolute("rebind.example")).await;
    assert_kept_out(&answer, "absolute form");
    assert_eq!(service.get(&absolute("localhost:8080")).await.status, 200);
}

#[tokio::test]
async fn an_allowed_origin_is_a_name_of_this_server() {
    let listed = AllowedOrigins::List(vec!["https://streams.example".to_owned()]);
    let service = service(listed);
    for (host, is_known) in [("streams.example", true), ("rebind.example", false)] {
        let answer = service.send(get("/v1/users", &[("host", host)])).await;
        assert_eq!(answer.status == 200, is_known, "{host}: {}", answer.text());
    }
}

/// A server for a network has addresses that it does not know of, but no names.
#[tokio::test]
async fn on_a_network_any_address_is_answered_and_no_foreign_name() {
    let service = Service::with(ServerSettings {
        listen: Some([0, 0, 0, 0].into()),
        ..ServerSettings::default()
    });
    for (host, is_own) in [
        ("10.0.0.7:8080", true),
        ("[fd00::7]:8080", true),
        ("streamgate:8080", true),
        ("localhost", true),
        ("rebind.example", false),
    ] {
        let answer = service.send(get("/v1/users", &[("host", host)])).await;
        assert_eq!(answer.status == 200, is_own, "{host}: {}", answer.text());
    }
}

/// No browser adds a key by itself, so where one is asked for, neither host nor origin matters.
#[tokio::test]
async fn a_call_with_a_key_may_come_from_anywhere() {
    let service = Service::with(ServerSettings {
        keys: keys(),
        ..ServerSettings::default()
    });
    for call in calls(true) {
        let headers = [
            ("host", "rebind.example"),
            ("origin", EVIL),
            ("x-api-key", "admin"),
        ];
        let answer = service.send(with(&call, &headers)).await;
        assert_let_in(&answer, &format!("{call}"));
    }
}

/// Nor do keys help where the dialects are told to ask for none.
#[tokio::test]
async fn dialects_that_ask_for_no_key_are_guarded_although_there_are_keys() {
    let service = Service::with(ServerSettings {
        keys: keys(),
        compat: CompatSettings {
            require_key: false,
            ..CompatSettings::default()
        },
        ..ServerSettings::default()
    });
    let start = "/compat/user-streams/user-streams/u/s";
    let evil = service
        .send(get(start, &[("host", "localhost"), ("origin", EVIL)]))
        .await;
    assert_kept_out(&evil, "a page");
    let rebound = service
        .send(get(start, &[("host", "rebind.example")]))
        .await;
    assert_kept_out(&rebound, "a host");
    let program = service.send(get(start, &[("host", "localhost")])).await;
    assert_eq!(program.status, 200, "{}", program.text());
}

/// The browser of a page asks before it sends anything that a form could not send, and is told no.
#[tokio::test]
async fn a_foreign_page_that_asks_is_allowed_nothing() {
    let service = service(AllowedOrigins::None);
    for call in calls(true).into_iter().chain(calls(false)) {
        let headers = [
            ("host", "localhost:8080"),
            ("origin", EVIL),
            ("access-control-request-method", &*call.operation.method),
            ("access-control-request-headers", "authorization,x-api-key"),
        ];
        let mut preflight = with(&call, &headers);
        *preflight.method_mut() = Method::OPTIONS;
        let answer = service.send(preflight).await;
        for header in ["origin", "methods", "headers", "credentials"] {
            let header = format!("access-control-allow-{header}");
            assert_eq!(answer.header(&header), None, "{call}");
        }
    }
}

/// What only reads is answered, and no browser shows the answer to the page.
#[tokio::test]
async fn a_foreign_page_may_not_read_what_is_answered() {
    let service = service(AllowedOrigins::None);
    for call in calls(false) {
        // A stream that is open has no end that the test could wait for.
        if call.operation.is_event_stream() {
            continue;
        }
        let headers = [("host", "localhost:8080"), ("origin", EVIL)];
        let answer = service.send(with(&call, &headers)).await;
        assert_eq!(answer.header("access-control-allow-origin"), None, "{call}");
    }
}

/// Keys that are set are asked for by every call, in every dialect; an unknown one is no key.
#[tokio::test]
async fn with_keys_no_call_of_any_document_is_answered_without_one() {
    let service = Service::keyed();
    for call in calls(true).into_iter().chain(calls(false)) {
        for key in [None, Some("revoked")] {
            let headers = [
                ("host", "localhost"),
                ("x-api-key", key.unwrap_or_default()),
            ];
            let headers = if key.is_some() {
                &headers[..]
            } else {
                &headers[..1]
            };
            let answer = service.send(with(&call, headers)).await;
            // The gateway of concurrency-service has no 401.
            let refused = [401, 403].contains(&answer.status.as_u16());
            assert!(refused, "{call} with {key:?}: {}", answer.status);
        }
    }
    assert_eq!(service.metric("streamgate_live_sessions").await, "0");
}

/// A token would outlive the visit to the page.
#[tokio::test]
async fn no_foreign_page_mints_a_token_on_an_open_server() {
    let own = viewers::settings(&viewers::signing_key(), Vec::new());
    let service = Service::with(ServerSettings {
        tokens: Some(viewers::verifier(own, viewers::Down)),
        ..ServerSettings::default()
    });
    let mint = async |headers: &[(&'static str, &str)]| {
        let mut mint = get("/v1/users/u/tokens", headers);
        *mint.method_mut() = Method::POST;
        service.send(mint).await
    };
    for headers in [
        &[("host", "localhost"), ("origin", EVIL)][..],
        &[("host", "localhost"), ("origin", "null")],
        &[("host", "localhost"), ("sec-fetch-site", "cross-site")],
        &[
            ("host", "rebind.example"),
            ("origin", "http://rebind.example"),
        ],
        &[
            ("host", "localhost"),
            ("origin", EVIL),
            ("content-type", "text/plain"),
        ],
    ] {
        assert_kept_out(&mint(headers).await, &format!("{headers:?}"));
    }
    assert_eq!(mint(&[("host", "localhost")]).await.status, 201);
}
