//! SessionMetadata and attributes: their bounds, and errors that name the entry.

use std::collections::BTreeMap;

use crate::support::{all_metadata, attributes, name};
use streamgate_core::ids::TextError;
use streamgate_core::metadata::AttributesError;
use streamgate_core::{Attributes, SessionMetadata};

fn one(key: &str, value: &str) -> Result<Attributes, AttributesError> {
    Attributes::new(BTreeMap::from([(key.into(), value.into())]))
}

fn many(count: usize) -> Result<Attributes, AttributesError> {
    let entries = (0..count).map(|i| (format!("k{i}").into(), "v".into()));
    Attributes::new(entries.collect())
}

#[test]
fn there_are_at_most_16_entries() {
    for count in [0, 1, 16] {
        assert_eq!(many(count).map(|entries| entries.len()), Ok(count));
    }
    for count in [17, 1_000] {
        assert_eq!(many(count), Err(AttributesError::TooMany(count)));
    }
    let error = AttributesError::TooMany(17);
    assert_eq!(error.to_string(), "must have at most 16 entries, has 17");
}

#[test]
fn a_key_has_1_to_64_bytes() {
    let refused = |key: &str, error| {
        let key = key.to_owned();
        assert_eq!(one(&key, "v"), Err(AttributesError::Key { key, error }));
    };
    refused("", TextError::Empty);
    refused(&"k".repeat(65), TextError::TooLong { max: 64, len: 65 });
    refused("a\u{85}", TextError::Control);
    for key in ["k".to_owned(), "k".repeat(64), "é".repeat(32)] {
        let entries = one(&key, "v");
        assert_eq!(entries.as_ref().map(|e| e.get(&key)), Ok(Some("v")));
    }
}

#[test]
fn a_value_has_0_to_256_bytes() {
    let refused = |value: &str, error| {
        let key = "note".to_owned();
        assert_eq!(one(&key, value), Err(AttributesError::Value { key, error }));
    };
    refused(&"v".repeat(257), TextError::TooLong { max: 256, len: 257 });
    refused("\0", TextError::Control);
    refused("line\nbreak", TextError::Control);
    for value in [String::new(), "v".repeat(256), "📺".repeat(64)] {
        let entries = one("note", &value);
        assert_eq!(entries.as_ref().map(|e| e.get("note")), Ok(Some(&*value)));
    }
}

#[test]
fn an_error_names_the_entry() {
    let entries = BTreeMap::from([("a".into(), "ok".into()), ("b".into(), "no\u{7f}".into())]);
    let error = Attributes::new(entries).expect_err("b is wrong");
    assert_eq!(
        error.to_string(),
        "value of \"b\" must not contain control characters"
    );
    let error = one("", "v").expect_err("the key is empty");
    assert_eq!(error.to_string(), "key \"\" must not be empty");
}

#[test]
fn entries_are_in_the_order_of_their_keys() {
    let entries = attributes(&[("b", "2"), ("a", "1"), ("c", "")]);
    let listed: Vec<(&str, &str)> = entries.iter().collect();
    assert_eq!(listed, [("a", "1"), ("b", "2"), ("c", "")]);
    assert_eq!(entries.get("d"), None);
    assert!(!entries.is_empty());
    assert!(Attributes::default().is_empty());
}

#[test]
fn metadata_is_empty_only_without_any_field() {
    assert!(SessionMetadata::default().is_empty());
    assert!(!all_metadata().is_empty());
    let only: [fn(&mut SessionMetadata); 7] = [
        |metadata| metadata.device_id = Some(name("x")),
        |metadata| metadata.device_name = Some(name("x")),
        |metadata| metadata.device_class = Some(name("x")),
        |metadata| metadata.content_id = Some(name("x")),
        |metadata| metadata.content_type = Some(name("x")),
        |metadata| metadata.region = Some(name("x")),
        |metadata| metadata.attributes = attributes(&[("k", "")]),
    ];
    for give in only {
        let mut metadata = SessionMetadata::default();
        give(&mut metadata);
        assert!(!metadata.is_empty(), "{metadata:?}");
    }
}
