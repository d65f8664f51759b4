//! Schemas as clients need them that are generated: sets of words that may grow, and problems of one
//! code as types of their own.

use serde_json::{Value, json};
use utoipa::PartialSchema as _;
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::schema::{Object, ObjectBuilder, Schema, SchemaType, Type};
use utoipa::openapi::{Components, RefOr};

use crate::problem::{Code, Problem};

/// Makes texts of the enums, with what they can be in words. A client that is generated from an enum
/// fails on a value that a later version adds.
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

/// Writes each problem that has members of its own as one object, with the code and the status that
/// it always has: so a client can tell by `code` which it is.
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
        if let Some(mut own) = own {
            own.description = own.description.or_else(|| parts.description.clone());
            *schema = problem_of(code, own).into();
        }
    }
}

/// The code of the problem that has this name: `LimitReached` is `limit_reached`.
fn code_of(schema: &str) -> Option<Code> {
    let same = |code: &&Code| code.as_str().replace('_', "").eq_ignore_ascii_case(schema);
    Code::ALL.iter().find(same).copied()
}

/// A problem of this code, with members of its own.
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

/// A value that is always the same.
fn constant(kind: Type, value: Value) -> Object {
    ObjectBuilder::new()
        .schema_type(SchemaType::new(kind))
        .extensions(Some(Extensions::from_iter([("const", value)])))
        .build()
}
