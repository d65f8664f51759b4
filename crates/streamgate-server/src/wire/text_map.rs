//! Maps of text to text in bodies: attributes of a session, a user's profile.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::json;
use streamgate_core::Attributes;
use streamgate_core::bounds::{ATTRIBUTE_KEY_MAX_BYTES, ATTRIBUTE_VALUE_MAX_BYTES, ATTRIBUTES_MAX};
use streamgate_core::metadata::AttributesError;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{AdditionalProperties, ObjectBuilder, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::schema::text;
use crate::problem::FieldErrors;

/// A map of text to text without duplicate keys.
#[derive(Debug, Default)]
pub(crate) struct TextMap(BTreeMap<Box<str>, Box<str>>);

impl TextMap {
    /// The map within the bounds of the core; otherwise `None`, and an error is added.
    pub(crate) fn check(self, field: &str, errors: &mut FieldErrors) -> Option<Attributes> {
        match Attributes::new(self.0) {
            Ok(attributes) => Some(attributes),
            Err(AttributesError::Value { key, error }) => {
                errors.add(format!("{field}.{key}"), error);
                None
            }
            Err(error) => {
                errors.add(field, error);
                None
            }
        }
    }
}

impl<'de> Deserialize<'de> for TextMap {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(TextMapVisitor)
    }
}

struct TextMapVisitor;

impl<'de> Visitor<'de> for TextMapVisitor {
    type Value = TextMap;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object of text")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<TextMap, A::Error> {
        let mut entries = BTreeMap::new();
        while let Some((key, value)) = map.next_entry::<Box<str>, Box<str>>()? {
            // Serde's maps silently keep the last of duplicates.
            if entries.insert(key, value).is_some() {
                return Err(A::Error::custom("a key is given twice"));
            }
        }
        Ok(TextMap(entries))
    }
}

impl PartialSchema for TextMap {
    fn schema() -> RefOr<Schema> {
        let value = text(0, ATTRIBUTE_VALUE_MAX_BYTES).build();
        ObjectBuilder::new()
            .description(Some(
                "Text to text. Lengths are bounded in bytes of UTF-8: 64 for a key, 256 for a \
                 value.",
            ))
            .max_properties(Some(ATTRIBUTES_MAX))
            .property_names(Some(text(1, ATTRIBUTE_KEY_MAX_BYTES).build()))
            .additional_properties(Some(AdditionalProperties::RefOr(value.into())))
            .examples([json!({"app": "web 4.2"})])
            .into()
    }
}

impl ToSchema for TextMap {}
