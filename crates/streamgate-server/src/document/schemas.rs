//! Schemas for generated clients: enums that can grow, and a type for each problem with members of
//! its own.

use serde_json::{Value, json};
use utoipa::PartialSchema as _;
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::schema::{Object, ObjectBuilder, Schema, SchemaType, Type};
use utoipa::openapi::{Components, RefOr};

use crate::problem::{Code, Problem};

/// Turns enums into text with a description that lists the values. A client generated from an enum
/// would fail on a value that a later version adds.
pub(super) fn open_enums(components: &mut Components) {
    for schema in components.schemas.values_mut() {
        let RefOr::T(Schema::Object(object)) = schema else {
            continue;
        };
        let Some(values) = object.enum_values.take() else {
            continue;
        };
        let words: Vec<String> = values
            .iter()
            .filter_map(Value::as_str)
            .map(|word| format!("`{word}`"))
            .collect();
        let about = object.description.take().unwrap_or_default();
        object.description = Some(format!(
            "{about}\n\nOne of {}. A later version may add others.",
            words.join(", ")
        ));
        object.extensions = Some(Extensions::from_iter([("x-extensible-enum", values)]));
    }
}

/// Flattens each problem with members of its own into one object whose code and status are
/// constant, so that a client can discriminate by `code`.
pub(super) fn flatten_problems(components: &mut Components) {
    for (name, schema) in &mut components.schemas {
        let RefOr::T(Schema::AllOf(parts)) = schema else {
            continue;
        };
        let Some(code) = code_of(name) else {
            continue;
        };
        let own = parts.items.iter().find_map(|part| match part {
            RefOr::T(Schema::Object(object)) => Some(object.clone()),
            _ => None,
        });
        let mut own = own.unwrap_or_default();
        own.description = own.description.or_else(|| parts.description.clone());
        *schema = problem_of(code, own).into();
    }
}

/// The code of the problem that has this name: `LimitReached` is `limit_reached`.
fn code_of(schema: &str) -> Option<Code> {
    let same = |code: &&Code| code.as_str().replace('_', "").eq_ignore_ascii_case(schema);
    Code::ALL.iter().find(same).copied()
}

/// The schema of the problem of this code, with these members of its own.
fn problem_of(code: Code, own: Object) -> Object {
    let RefOr::T(Schema::Object(mut problem)) = Problem::schema() else {
        unreachable!("a problem is an object");
    };
    // Of `invalid_request` only.
    problem.properties.remove("errors");
    let status = code.status().as_u16();
    for (member, constant) in [
        ("code", constant(Type::String, json!(code.as_str()))),
        ("status", constant(Type::Integer, json!(status))),
    ] {
        problem
            .properties
            .insert(member.to_owned(), constant.into());
    }
    problem.properties.extend(own.properties);
    problem.required.extend(own.required);
    problem.description = own.description;
    problem
}

/// The schema of a constant.
fn constant(kind: Type, value: Value) -> Object {
    ObjectBuilder::new()
        .schema_type(SchemaType::new(kind))
        .extensions(Some(Extensions::from_iter([("const", value)])))
        .build()
}
