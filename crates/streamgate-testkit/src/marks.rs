//! Marked calls: every operation of an OpenAPI document, with recognisable text wherever a caller
//! may put a name or a secret. A log that must not name callers must not hold a mark.

use serde_json::{Map, Value, json};

/// The beginning of every text that names a user, a session, a device or a key.
pub const MARK: &str = "mk7qz";

/// The same where a number is asked for. No time, count or port has these digits.
pub const NUMBER_MARK: u64 = 7_318_462_905;

/// The marks of the whole path of an operation, of its query and of its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarkedCall {
    /// The method, in capitals.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// `content-type` and body; `None` without a body.
    pub body: Option<(&'static str, String)>,
}

/// The lines of a text that hold a mark.
pub fn marked_lines(text: &str) -> Vec<&str> {
    let number = NUMBER_MARK.to_string();
    text.lines()
        .filter(|line| line.contains(MARK) || line.contains(&number))
        .collect()
}

/// The calls of every operation of this document: good and bad ids, queries and bodies, and enough
/// starts of one user to reach its limit.
pub fn marked_calls(document: &Value) -> Vec<MarkedCall> {
    let mut calls = Vec::new();
    for (template, operations) in object(&document["paths"]) {
        for (method, operation) in object(operations) {
            let body = &operation["requestBody"]["content"]["application/json"]["schema"];
            let bodies = bodies(document, body);
            for path in paths(template) {
                calls.extend(bodies.iter().map(|body| MarkedCall {
                    method: method.to_uppercase(),
                    path: path.clone(),
                    body: body.clone(),
                }));
            }
        }
    }
    calls
}

/// The same of the document of a dialect, below this prefix.
pub fn marked_calls_below(prefix: &str, document: &Value) -> Vec<MarkedCall> {
    let below = |call: MarkedCall| match call.path.starts_with(prefix) {
        true => call,
        false => MarkedCall {
            path: format!("{prefix}{}", call.path),
            ..call
        },
    };
    marked_calls(document).into_iter().map(below).collect()
}

/// A path with its ids: several sessions of one user, ids that are numbers, ids that are refused,
/// and queries.
fn paths(template: &str) -> Vec<String> {
    let with = |id: &dyn Fn(&str) -> String| {
        let mut path = String::new();
        for (i, part) in template.split(['{', '}']).enumerate() {
            // Every second part is the name of a parameter.
            let part = if i % 2 == 1 {
                id(part)
            } else {
                part.to_owned()
            };
            path.push_str(&part);
        }
        path
    };
    let mut paths: Vec<String> = (0..5)
        .map(|i| {
            with(&|name: &str| match name.to_lowercase().contains("user") {
                true => format!("{MARK}-user"),
                false => format!("{MARK}-{name}-{i}"),
            })
        })
        .collect();
    paths.push(with(&|_: &str| NUMBER_MARK.to_string()));
    paths.push(with(&|_: &str| format!("{MARK}%zz")));
    paths.push(with(&|name: &str| format!("{MARK}{}", name.repeat(200))));
    let plain = paths[0].clone();
    for value in [format!("{MARK}-query"), NUMBER_MARK.to_string()] {
        let names = [
            "user_id",
            "session_id",
            "cursor",
            "page_size",
            "token",
            "name",
        ];
        let query: Vec<String> = names.iter().map(|it| format!("{it}={value}")).collect();
        paths.push(format!("{plain}?{}", query.join("&")));
    }
    paths.push(format!("{plain}/{MARK}-behind"));
    paths
}

/// No body, one that fits the schema, and some that do not.
fn bodies(document: &Value, schema: &Value) -> Vec<Option<(&'static str, String)>> {
    const JSON: &str = "application/json";
    let mut bodies = vec![None];
    if schema.is_null() {
        return bodies;
    }
    let whole = filled(document, schema, 0);
    let mut add = |kind, body: String| bodies.push(Some((kind, body)));
    add(JSON, whole.to_string());
    add("text/plain", whole.to_string());
    for (name, value) in object(&whole) {
        add(JSON, json!({ name: value }).to_string());
        add(JSON, json!({ name: { MARK: NUMBER_MARK } }).to_string());
        add(
            JSON,
            json!({ name: format!("{MARK}{}", "x".repeat(5_000)) }).to_string(),
        );
    }
    add(
        JSON,
        json!({ format!("{MARK}-unknown"): NUMBER_MARK }).to_string(),
    );
    add(JSON, format!("{{\"{MARK}\": "));
    add(JSON, json!([MARK]).to_string());
    add(
        JSON,
        json!({ "device_id": MARK.repeat(10_000) }).to_string(),
    );
    bodies
}

/// A value for this schema in which every text and every number is marked.
fn filled(document: &Value, schema: &Value, depth: usize) -> Value {
    if depth > 8 {
        return Value::Null;
    }
    if let Some(reference) = schema["$ref"].as_str() {
        let target = document.pointer(reference.trim_start_matches('#'));
        return filled(document, target.unwrap_or(&Value::Null), depth + 1);
    }
    for any in ["oneOf", "anyOf", "allOf"] {
        if let Some(first) = schema[any]
            .as_array()
            .and_then(|all| all.iter().find(|one| one["type"] != "null"))
        {
            return filled(document, first, depth + 1);
        }
    }
    let kind = match &schema["type"] {
        Value::Array(kinds) => kinds[0].as_str().unwrap_or_default(),
        kind => kind.as_str().unwrap_or_default(),
    };
    match kind {
        "object" => {
            let mut members: Map<String, Value> = object(&schema["properties"])
                .map(|(name, schema)| (name.clone(), filled(document, schema, depth + 1)))
                .collect();
            if members.is_empty() {
                members.insert(format!("{MARK}-name"), Value::from(format!("{MARK}-value")));
            }
            Value::Object(members)
        }
        "array" => json!([filled(document, &schema["items"], depth + 1)]),
        "integer" | "number" => Value::from(NUMBER_MARK),
        "boolean" => Value::from(true),
        _ => Value::from(format!("{MARK}-text")),
    }
}

fn object(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_is_called_with_marks_in_path_query_and_body() {
        let document = json!({
            "paths": { "/users/{user_id}/sessions/{session_id}": { "put": {
                "requestBody": { "content": { "application/json": {
                    "schema": { "$ref": "#/components/schemas/Start" } } } } } } },
            "components": { "schemas": { "Start": { "type": "object", "properties": {
                "device": { "type": ["string", "null"] },
                "weight": { "type": "integer" } } } } },
        });
        let calls = marked_calls(&document);
        let bodies: Vec<&String> = calls
            .iter()
            .filter_map(|it| Some(&it.body.as_ref()?.1))
            .collect();
        let whole = json!({ "device": "mk7qz-text", "weight": NUMBER_MARK }).to_string();
        assert!(bodies.contains(&&whole), "{bodies:?}");
        let path = "/users/mk7qz-user/sessions/mk7qz-session_id-4";
        assert!(calls.iter().any(|call| call.path == path), "{calls:?}");
        for call in &calls {
            assert_eq!((&*call.method, marked_lines(&call.path).len()), ("PUT", 1));
        }
        assert_eq!(marked_lines("a\nb mk7qz\nc 7318462905\n").len(), 2);
    }
}
