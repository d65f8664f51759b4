//! API keys: which dialects ask for one and when, how they refuse, and a dialect that is switched
//! off.

use streamgate_testkit::Answer;

use crate::dialects::dialect::Dialect;
use crate::dialects::setup::{ADMIN_KEY, OTHER_TENANT_KEY, PLAYER_KEY, Service};
use crate::dialects::shape;

/// Sends a start with these headers.
fn start(service: &Service, dialect: Dialect, user: &str, headers: &[(&str, &str)]) -> Answer {
    let ask = dialect.start(user, "s");
    let body = ask.body.map(|body| body.to_string()).unwrap_or_default();
    service.raw((ask.method, &ask.path), headers, body.as_bytes())
}

/// Introduces a user where the dialect needs that, with the key of the operator.
fn introduce(service: &Service, dialect: Dialect, user: &str) {
    if let Some(ask) = dialect.introduction(user) {
        let body = ask.body.unwrap().to_string();
        let headers = [("x-api-key", ADMIN_KEY)];
        let answer = service.raw((ask.method, &ask.path), &headers, body.as_bytes());
        assert_eq!(answer.status, 200, "{answer:?}");
    }
}

const WRONG: [&[(&str, &str)]; 5] = [
    &[],
    &[("x-api-key", "nope")],
    &[("x-api-key", "")],
    &[("authorization", "Bearer nope")],
    // One header decides; a right key in the other does not make it good.
    &[
        ("x-api-key", "nope"),
        ("authorization", "Bearer the-key-of-the-operator"),
    ],
];

#[test]
fn concurrency_service_asks_for_a_key_wherever_keys_exist() {
    let service = Service::with_keys(&[]);
    let dialect = Dialect::ConcurrencyService;
    for headers in WRONG {
        let answer = start(&service, dialect, "u", headers);
        assert_forbidden(&answer);
    }
    assert_eq!(service.live("u"), [""; 0], "nothing was started");
    let bearer = format!("Bearer {PLAYER_KEY}");
    for (user, headers) in [
        ("key", ("x-api-key", PLAYER_KEY)),
        ("bearer", ("authorization", bearer.as_str())),
    ] {
        let answer = start(&service, dialect, user, &[headers]);
        assert!(dialect.verdict(&answer, user, "s", 3).is_held());
        assert_eq!(service.live(user), ["s"]);
    }
}

#[track_caller]
fn assert_forbidden(answer: &Answer) {
    assert_eq!(
        (answer.status, answer.text.as_str()),
        (403, r#"{"message":"Forbidden"}"#)
    );
    assert_eq!(answer.header("x-amzn-errortype"), "ForbiddenException");
    assert_eq!(
        answer.header("content-type"),
        "application/json; charset=utf-8"
    );
}

#[test]
fn the_other_dialects_need_no_key_only_where_configured() {
    let service = Service::with_keys(&["compat.require_key=false"]);
    assert_eq!(service.raw(("GET", "/v1/users"), &[], b"").status, 401);
    for dialect in Dialect::ALL {
        if dialect == Dialect::ConcurrencyService {
            continue;
        }
        let user = dialect.name();
        introduce(&service, dialect, user);
        // A key that was taken away opens nothing, not even what is open without one.
        let revoked = start(&service, dialect, user, &[("x-api-key", "revoked")]);
        assert_eq!(revoked.status, 401, "{dialect:?}: {revoked:?}");
        shape::check(dialect, &revoked).unwrap();
        let answer = start(&service, dialect, user, &[]);
        assert!(dialect.verdict(&answer, user, "s", 3).is_held());
        assert_eq!(service.live(user).len(), 1);
    }
}

#[test]
fn no_dialect_asks_for_a_key_where_none_is_configured() {
    let service = Service::start(&[]);
    for dialect in Dialect::ALL {
        let answer = service.start_session(dialect, dialect.name(), "s");
        assert!(dialect.verdict(&answer, dialect.name(), "s", 3).is_held());
    }
}

/// On a loopback address too: a proxy on this machine lets others in.
#[test]
fn all_of_them_ask_in_their_own_words() {
    let service = Service::with_keys(&[]);
    let bearer = format!("Bearer {PLAYER_KEY}");
    for dialect in Dialect::ALL {
        let user = dialect.name();
        introduce(&service, dialect, user);
        for headers in WRONG {
            let answer = start(&service, dialect, user, headers);
            if dialect == Dialect::ConcurrencyService {
                assert_forbidden(&answer);
                continue;
            }
            assert_eq!(answer.status, 401, "{dialect:?}: {answer:?}");
            shape::check(dialect, &answer).unwrap();
        }
        assert_eq!(service.live(user), [""; 0], "{dialect:?}");
        for header in [
            ("x-api-key", PLAYER_KEY),
            ("authorization", bearer.as_str()),
        ] {
            let answer = start(&service, dialect, user, &[header]);
            assert!(dialect.verdict(&answer, user, "s", 3).is_held());
        }
    }
}

/// A server on a network is not open by accident.
#[test]
fn on_a_network_every_dialect_requires_a_key_unless_set_otherwise() {
    let service = Service::with_keys_for_the_network();
    for dialect in Dialect::ALL {
        introduce(&service, dialect, "u");
        let status = start(&service, dialect, "u", &[]).status;
        let expected = if dialect == Dialect::ConcurrencyService {
            403
        } else {
            401
        };
        assert_eq!(status, expected, "{dialect:?}");
        let answer = start(&service, dialect, "u", &[("x-api-key", PLAYER_KEY)]);
        assert!(dialect.verdict(&answer, "u", "s", 3).is_held());
        assert_eq!(service.v1("DELETE", "/users/u", None).status, 204);
    }
}

/// A request that is refused for its key is not read any further: its answer does not tell whether
/// the path is known or the body is right.
#[test]
fn the_key_is_asked_for_before_the_request_is_read() {
    let service = Service::with_keys(&[]);
    for (dialect, method, path) in [
        (Dialect::SessionTracker, "POST", "/add-session"),
        (Dialect::SessionTracker, "POST", "/remove-session"),
        (Dialect::StreamLog, "POST", "/dev/stream"),
        (Dialect::StreamLog, "DELETE", "/dev/stream"),
        (Dialect::UserStreams, "GET", "/user-streams/%FF/1"),
        (Dialect::UserStreams, "DELETE", "/user-streams/u"),
        (Dialect::StreamRequests, "GET", "/getuser"),
        (Dialect::StreamRequests, "GET", "/getallusers"),
        (Dialect::StreamRequests, "POST", "/createuser"),
        (Dialect::StreamRequests, "POST", "/removeuser"),
        (Dialect::StreamRequests, "POST", "/requeststream"),
    ] {
        let answer = service.raw((method, &dialect.at(path)), &[], b"{");
        assert_eq!(answer.status, 401, "{method} {path}: {answer:?}");
        shape::check(dialect, &answer).unwrap();
    }
    let path = Dialect::ConcurrencyService.at("/dev/startSession/userId/%FF/sessionId/");
    assert_forbidden(&service.raw(("GET", &path), &[], b""));
}

/// Users are for the services of the platform, as they are in /v1.
#[test]
fn a_player_makes_reads_and_removes_no_users() {
    let service = Service::with_keys(&[]);
    let dialect = Dialect::StreamRequests;
    let create = dialect.introduction("u").unwrap().body.unwrap().to_string();
    for (method, path, body) in [
        ("POST", "/createuser", create.as_str()),
        ("POST", "/removeuser", r#"{"id":"u"}"#),
        // The profile is none of a player's business.
        ("GET", "/getuser?id=u", ""),
        ("GET", "/getallusers", ""),
    ] {
        let headers = [("x-api-key", PLAYER_KEY)];
        let answer = service.raw((method, &dialect.at(path)), &headers, body.as_bytes());
        assert_eq!(answer.status, 403, "{path}: {answer:?}");
        shape::check(dialect, &answer).unwrap();
    }
    assert_eq!(service.everything().users, [""; 0]);
}

/// As the originals do: docs/migrating.md says so.
#[test]
fn a_player_learns_whether_there_is_a_user_by_three_calls() {
    let service = Service::with_keys(&[]);
    service.set_limit("known", 3);
    for (dialect, method, path, body, statuses) in [
        (
            Dialect::UserStreams,
            "DELETE",
            "/user-streams/USER",
            "",
            [404, 204],
        ),
        (
            Dialect::SessionTracker,
            "POST",
            "/remove-session?user_id=USER",
            "",
            [200, 409],
        ),
        (
            Dialect::StreamRequests,
            "POST",
            "/requeststream",
            r#"{"id":"USER","stream":"s"}"#,
            [400, 200],
        ),
    ] {
        let told = ["unknown", "known"].map(|user| {
            let [path, body] = [path, body].map(|text| text.replace("USER", user));
            let headers = [("x-api-key", PLAYER_KEY)];
            let answer = service.raw((method, &dialect.at(&path)), &headers, body.as_bytes());
            answer.status
        });
        assert_eq!(told, statuses, "{path}");
    }
}

#[test]
fn a_key_speaks_of_the_users_of_its_tenant() {
    let service = Service::with_keys(&[]);
    let dialect = Dialect::UserStreams;
    let answer = start(&service, dialect, "u", &[("x-api-key", OTHER_TENANT_KEY)]);
    assert!(dialect.verdict(&answer, "u", "s", 3).is_held());
    assert_eq!(service.live("u"), [""; 0], "of the operator's tenant");
    let answer = start(&service, dialect, "u", &[("x-api-key", PLAYER_KEY)]);
    assert!(dialect.verdict(&answer, "u", "s", 3).is_held());
    assert_eq!(service.live("u"), ["s"]);
}

#[test]
fn a_dialect_that_is_switched_off_is_nowhere() {
    let service = Service::start(&["compat.dialects=session-tracker,user-streams"]);
    for dialect in Dialect::ALL {
        let answer = service.ask(&dialect.start("u", "s"));
        if matches!(dialect, Dialect::SessionTracker | Dialect::UserStreams) {
            assert!(dialect.verdict(&answer, "u", "s", 3).is_held());
            continue;
        }
        assert_eq!(answer.status, 404, "{dialect:?}: {answer:?}");
        assert_eq!(answer.header("content-type"), "application/problem+json");
        assert_eq!(answer.json()["code"], "not_found");
    }
    assert_eq!(service.live("u").len(), 2);
    // Nor is one at the root unless it is set.
    let answer = service.raw(("POST", "/add-session?user_id=u"), &[], b"");
    assert_eq!(answer.header("content-type"), "application/problem+json");
    assert_eq!(answer.status, 404);
}
