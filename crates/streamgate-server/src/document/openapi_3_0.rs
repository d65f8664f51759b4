//! The document in OpenAPI 3.0.3, for generators that read nothing newer.
//!
//! Version 3.1 uses JSON Schema, 3.0 a variant of it. What 3.0 cannot express is left out or made
//! looser, so that every response still matches.

use serde_json::{Map, Value, json};
use utoipa::openapi::OpenApi;

/// Members that contain data instead of a schema.
const DATA: [&str; 4] = ["example", "examples", "enum", "default"];

/// The document as OpenAPI 3.0.3.
pub(super) fn of(document: &OpenApi) -> Value {
    let mut document = serde_json::to_value(document).expect("the document has text as keys");
    document["openapi"] = json!("3.0.3");
    if let Some(license) = document["info"]["license"].as_object_mut() {
        license.remove("identifier");
    }
    rewrite(&mut document);
    document
}

/// Rewrites every schema in this part of the document, depth first.
fn rewrite(part: &mut Value) {
    match part {
        Value::Array(items) => items.iter_mut().for_each(rewrite),
        Value::Object(members) => {
            keep_bare_references(members);
            for (name, member) in members.iter_mut() {
                match (name.as_str(), member) {
                    // Its keys are names of members, even where they look like keywords.
                    ("properties", Value::Object(properties)) => {
                        properties.values_mut().for_each(rewrite);
                    }
                    (name, _) if DATA.contains(&name) => {}
                    (_, member) => rewrite(member),
                }
            }
            rewrite_members(members);
        }
        _ => {}
    }
}

/// Rewrites the keywords of one schema. Other objects have none of them.
fn rewrite_members(members: &mut Map<String, Value>) {
    members.remove("propertyNames");
    if let Some(constant) = members.remove("const") {
        members.insert("enum".to_owned(), json!([constant]));
    }
    // A list belongs to a schema. A map belongs to a media type, and 3.0 has it, too.
    if let Some(Value::Array(examples)) = members.get_mut("examples") {
        let first = (!examples.is_empty()).then(|| examples.swap_remove(0));
        members.remove("examples");
        if let Some(first) = first {
            members.entry("example").or_insert(first);
        }
    }
    let mut is_nullable = false;
    if let Some(Value::Array(kinds)) = members.get_mut("type") {
        let all = kinds.len();
        kinds.retain(|kind| kind != "null");
        is_nullable = kinds.len() < all;
        if kinds.len() == 1 {
            let kind = kinds.swap_remove(0);
            members.insert("type".to_owned(), kind);
        }
    }
    is_nullable |= without_null(members);
    // 3.0 ignores the siblings of a reference.
    if (members.len() > 1 || is_nullable)
        && let Some(reference) = members.remove("$ref")
    {
        members.insert("allOf".to_owned(), json!([{ "$ref": reference }]));
    }
    if is_nullable {
        members.insert("nullable".to_owned(), json!(true));
    }
}

/// Takes everything but the references from alternatives that a discriminator tells apart. 3.0
/// ignores inline schemas there, and a reference with a description would become one.
fn keep_bare_references(members: &mut Map<String, Value>) {
    if !members.contains_key("discriminator") {
        return;
    }
    let alternatives = members.get_mut("oneOf").and_then(Value::as_array_mut);
    for alternative in alternatives.into_iter().flatten() {
        if let Value::Object(alternative) = alternative
            && alternative.contains_key("$ref")
        {
            alternative.retain(|name, _| name == "$ref");
        }
    }
}

/// Removes null from the alternatives; whether it was one of them.
fn without_null(members: &mut Map<String, Value>) -> bool {
    let Some(Value::Array(alternatives)) = members.get_mut("oneOf") else {
        return false;
    };
    let all = alternatives.len();
    alternatives.retain(|alternative| alternative["type"] != "null");
    let was_there = alternatives.len() < all;
    if was_there && alternatives.len() == 1 {
        let only = alternatives.swap_remove(0);
        members.remove("oneOf");
        if let Value::Object(only) = only {
            members.extend(only);
        }
    }
    was_there
}
