//! Events as API Gateway sends them, and what becomes of them.

use serde_json::{Value, json};

use super::*;

/// An event of an HTTP API.
fn v2(stage: &str, raw_path: &str) -> Value {
    json!({
        "version": "2.0",
        "rawPath": raw_path,
        "rawQueryString": "",
        "headers": { "host": "api.example", "x-api-key": "k" },
        "requestContext": {
            "stage": stage,
            "requestId": "JKJaXmPLvHcESHA=",
            "http": { "method": "PUT", "path": raw_path, "sourceIp": "192.0.2.7" },
        },
        "isBase64Encoded": false,
    })
}

/// An event of a REST API, whose client called this path.
fn rest(stage: &str, path: &str) -> Value {
    json!({
        "httpMethod": "GET",
        "path": path,
        "headers": { "Host": "api.example", "Accept": "b" },
        "multiValueHeaders": { "Host": ["api.example"], "Accept": ["a", "b"] },
        "queryStringParameters": null,
        "multiValueQueryStringParameters": null,
        "requestContext": {
            "stage": stage,
            "path": format!("/{stage}{path}"),
            "requestId": "id",
            "identity": { "sourceIp": "2001:db8::7" },
        },
        "body": null,
        "isBase64Encoded": false,
    })
}

#[track_caller]
fn parsed(event: &Value) -> HttpEvent {
    HttpEvent::parse(&serde_json::to_vec(event).unwrap()).unwrap()
}

fn uri(event: &Value) -> String {
    parsed(event).request.uri().to_string()
}

fn error(event: &Value) -> EventError {
    HttpEvent::parse(&serde_json::to_vec(event).unwrap()).unwrap_err()
}

#[test]
fn an_event_of_format_2_is_a_request_with_the_clients_address() {
    let mut event = v2("$default", "/v1/users/u/sessions/s");
    event["rawQueryString"] = "a=%2F&b=x+y".into();
    event["body"] = r#"{"device":"tv"}"#.into();
    event["cookies"] = json!(["a=1", "b=2"]);
    let event = parsed(&event);
    assert_eq!(event.format, Format::V2);
    assert_eq!(event.request.method(), "PUT");
    let target = event.request.uri().to_string();
    assert_eq!(target, "/v1/users/u/sessions/s?a=%2F&b=x+y");
    assert_eq!(event.request.body(), br#"{"device":"tv"}"#);
    let headers = event.request.headers();
    assert_eq!(headers["x-api-key"], "k");
    assert_eq!(headers["cookie"], "a=1; b=2");
    assert_eq!(headers["x-request-id"], "JKJaXmPLvHcESHA=");
    assert_eq!(event.gateway.client.to_string(), "192.0.2.7");
    assert_eq!(event.gateway.stage, None);
}

#[test]
fn an_event_of_format_1_is_a_request_with_every_value_of_a_header_and_of_a_parameter() {
    let mut event = rest("prod", "/v1/users");
    event["queryStringParameters"] = json!({ "x": "2" });
    event["multiValueQueryStringParameters"] = json!({ "x": ["1&", "a b+"], "ü": ["2"] });
    event["headers"]["X-Request-Id"] = "of the caller".into();
    event["multiValueHeaders"]["X-Request-Id"] = json!(["mine"]);
    let event = parsed(&event);
    assert_eq!(event.format, Format::V1);
    let target = event.request.uri().to_string();
    assert_eq!(target, "/v1/users?x=1%26&x=a%20b%2B&%C3%BC=2");
    let headers = event.request.headers();
    let accepted: Vec<_> = headers.get_all("accept").iter().collect();
    assert_eq!(accepted, ["a", "b"]);
    assert_eq!(headers["x-request-id"], "mine");
    assert_eq!(event.gateway.client.to_string(), "2001:db8::7");
}

#[test]
fn a_named_stage_is_taken_off_the_path_and_kept_beside_it() {
    for (stage, path, expected, kept) in [
        ("$default", "/dev/stream", "/dev/stream", None),
        ("prod", "/prod/v1/users", "/v1/users", Some("prod")),
        ("prod", "/prod", "/", Some("prod")),
        ("prod", "/prod/", "/", Some("prod")),
        // A custom domain names no stage.
        ("prod", "/v1/users", "/v1/users", None),
        ("prod", "/production/x", "/production/x", None),
    ] {
        let event = parsed(&v2(stage, path));
        assert_eq!(event.request.uri().to_string(), expected, "{stage} {path}");
        assert_eq!(event.gateway.stage.as_deref(), kept, "{stage} {path}");
    }
    let event = parsed(&rest("dev", "/stream"));
    assert_eq!(event.request.uri().path(), "/stream");
    assert_eq!(event.gateway.stage.as_deref(), Some("dev"));
    // The second is the client's own.
    assert_eq!(uri(&rest("dev", "/dev/stream")), "/dev/stream");
    let mut custom = rest("dev", "/dev/stream");
    custom["requestContext"]["path"] = "/dev/stream".into();
    assert_eq!(parsed(&custom).gateway.stage, None);
    // Format 1.0 of an HTTP API.
    let mut http_api = rest("dev", "/dev/stream");
    http_api["version"] = "1.0".into();
    let http_api = parsed(&http_api);
    assert_eq!(http_api.request.uri().path(), "/stream");
    assert_eq!(http_api.gateway.stage.as_deref(), Some("dev"));
}

#[test]
fn an_encoded_path_stays_as_it_is_and_a_decoded_one_becomes_valid() {
    for (path, expected) in [
        ("/u/a%2Fb/s", "/u/a%2Fb/s"),
        ("/u/%C3%BC", "/u/%C3%BC"),
        ("/u/ü x", "/u/%C3%BC%20x"),
        ("/u/100%", "/u/100%25"),
        ("/u/%zz%4", "/u/%25zz%254"),
        ("/u/a?b#c", "/u/a%3Fb%23c"),
        ("/u/a+b@c:d", "/u/a+b@c:d"),
        ("/u/../x//", "/u/../x//"),
        ("", "/"),
        ("u", "/u"),
        ("//u", "//u"),
    ] {
        assert_eq!(uri(&v2("$default", path)), expected, "{path}");
    }
    // A REST API decodes nothing, so the router must refuse this one.
    assert_eq!(uri(&rest("prod", "/u/%zz")), "/u/%zz");
    assert_eq!(uri(&rest("prod", "/u/a%2Fb")), "/u/a%2Fb");
}

#[test]
fn a_body_may_be_base64() {
    let mut event = v2("$default", "/");
    event["body"] = "eyJhIjoxfQ==".into();
    event["isBase64Encoded"] = true.into();
    assert_eq!(parsed(&event).request.body(), br#"{"a":1}"#);
    event["body"] = "*".into();
    assert!(error(&event).to_string().contains("base64"));
}

#[test]
fn an_event_that_is_no_request_says_what_is_missing_and_repeats_no_value() {
    let secret = "a-user-or-a-key";
    for (event, why) in [
        (json!({}), "no requestContext"),
        (
            json!({ "source": "aws.events", "detail": {} }),
            "no requestContext",
        ),
        (
            json!({ "Records": [{ "body": secret }] }),
            "no requestContext",
        ),
        (
            json!({ "requestContext": { "connectionId": secret } }),
            "no HTTP method",
        ),
        (
            json!({ "httpMethod": "GET", "requestContext": { "elb": {} } }),
            "load balancer",
        ),
        (json!({ "headers": secret }), "column"),
        (json!(secret), "column"),
    ] {
        let error = error(&event);
        assert_eq!(error.kind(), "Streamgate.NotHttp");
        let said = error.to_string();
        assert!(said.contains(why) && !said.contains(secret), "{said}");
    }
}

#[test]
fn a_request_that_no_gateway_sends_is_an_error() {
    let mut method = v2("$default", "/");
    method["requestContext"]["http"]["method"] = "GET /".into();
    let mut header = v2("$default", "/");
    header["headers"]["x"] = "a\r\nb: c".into();
    let mut name = v2("$default", "/");
    name["headers"]["a b"] = "c".into();
    for event in [method, header, name] {
        assert_eq!(error(&event).kind(), "Streamgate.WrongEvent", "{event}");
    }
}

#[test]
fn an_address_that_is_none_is_unknown() {
    let mut event = v2("$default", "/");
    event["requestContext"]["http"]["sourceIp"] = "test-invoke-source-ip".into();
    assert_eq!(parsed(&event).gateway.client.to_string(), "0.0.0.0");
}
