//! The API of `/v1` through every kind of gateway, with a named stage and without.

use serde_json::json;
use streamgate_testkit::{Answer, call};

use super::Function;
use super::gateway::{DEFAULT_STAGE, Gateway, Kind};

/// Calls through a gateway, on its stage.
struct Caller {
    gateway: Gateway,
    prefix: &'static str,
}

impl Caller {
    fn call(&self, method: &str, path: &str) -> Answer {
        let path = format!("{}{path}", self.prefix);
        call(self.gateway.address, method, &path, None, None)
    }
}

/// Every kind of gateway on the stages that it can have.
fn callers(function: &Function) -> Vec<(String, Caller)> {
    let mut callers = Vec::new();
    for kind in Kind::ALL {
        let stages: &[(&str, &str)] = match kind {
            Kind::RestApi => &[("prod", "/prod")],
            Kind::FunctionUrl => &[(DEFAULT_STAGE, "")],
            Kind::HttpApi | Kind::HttpApiV1 => &[(DEFAULT_STAGE, ""), ("prod", "/prod")],
        };
        for (stage, prefix) in stages {
            let gateway = function.behind(kind, stage);
            callers.push((
                format!("{kind:?}-{}", stage.trim_start_matches('$')),
                Caller { gateway, prefix },
            ));
        }
    }
    callers
}

#[test]
fn players_start_are_refused_beat_stop_and_are_listed_through_every_gateway() {
    let function = Function::start();
    for (user, caller) in callers(&function) {
        let sessions = format!("/v1/users/{user}/sessions");
        for id in ["a", "b", "c"] {
            let answer = caller.call("PUT", &format!("{sessions}/{id}"));
            assert_eq!(answer.status, 201, "{user}: {answer:?}");
            assert_eq!(answer.json()["session"]["session_id"], id);
            assert_eq!(answer.header("x-request-id").len(), answer_id_length(&user));
        }
        let refused = caller.call("PUT", &format!("{sessions}/d"));
        assert_eq!(
            (refused.status, refused.code()),
            (409, "limit_reached".into())
        );
        assert_eq!(refused.header("content-type"), "application/problem+json");
        let beat = caller.call("POST", &format!("{sessions}/a/heartbeat"));
        assert_eq!(beat.status, 200, "{beat:?}");
        assert_eq!(caller.call("DELETE", &format!("{sessions}/a")).status, 204);
        let list = caller.call("GET", &sessions).json();
        assert_eq!(list["active"], 2, "{list}");
        let page = caller.call("GET", "/v1/users?page_size=1").json();
        assert_eq!(page["users"].as_array().map(Vec::len), Some(1), "{page}");
        let missing = caller.call("GET", "/v1/nothing");
        assert_eq!(missing.status, 404, "{missing:?}");
        // A gateway wants answers whole.
        let of_session = format!("{sessions}/b/events");
        let of_user = format!("/v1/users/{user}/events");
        for path in ["/v1/events", &of_user, &of_session] {
            let stream = caller.call("GET", path);
            assert_eq!((stream.status, stream.code()), (501, "no_streams".into()));
        }
        let hold = caller.call("GET", &format!("{of_session}?hold=true"));
        assert_eq!((hold.status, hold.code()), (501, "no_streams".into()));
    }
    let ready = callers(&function)[0].1.call("GET", "/readyz");
    assert_eq!(ready.status, 200, "{ready:?}");
}

#[test]
fn a_function_serves_no_pages_and_says_so() {
    let function = Function::start();
    for (name, caller) in callers(&function) {
        let about = caller.call("GET", "/").json();
        assert_eq!(about["name"], "streamgate", "{name}");
        for page in ["demo", "console"] {
            assert_eq!(about.get(page), None, "{name}");
            assert_eq!(
                caller.call("GET", &format!("/{page}/")).status,
                404,
                "{name}"
            );
        }
    }
}

/// How long the ids of requests are that the gateway made.
fn answer_id_length(gateway: &str) -> usize {
    match gateway.starts_with("HttpApi-") || gateway.starts_with("FunctionUrl") {
        true => "JKJaXmPLvHcESHA=".len(),
        false => "41b45ea3-70b5-11e6-b7bd-69b5aaebc7d9".len(),
    }
}

#[test]
fn ids_arrive_as_the_gateway_leaves_them() {
    let function = Function::start();
    for (name, caller) in callers(&function) {
        for (sent, id) in [
            ("a%20b", "a b"),
            ("%C3%BC", "\u{fc}"),
            ("a+b", "a+b"),
            ("a%3Ab%40c", "a:b@c"),
            ("100%25", "100%"),
            ("a%23b", "a#b"),
        ] {
            let path = format!("/v1/users/{name}-{sent}/sessions/{sent}");
            let answer = caller.call("PUT", &path);
            assert_eq!(answer.status, 201, "{name} {sent}: {answer:?}");
            assert_eq!(answer.json()["session"]["session_id"], id, "{name} {sent}");
        }
        let slash = caller.call("PUT", &format!("/v1/users/{name}/sessions/a%2Fb"));
        if caller.gateway.keeps_encoding() {
            assert_eq!(
                slash.json()["session"]["session_id"],
                "a/b",
                "{name}: {slash:?}"
            );
        } else {
            // It cannot be told from a path with one segment more.
            assert_eq!(slash.status, 404, "{name}: {slash:?}");
        }
    }
}

#[test]
fn bodies_arrive_as_text_and_as_base64_and_their_faults_name_the_field() {
    let function = Function::start();
    let caller = Caller {
        gateway: function.behind_http_api(),
        prefix: "",
    };
    let address = caller.gateway.address;
    let named = json!({ "session_id": "s", "device_name": "T\u{e9}l\u{e9}" });
    let answer = call(address, "POST", "/v1/users/u/sessions", None, Some(&named));
    assert_eq!(answer.status, 201, "{answer:?}");
    let wrong = json!({ "device_name": 7 });
    let answer = call(address, "POST", "/v1/users/u/sessions", None, Some(&wrong));
    assert_eq!(answer.status, 400, "{answer:?}");
    assert!(answer.text.contains("device_name"), "{answer:?}");
    // Not text for a gateway, so it comes as base64; the dialect takes it whatever its type.
    let body = br#"{"Name":"Robin","Subscription":"basic plan","id":"010"}"#;
    let request = crate::dialects::setup::raw_request(
        "POST",
        "/compat/stream-requests/createuser",
        &[("content-type", "application/octet-stream")],
        body,
    );
    let answer = streamgate_testkit::exchange(address, &request);
    assert_eq!(
        (answer.status, answer.text.as_str()),
        (200, "Robin created")
    );
}

/// The address of a caller is the gateway's word, not the connection's.
#[test]
fn a_rate_by_address_counts_the_client_of_the_gateway() {
    let settings = [
        ("STREAMGATE_ALLOW_ANONYMOUS", "true"),
        ("STREAMGATE_RATE_LIMIT_PER_KEY_PER_S", "1"),
    ];
    let function = Function::with(1, &settings);
    let event = |address: &str| {
        json!({
            "version": "2.0",
            "rawPath": "/v1/users",
            "requestContext": {
                "stage": "$default",
                "http": { "method": "GET", "sourceIp": address },
            },
        })
    };
    let status = |address: &str| function.api.invoke(event(address)).unwrap()["statusCode"].clone();
    assert_eq!(status("192.0.2.1"), 200);
    assert_eq!(status("192.0.2.1"), 429);
    assert_eq!(status("192.0.2.2"), 200);
}

/// The gateway finds the function by the host, so that a page cannot bind another name to it; what
/// a foreign page sends is refused as by a server.
#[test]
fn without_keys_any_host_is_served_and_no_foreign_page() {
    let function = Function::start();
    let address = function.behind_http_api().address;
    let start = |headers: &[(&str, &str)]| {
        let request =
            crate::dialects::setup::raw_request("PUT", "/v1/users/u/sessions/s", headers, b"");
        let request = String::from_utf8(request).unwrap();
        let request = request.replace(
            "host: test",
            "host: abc.execute-api.eu-west-1.amazonaws.com",
        );
        streamgate_testkit::exchange(address, request.as_bytes()).status
    };
    assert_eq!(start(&[]), 201);
    assert_eq!(start(&[("origin", "https://evil.example")]), 403);
}
