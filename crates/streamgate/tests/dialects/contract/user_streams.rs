//! user-streams: pages, CORS, and ids as they are written.

use super::ask;
use crate::dialects::dialect::Dialect;
use crate::dialects::setup::Service;

const DIALECT: Dialect = Dialect::UserStreams;

#[test]
fn it_has_a_home_page_an_explorer_and_a_document_in_both_places() {
    let service = Service::start(&["compat.root=user-streams"]);
    for prefix in ["/compat/user-streams", ""] {
        for (path, kind) in [
            ("/", "text/html"),
            ("/explorer/", "text/html"),
            ("/openapi.json", "application/json"),
        ] {
            let answer = service.raw(("GET", &format!("{prefix}{path}")), &[], b"");
            assert_eq!(answer.status, 200, "{prefix}{path}: {answer:?}");
            assert!(
                answer.header("content-type").starts_with(kind),
                "{answer:?}"
            );
            assert!(!answer.text.is_empty(), "{prefix}{path}");
        }
        let document = service
            .raw(("GET", &format!("{prefix}/openapi.json")), &[], b"")
            .json();
        for path in [
            "/user-streams/{userId}/{sessionId}",
            "/user-streams/{userId}",
        ] {
            assert!(
                document["paths"][path].is_object(),
                "{prefix} {path}: {document}"
            );
        }
        assert!(
            document["paths"]["/v1/users"].is_null(),
            "only of this dialect"
        );
    }
}

#[test]
fn a_preflight_is_answered_for_every_page_where_every_origin_is_allowed() {
    let service = Service::start(&["cors.allowed_origins=*"]);
    let preflight = [
        ("origin", "http://x.example"),
        ("access-control-request-method", "DELETE"),
        ("access-control-request-headers", "content-type,x-api-key"),
    ];
    for path in ["/user-streams/u/1", "/user-streams/u"] {
        let answer = service.raw(("OPTIONS", &DIALECT.at(path)), &preflight, b"");
        assert_eq!(
            (answer.status, answer.text.as_str()),
            (204, ""),
            "{answer:?}"
        );
        assert_eq!(answer.header("access-control-allow-origin"), "*");
        assert_eq!(answer.header("access-control-allow-credentials"), "true");
        let methods = answer.header("access-control-allow-methods");
        assert!(
            methods.contains("GET") && methods.contains("DELETE"),
            "{answer:?}"
        );
        let headers = answer.header("access-control-allow-headers").to_lowercase();
        assert!(
            headers == "*" || headers.contains("x-api-key"),
            "{answer:?}"
        );
    }
    assert_eq!(
        service.everything().users,
        [""; 0],
        "a preflight starts nothing"
    );
}

/// As the middleware of the original had it: OPTIONS is a preflight, whatever else it says.
#[test]
fn an_options_that_asks_for_nothing_is_a_preflight_too() {
    let service = Service::start(&[]);
    for path in ["/user-streams/u/1", "/user-streams/u", "/", "/elsewhere"] {
        let answer = service.raw(("OPTIONS", &DIALECT.at(path)), &[], b"");
        assert_eq!(
            (answer.status, answer.text.as_str()),
            (204, ""),
            "{path}: {answer:?}"
        );
        assert_eq!(answer.header("access-control-allow-origin"), "*");
    }
}

/// Which pages may call is one setting for /v1 and this dialect, which was open to all.
#[test]
fn the_origins_that_v1_allows_are_allowed_here_and_no_others() {
    let service = Service::start(&["cors.allowed_origins=https://player.example"]);
    for (origin, told) in [
        ("https://player.example", &["*"][..]),
        ("https://another.example", &[]),
    ] {
        for method in ["GET", "OPTIONS"] {
            let path = DIALECT.at("/user-streams/u/1");
            let headers = [("origin", origin), ("access-control-request-method", "GET")];
            let answer = service.raw((method, &path), &headers, b"");
            let allowed = answer.headers.iter();
            let allowed: Vec<&str> = allowed
                .filter(|(name, _)| name == "access-control-allow-origin")
                .map(|(_, value)| value.as_str())
                .collect();
            assert_eq!(allowed, told, "{method} {origin}");
        }
        let answer = service.raw(("GET", "/v1/users"), &[("origin", origin)], b"");
        let expected = if origin.contains("player") {
            origin
        } else {
            ""
        };
        assert_eq!(answer.header("access-control-allow-origin"), expected);
    }
}

#[test]
fn ids_keep_their_case() {
    let service = Service::start(&[]);
    for (user, session) in [("u", "a"), ("u", "A"), ("U", "a")] {
        let answer = ask(
            &service,
            DIALECT,
            ("GET", &format!("/user-streams/{user}/{session}")),
            "",
        );
        assert_eq!(answer.0, 200, "{answer:?}");
    }
    assert_eq!(service.live("u"), ["a", "A"]);
    assert_eq!(service.live("U"), ["a"]);
}

#[test]
fn what_is_no_endpoint_is_named() {
    let service = Service::start(&[]);
    for (method, path) in [
        ("GET", "/user-streams/u"),
        ("POST", "/user-streams/u/1"),
        ("PATCH", "/user-streams/a%2Fb"),
        ("DELETE", "/elsewhere"),
    ] {
        let message = format!(r#"Endpoint \"{method} {path}\" not found."#);
        let said = format!(
            r#"{{"error":{{"statusCode":404,"name":"NotFoundError","message":"{message}"}}}}"#
        );
        assert_eq!(ask(&service, DIALECT, (method, path), ""), (404, said));
    }
}
