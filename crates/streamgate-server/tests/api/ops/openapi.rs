//! `/openapi.json`, and the copy of it in the repository.

use serde_json::{Value, json};
use streamgate_server::{
    AllowedOrigins, CorsSettings, DialectName, OpenApiVersion, ServerSettings, openapi_json,
};
use streamgate_testkit::generated::assert_generated;
use streamgate_testkit::repository;

use crate::support::Service;

fn document() -> Value {
    serde_json::from_str(&openapi_json(None, OpenApiVersion::V3_1)).unwrap()
}

#[test]
fn the_copy_in_the_repository_is_what_the_code_says() {
    let path = repository("crates/streamgate-server/openapi.json");
    assert_generated(path, &openapi_json(None, OpenApiVersion::V3_1));
}

/// A client that is generated from it must not depend on the server that it was generated at.
#[tokio::test]
async fn every_server_serves_the_document_that_is_printed() {
    let cors = CorsSettings {
        allowed_origins: AllowedOrigins::Any,
        max_age: None,
    };
    for service in [
        Service::open(),
        Service::keyed(),
        Service::with(ServerSettings {
            cors,
            metrics_require_key: true,
            ..ServerSettings::default()
        }),
    ] {
        for path in ["/openapi.json", "/docs/openapi.json"] {
            assert_eq!(
                service.get(path).await.text(),
                openapi_json(None, OpenApiVersion::V3_1)
            );
        }
    }
}

#[test]
fn every_operation_says_which_credentials_it_takes() {
    let document = document();
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["servers"][0]["url"], "/");
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let asks = path.starts_with("/v1/") || path.starts_with("/admin/");
            let expected = match (asks, operation["x-streamgate-scope"].as_str()) {
                (false, None) => json!([{}]),
                (true, Some("viewer")) => {
                    json!([{"api_key": []}, {"bearer": []}, {"viewer_token": []}, {}])
                }
                (true, Some(_)) => json!([{"api_key": []}, {"bearer": []}, {}]),
                (asks, scope) => panic!("{method} {path}: {asks} {scope:?}"),
            };
            assert_eq!(operation["security"], expected, "{method} {path}");
        }
    }
}

/// What a stream says is checked where tests read one; here, that all of it has a name.
#[test]
fn every_event_of_a_stream_has_a_named_schema() {
    let document = document();
    let (schemas, mut streams) = (&document["components"]["schemas"], 0);
    for (path, item) in document["paths"].as_object().unwrap() {
        let operation = &item["get"];
        let answer = &operation["responses"]["200"];
        if answer["content"]["text/event-stream"].is_null() {
            continue;
        }
        streams += 1;
        let events = answer["x-streamgate-events"].as_object();
        let events = events.unwrap_or_else(|| panic!("{path}: no x-streamgate-events"));
        let about = operation["description"].as_str().unwrap();
        for (event, schema) in events {
            let schema = schema.as_str().unwrap();
            assert_eq!(schemas[schema]["type"], "object", "{path}: {event}");
            for name in [event, schema] {
                assert!(about.contains(&format!("`{name}`")), "{path}: {name}");
            }
        }
    }
    assert_eq!(streams, 3);
}

/// What later versions may add values to must not be an enum: generated clients fail on them.
#[test]
fn there_are_no_closed_enums() {
    let text = openapi_json(None, OpenApiVersion::V3_1);
    assert!(!text.contains("\"enum\""));
    let document = document();
    let schemas = &document["components"]["schemas"];
    for (name, word) in [
        ("Code", "limit_reached"),
        ("EndReason", "evicted"),
        ("LimitSource", "plan"),
        ("SkipReason", "no_slot"),
    ] {
        let schema = &schemas[name];
        assert_eq!(schema["type"], "string", "{name}");
        let about = schema["description"].as_str().unwrap();
        assert!(about.contains(&format!("`{word}`")), "{about}");
        let words = schema["x-extensible-enum"].as_array().unwrap();
        assert!(words.contains(&json!(word)), "{name}");
    }
}

/// So that a client can tell by `code` which problem it has.
#[test]
fn problems_with_members_of_their_own_have_a_constant_code() {
    let document = document();
    for (name, code, status, own) in [
        ("LimitReached", "limit_reached", 409, "sessions"),
        ("SessionEnded", "session_ended", 410, "reason"),
    ] {
        let schema = &document["components"]["schemas"][name];
        let members = &schema["properties"];
        assert_eq!(members["code"]["const"], code, "{schema}");
        assert_eq!(members["status"]["const"], status, "{schema}");
        assert!(members["detail"].is_object() && members[own].is_object());
        let required = schema["required"].as_array().unwrap();
        for member in ["type", "title", "status", "detail", "code", own] {
            assert!(required.contains(&json!(member)), "{name}: {member}");
        }
    }
}

#[test]
fn a_start_has_one_body_of_plain_members() {
    let document = document();
    let body = |path: &str, method: &str| {
        document["paths"][path][method]["requestBody"]["content"]["application/json"]["schema"]
            .clone()
    };
    let post = body("/v1/users/{user_id}/sessions", "post");
    assert_eq!(post, json!({ "$ref": "#/components/schemas/StartBody" }));
    assert_eq!(
        body("/v1/users/{user_id}/sessions/{session_id}", "put"),
        post
    );
    let start = &document["components"]["schemas"]["StartBody"];
    assert!(!start["properties"].to_string().contains("null"), "{start}");
    assert_eq!(start.get("required"), None);
    // Null means something here: it clears.
    let plan = &document["components"]["schemas"]["UserChange"]["properties"]["plan"];
    assert!(plan.to_string().contains("null"), "{plan}");
}

/// Names that are words of programming languages, or that generators change.
#[test]
fn schemas_have_names_that_generators_keep() {
    let dialects = DialectName::ALL.map(|name| openapi_json(Some(name), OpenApiVersion::V3_1));
    for text in dialects
        .into_iter()
        .chain([openapi_json(None, OpenApiVersion::V3_1)])
    {
        let document: Value = serde_json::from_str(&text).unwrap();
        for name in document["components"]["schemas"]
            .as_object()
            .unwrap()
            .keys()
        {
            let is_plain = name.starts_with(char::is_uppercase)
                && name.chars().all(|letter| letter.is_ascii_alphanumeric());
            assert!(is_plain, "{name}");
            let is_reserved = ["Import", "Type", "Object", "Error"].contains(&name.as_str());
            assert!(!is_reserved, "{name}");
        }
    }
}

/// The places of everything in a document that OpenAPI 3.0 does not know.
fn newer_than_3_0(part: &Value, at: &str, found: &mut Vec<String>) {
    match part {
        Value::Object(members) => {
            for (name, member) in members {
                let at = format!("{at}/{name}");
                let is_data = ["example", "enum", "x-extensible-enum"].contains(&name.as_str());
                let is_newer = match name.as_str() {
                    "const" | "propertyNames" | "identifier" => true,
                    "type" => member.is_array() || member == "null",
                    "examples" => member.is_array(),
                    "$ref" => members.len() > 1,
                    _ => false,
                };
                if is_newer {
                    found.push(at);
                } else if !is_data {
                    newer_than_3_0(member, &at, found);
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                newer_than_3_0(item, &format!("{at}/{index}"), found);
            }
        }
        _ => {}
    }
}

#[test]
fn the_rendering_in_3_0_says_the_same_as_far_as_it_can() {
    let old: Value = serde_json::from_str(&openapi_json(None, OpenApiVersion::V3_0)).unwrap();
    assert_eq!(old["openapi"], "3.0.3");
    let mut found = Vec::new();
    newer_than_3_0(&old, "", &mut found);
    for name in DialectName::ALL {
        let old: Value =
            serde_json::from_str(&openapi_json(Some(name), OpenApiVersion::V3_0)).unwrap();
        newer_than_3_0(&old, name.as_str(), &mut found);
    }
    assert_eq!(found, [""; 0]);
    let new = document();
    assert_eq!(
        old["paths"].as_object().unwrap().len(),
        new["paths"].as_object().unwrap().len()
    );
    let schemas = &old["components"]["schemas"];
    let code = &schemas["LimitReached"]["properties"]["code"];
    assert_eq!(
        *code,
        json!({ "type": "string", "enum": ["limit_reached"] })
    );
    let plan = &schemas["UserChange"]["properties"]["plan"];
    assert_eq!(plan["nullable"], true, "{plan}");
    assert_eq!(
        plan["allOf"],
        json!([{ "$ref": "#/components/schemas/Name" }])
    );
    let cursor = &schemas["UsersPage"]["properties"]["next_cursor"];
    assert_eq!(
        (&cursor["type"], &cursor["nullable"]),
        (&json!("string"), &json!(true))
    );
}

#[test]
fn every_problem_and_every_answer_is_described() {
    let document: Value = serde_json::from_str(&openapi_json(None, OpenApiVersion::V3_1)).unwrap();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            assert!(operation["summary"].is_string(), "{method} {path}");
            for (status, response) in operation["responses"].as_object().unwrap() {
                let what = format!("{method} {path} {status}");
                assert!(response["headers"]["x-request-id"].is_object(), "{what}");
                let content = response["content"].as_object();
                let media_type = content.and_then(|content| content.keys().next());
                match status.as_str() {
                    "204" | "304" => assert!(content.is_none(), "{what}"),
                    "200" | "201" => assert!(media_type.is_some(), "{what}"),
                    _ => assert_eq!(media_type.unwrap(), "application/problem+json", "{what}"),
                }
            }
        }
    }
}

#[test]
fn references_lead_somewhere() {
    let document: Value = serde_json::from_str(&openapi_json(None, OpenApiVersion::V3_1)).unwrap();
    fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::Object(members) => {
                if let Some(Value::String(target)) = members.get("$ref") {
                    found.push(target);
                }
                members
                    .values()
                    .for_each(|member| references(member, found));
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(found.len() > 50);
    for target in found {
        let pointer = target.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{target}");
    }
}
