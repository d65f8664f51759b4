//! Log lines in JSON against the Elastic Common Schema: names and types.
//!
//! No shipper of logs runs here. That Filebeat and its kin take the lines without a parser is
//! concluded from the names, the types and the form: one object a line, dotted names at the top.

use serde_json::{Value, json};
use streamgate_server::OpenApiVersion;
use streamgate_server::telemetry::LogFormat;
use streamgate_server::telemetry::fields::{ALWAYS, ECS_VERSION, FIELDS, OF_TRACE};
use streamgate_testkit::marks::marked_calls;

use crate::logs::Log;
use crate::support::{Service, request};

/// The fields of the schema that we use, and their types: from `ecs_flat` of the npm package
/// `@elastic/ecs` 9.4.0.
const SCHEMA: &[(&str, &str)] = &[
    ("@timestamp", "date"),
    ("client.ip", "ip"),
    ("ecs.version", "keyword"),
    ("error.message", "match_only_text"),
    ("event.action", "keyword"),
    ("event.duration", "long"),
    ("event.outcome", "keyword"),
    ("event.reason", "keyword"),
    ("file.path", "keyword"),
    ("http.request.id", "keyword"),
    ("http.request.method", "keyword"),
    ("http.response.status_code", "long"),
    ("log.level", "keyword"),
    ("log.logger", "keyword"),
    ("message", "match_only_text"),
    ("process.exit_code", "long"),
    ("process.thread.name", "keyword"),
    ("server.address", "keyword"),
    ("service.name", "keyword"),
    ("service.version", "keyword"),
    ("span.id", "keyword"),
    ("trace.id", "keyword"),
    ("user.domain", "keyword"),
    ("user.hash", "keyword"),
    ("user.name", "keyword"),
    ("user.roles", "keyword"),
    ("user.target.hash", "keyword"),
    ("user.target.id", "keyword"),
];

/// What is wrong with a line, if anything.
fn check(line: &Value) -> Result<(), String> {
    let members = line.as_object().ok_or("not an object")?;
    for field in ALWAYS {
        if !members.contains_key(field.ecs) {
            return Err(format!("{} is missing", field.ecs));
        }
    }
    for (name, value) in members {
        let fits = match SCHEMA.iter().find(|(known, _)| known == name) {
            Some((_, "long")) => value.is_i64() || value.is_u64(),
            Some((_, "ip")) => value
                .as_str()
                .is_some_and(|it| it.parse::<std::net::IpAddr>().is_ok()),
            Some(_) => value.is_string(),
            // Labels are scalars; the schema stores each as a keyword.
            None if name.starts_with("labels.") => !value.is_object() && !value.is_array(),
            None => return Err(format!("{name} is not in the schema")),
        };
        if !fits {
            return Err(format!("{name} is {value}"));
        }
    }
    Ok(())
}

#[test]
fn every_field_that_an_event_can_have_is_in_the_schema() {
    for field in FIELDS.iter().chain(ALWAYS).chain(OF_TRACE) {
        let is_known = SCHEMA.iter().any(|(name, _)| *name == field.ecs);
        assert!(is_known, "{}", field.ecs);
    }
    assert_eq!(SCHEMA.len(), FIELDS.len() + ALWAYS.len() + OF_TRACE.len());
}

#[tokio::test]
async fn the_lines_of_every_operation_fit_the_schema() {
    let service = Service::open();
    service.damage("mk7qz-user").await;
    let document = streamgate_server::openapi_json(None, OpenApiVersion::V3_1);
    let calls = marked_calls(&serde_json::from_str(&document).unwrap());
    let log = Log::of(LogFormat::Json, "trace", async {
        for call in &calls {
            let body = call.body.clone().unwrap_or_default().1;
            let mut request = request(&call.method, &call.path, body.into());
            let traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
            request
                .headers_mut()
                .insert("traceparent", traceparent.parse().unwrap());
            service.send(request).await;
        }
        every_field();
    });
    let text = log.await.text();
    let lines: Vec<Value> = text
        .lines()
        .map(|it| serde_json::from_str(it).unwrap())
        .collect();
    // One a call, but those that are summed up.
    assert!(lines.len() > calls.len() / 2, "{} lines", lines.len());
    for line in &lines {
        assert_eq!(check(line), Ok(()), "{line}");
        assert_eq!(line["ecs.version"], ECS_VERSION);
    }
    // Sums of repeats may come after it.
    let whole = lines
        .iter()
        .find(|it| it["message"] == "a line with every field");
    let whole = whole.unwrap();
    for field in FIELDS {
        assert!(whole.get(field.ecs).is_some(), "{} in {whole}", field.ecs);
    }
}

/// One line with every field that has a name in the schema, as the events have them.
fn every_field() {
    let error = std::io::Error::other("no space");
    tracing::info!(
        request_id = "r-1",
        method = "GET",
        status = 200_u16,
        duration_us = 7_u128,
        %error,
        reason = "why",
        peer = %std::net::Ipv4Addr::LOCALHOST,
        server = %"redis.example:6379",
        user_sha256 = "0bfe935e70c321c7",
        action = "user-set",
        outcome = "success",
        actor_name = "ops",
        actor_role = "admin",
        actor_domain = "idp",
        target_sha256 = "0bfe935e70c321c7",
        target_id = "u",
        exit_code = 74,
        thread = "sg-log",
        file = %"log-1",
        other = true,
        "a line with every field"
    );
}

#[test]
fn the_check_finds_a_wrong_name_and_a_wrong_type() {
    let good = json!({
        "@timestamp": "2026-11-28T10:00:00.000000Z", "log.level": "INFO", "log.logger": "a::b",
        "message": "m", "ecs.version": "9.4.0", "service.name": "s", "service.version": "0",
        "labels.n": 7,
    });
    assert_eq!(check(&good), Ok(()));
    for (name, value) in [
        ("status", json!(503)),
        ("http.response.status_code", json!("503")),
        ("event.duration", json!(1.5)),
        ("client.ip", json!("localhost")),
        ("labels.nested", json!({ "a": 1 })),
    ] {
        let mut bad = good.clone();
        bad[name] = value;
        assert!(check(&bad).is_err(), "{bad}");
    }
    let mut bad = good;
    bad.as_object_mut().unwrap().remove("log.level");
    assert!(check(&bad).is_err());
}
