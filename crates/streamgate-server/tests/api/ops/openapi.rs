//! `/openapi.json`, and the copy of it in the repository.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use streamgate_server::openapi_json;

use crate::support::Service;

/// Set it to write the copy anew.
const REWRITE: &str = "STREAMGATE_REWRITE";

#[test]
fn the_copy_in_the_repository_is_what_the_code_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
    let current = openapi_json();
    if std::env::var_os(REWRITE).is_some() {
        fs::write(&path, &current).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == current,
        "openapi.json differs from the code; run this test with {REWRITE}=1"
    );
}

#[tokio::test]
async fn a_server_with_keys_asks_for_them_and_an_open_one_does_not() {
    let keyed = Service::keyed().get("/openapi.json").await.json();
    let open = Service::open().get("/openapi.json").await.json();
    assert_eq!(keyed["openapi"], "3.1.0");
    for (path, item) in keyed["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let security = &operation["security"];
            if path.starts_with("/v1/") {
                let either = json!([{"api_key": []}, {"bearer": []}]);
                assert_eq!(*security, either, "{method} {path}");
            } else {
                assert_eq!(*security, json!([{}]), "{method} {path}");
            }
            let same = &open["paths"][path][method];
            assert_eq!(same.get("security"), None, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn the_plans_are_those_of_the_server() {
    let document = Service::open().get("/openapi.json").await.json();
    let plan = &document["components"]["schemas"]["UserChange"]["properties"]["plan"];
    assert_eq!(plan["enum"], json!(["basic", "rolling", null]));
}

#[test]
fn every_problem_and_every_answer_is_described() {
    let document: Value = serde_json::from_str(&openapi_json()).unwrap();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            assert!(operation["summary"].is_string(), "{method} {path}");
            for (status, response) in operation["responses"].as_object().unwrap() {
                let what = format!("{method} {path} {status}");
                assert!(response["headers"]["x-request-id"].is_object(), "{what}");
                let content = response["content"].as_object();
                let media_type = content.and_then(|content| content.keys().next());
                match status.as_str() {
                    "204" => assert!(content.is_none(), "{what}"),
                    "200" | "201" => assert!(media_type.is_some(), "{what}"),
                    _ => assert_eq!(media_type.unwrap(), "application/problem+json", "{what}"),
                }
            }
        }
    }
}

#[test]
fn references_lead_somewhere() {
    let document: Value = serde_json::from_str(&openapi_json()).unwrap();
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
