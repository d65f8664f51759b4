//! The OpenAPI documents of the dialects, and the copies of them in the repository.

use serde_json::{Value, json};
use streamgate_server::{
    CompatSettings, DialectName, OpenApiVersion, ServerSettings, openapi_json,
};
use streamgate_testkit::generated::assert_generated;
use streamgate_testkit::repository;

use crate::support::{Service, keys};

fn document(name: DialectName) -> Value {
    serde_json::from_str(&openapi_json(Some(name), OpenApiVersion::V3_1)).unwrap()
}

/// The operations of a document: method, path, operation.
fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let paths = document["paths"].as_object().unwrap();
    paths
        .iter()
        .flat_map(|(path, item)| {
            let item = item.as_object().unwrap();
            item.iter()
                .map(move |(method, operation)| (method.clone(), path.clone(), operation.clone()))
        })
        .collect()
}

#[test]
fn the_copies_in_the_repository_are_what_the_code_says() {
    let dir = repository("crates/streamgate-server/openapi");
    for name in DialectName::ALL {
        let path = dir.join(format!("{}.json", name.as_str()));
        assert_generated(path, &openapi_json(Some(name), OpenApiVersion::V3_1));
    }
}

#[test]
fn every_call_and_every_answer_is_described() {
    for name in DialectName::ALL {
        let document = document(name);
        let about = document["info"]["description"].as_str().unwrap();
        assert!(!about.is_empty(), "{name:?}");
        let operations = operations(&document);
        assert!(!operations.is_empty(), "{name:?}");
        for (method, path, operation) in operations {
            let at = format!("{name:?} {method} {path}");
            assert!(operation["summary"].is_string(), "{at}");
            for (status, response) in operation["responses"].as_object().unwrap() {
                let description = response["description"].as_str().unwrap();
                assert!(!description.is_empty(), "{at} {status}");
                assert!(
                    response["headers"]["x-request-id"].is_object(),
                    "{at} {status}"
                );
            }
        }
    }
}

/// What any call may be answered, and what any body may.
#[test]
fn every_call_says_how_it_refuses() {
    for name in DialectName::ALL {
        for (method, path, operation) in operations(&document(name)) {
            if path == "/" {
                continue;
            }
            let says = |status: &str| operation["responses"].get(status).is_some();
            let at = format!("{name:?} {method} {path}");
            assert!(says("401") || says("403"), "no key: {at}");
            assert!(says("429"), "too many requests: {at}");
            assert!(says("500") || says("502"), "a fault of the server: {at}");
            let has_body = operation.get("requestBody").is_some();
            assert_eq!(says("408"), has_body, "a body that does not come: {at}");
            assert_eq!(says("413"), has_body, "a body that is too large: {at}");
            assert_eq!(says("415"), has_body, "a body that is compressed: {at}");
        }
    }
}

/// Everything that a document refers to.
fn references(value: &Value) -> Vec<&str> {
    match value {
        Value::Object(members) => members
            .iter()
            .flat_map(|(name, member)| match member {
                Value::String(text) if name == "$ref" => vec![text.as_str()],
                _ => references(member),
            })
            .collect(),
        Value::Array(items) => items.iter().flat_map(references).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn what_a_document_refers_to_is_in_it() {
    for name in DialectName::ALL {
        let document = document(name);
        let references = references(&document);
        assert!(!references.is_empty(), "{name:?}");
        for reference in references {
            let at = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(at).is_some(), "{name:?}: {reference}");
        }
    }
}

#[test]
fn every_call_says_which_credentials_it_takes() {
    for name in DialectName::ALL {
        for (method, path, operation) in operations(&document(name)) {
            let either = match operation["x-streamgate-scope"].as_str() {
                None => json!([{}]),
                Some("viewer") => {
                    json!([{"api_key": []}, {"bearer": []}, {"viewer_token": []}, {}])
                }
                Some(_) => json!([{"api_key": []}, {"bearer": []}, {}]),
            };
            assert_eq!(operation["security"], either, "{name:?} {method} {path}");
        }
    }
}

/// Whatever the settings: clients are generated from it.
#[tokio::test]
async fn each_is_served_as_it_is_printed_and_the_explorer_lists_it() {
    for settings in [
        ServerSettings::default(),
        ServerSettings {
            keys: keys(),
            compat: CompatSettings {
                require_key: false,
                root: Some(DialectName::StreamRequests),
                ..CompatSettings::default()
            },
            ..ServerSettings::default()
        },
    ] {
        let service = Service::with(settings);
        let explorer = service.get("/docs/explorer.js").await.text();
        for name in DialectName::ALL {
            let at = format!("/compat/{}", name.as_str());
            let served = service.get(&format!("{at}/openapi.json")).await;
            assert_eq!(served.status, 200);
            assert_eq!(
                served.text(),
                openapi_json(Some(name), OpenApiVersion::V3_1)
            );
            assert_eq!(served.json()["servers"], json!([{ "url": at }]));
            let listed = format!("\"{at}/openapi.json\"");
            assert!(explorer.contains(&listed), "{explorer}");
        }
    }
}

/// The refusal is a text under the media type of JSON. A client that is generated from a schema
/// would take it for JSON, and fail.
#[test]
fn the_text_of_concurrency_service_has_no_schema() {
    let document = document(DialectName::ConcurrencyService);
    let path = "/{stage}/startSession/userId/{userId}/sessionId/{sessionId}";
    let refusal = &document["paths"][path]["get"]["responses"]["400"];
    assert_eq!(refusal["content"], json!({ "application/json": {} }));
    let about = refusal["description"].as_str().unwrap();
    assert!(about.contains("bare text"), "{about}");
}

#[test]
fn a_stream_has_one_type_whether_it_is_told_or_sent() {
    let document = document(DialectName::StreamLog);
    let of = |schema: &str| {
        let stream = &document["components"]["schemas"][schema]["properties"]["streamId"];
        let text = stream.to_string();
        assert!(text.contains("#/components/schemas/SessionId"), "{text}");
    };
    of("Started");
    of("Watched");
}
