//! What the documents must say for generated clients to be typed: names that are unique, unions that
//! can be told apart, null only where it means something, and formats of times and durations.
//!
//! What is *not* here: clients that are generated and used (the binary's `tests/promises/`).

use std::collections::BTreeSet;

use serde_json::{Value, json};
use streamgate_server::{DialectName, OpenApiVersion, openapi_json};

use crate::support::operations::operations;

/// Every document as it is served, with its name.
fn documents() -> Vec<(&'static str, Value)> {
    documents_in(OpenApiVersion::V3_1)
}

/// Every document in this version, with its name.
fn documents_in(version: OpenApiVersion) -> Vec<(&'static str, Value)> {
    let dialects = DialectName::ALL.into_iter().map(Some);
    let of = |name: Option<DialectName>| {
        let text = openapi_json(name, version);
        let name = name.map_or("v1", DialectName::as_str);
        (name, serde_json::from_str(&text).unwrap())
    };
    [None].into_iter().chain(dialects).map(of).collect()
}

/// Calls `found` with the place of each object within a part of a document.
fn each_object<'a>(part: &'a Value, at: &str, found: &mut impl FnMut(&str, &'a Value)) {
    match part {
        Value::Object(members) => {
            found(at, part);
            for (name, member) in members {
                each_object(member, &format!("{at}/{name}"), found);
            }
        }
        Value::Array(items) => {
            for item in items {
                each_object(item, at, found);
            }
        }
        _ => {}
    }
}

#[test]
fn operation_ids_are_unique_in_a_document() {
    let mut seen = BTreeSet::new();
    for operation in operations() {
        let id = operation.about["operationId"].as_str().unwrap();
        let is_plain = id
            .chars()
            .all(|letter| letter.is_ascii_lowercase() || letter == '_');
        assert!(is_plain, "{operation}: {id}");
        assert!(
            seen.insert((operation.dialect, id.to_owned())),
            "{operation}: {id}"
        );
    }
}

/// The refusal is one of several problems, each with a constant code. OpenAPI 3.0 has no `const`,
/// and a discriminator there leaves out alternatives that are not bare references.
#[test]
fn a_union_of_problems_has_a_discriminator() {
    for version in [OpenApiVersion::V3_1, OpenApiVersion::V3_0] {
        let mut unions = 0;
        for (name, document) in documents_in(version) {
            let schemas = &document["components"]["schemas"];
            each_object(schemas, name, &mut |at, schema| {
                let Some(alternatives) = schema["oneOf"].as_array() else {
                    return;
                };
                let codes: Vec<Option<&str>> = alternatives
                    .iter()
                    .map(|alternative| constant_code(&document, alternative))
                    .collect();
                let discriminator = &schema["discriminator"];
                if discriminator.is_null() && codes.iter().all(Option::is_none) {
                    return;
                }
                unions += 1;
                let at = format!("{at} in {version:?}");
                assert_eq!(discriminator["propertyName"], "code", "{at}");
                let mapping = discriminator["mapping"].as_object().unwrap();
                assert_eq!(mapping.len(), alternatives.len(), "{at}");
                for (alternative, code) in alternatives.iter().zip(&codes) {
                    let code = code.unwrap_or_else(|| panic!("{at}: {alternative}"));
                    assert_eq!(mapping[code], alternative["$ref"], "{at}");
                    if version == OpenApiVersion::V3_0 {
                        assert_eq!(*alternative, json!({ "$ref": mapping[code] }), "{at}");
                    }
                }
            });
        }
        assert!(unions > 0, "the refusal of a start is one");
    }
}

/// The constant code of the problem that an alternative refers to.
fn constant_code<'a>(document: &'a Value, alternative: &Value) -> Option<&'a str> {
    let target = alternative["$ref"].as_str()?;
    let code = &document.pointer(&target[1..])?["properties"]["code"];
    code["const"].as_str().or_else(|| code["enum"][0].as_str())
}

#[test]
fn null_is_only_where_it_means_something() {
    let mut nullable = BTreeSet::new();
    for (name, document) in documents() {
        each_object(
            &document["components"]["schemas"],
            name,
            &mut |at, schema| {
                let is_null = |kind: &Value| kind == "null";
                let in_type = schema["type"]
                    .as_array()
                    .is_some_and(|kinds| kinds.iter().any(is_null));
                let in_union = schema["oneOf"].as_array().is_some_and(|alternatives| {
                    alternatives
                        .iter()
                        .any(|alternative| alternative["type"] == "null")
                });
                if in_type || in_union {
                    nullable.insert(at.to_owned());
                }
            },
        );
    }
    let expected = [
        // As the original answered.
        "stream-requests/Offline/properties/lastOnline",
        "stream-requests/User/properties/Name",
        "stream-requests/User/properties/Subscription",
        // The end of a list.
        "v1/SessionsPage/properties/next_cursor",
        "v1/UserSessions/properties/next_cursor",
        "v1/UsersPage/properties/next_cursor",
        // No plan; and in a change null clears.
        "v1/User/properties/plan",
        "v1/UserChange/properties/limit",
        "v1/UserChange/properties/plan",
        "v1/UserChange/properties/profile",
        // No default; settings of the operator; a store without trouble.
        "v1/SettingAnswer/properties/default",
        "v1/NodeAnswer/properties/settings",
        "v1/StoreAnswer/properties/detail",
        "v1/UserSetEvent/properties/limit",
        "v1/UserSetEvent/properties/plan",
        // Nobody knows how many.
        "v1/GapEvent/properties/missed",
    ];
    // Where the node did not run, or does not know.
    let series = [
        "EndedSeries/properties/evicted",
        "EndedSeries/properties/expired",
        "EndedSeries/properties/revoked",
        "EndedSeries/properties/stopped",
        "EndedSeries/properties/terminated",
        "Stats/properties/heartbeats",
        "Stats/properties/live_sessions",
        "Stats/properties/p50_ms",
        "Stats/properties/p99_ms",
        "Stats/properties/refusals",
        "Stats/properties/starts",
        "Stats/properties/watching_users",
    ];
    let series = series.map(|name| format!("v1/{name}/items"));
    let expected = expected.map(str::to_owned).into_iter().chain(series);
    assert_eq!(nullable, expected.collect());
}

/// In our own document; dialects have the words of the systems that they stand for.
#[test]
fn times_and_durations_are_typed_and_say_their_unit() {
    let (_, document) = documents().swap_remove(0);
    let schemas = &document["components"]["schemas"];
    let (mut times, mut durations) = (0, 0);
    each_object(schemas, "", &mut |at, schema| {
        let Some(members) = schema["properties"].as_object() else {
            return;
        };
        for (name, member) in members {
            let mut member = member.clone();
            if let Some(target) = member["oneOf"][0]["$ref"]
                .as_str()
                .or(member["$ref"].as_str())
            {
                member = document.pointer(&target[1..]).unwrap().clone();
            }
            if name.ends_with("_at") {
                assert_eq!(member["format"], "date-time", "{at} {name}");
                times += 1;
            }
            if name.ends_with("_s") {
                assert_eq!(member["type"], "integer", "{at} {name}");
                assert!(member["minimum"].is_number(), "{at} {name}");
                durations += 1;
            }
            let is_vague = name.contains("duration") || name.ends_with("interval");
            assert!(!is_vague, "{at} {name}: the unit belongs into the name");
        }
    });
    assert!(times > 5 && durations > 1, "{times} {durations}");
    assert_eq!(schemas["Time"]["type"], json!("string"));
}
