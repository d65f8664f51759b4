//! What plays and what is played: optional metadata about a session. No decision depends on them
//! but one: a start that names a live session of another device is refused.

use std::collections::BTreeMap;

use crate::bounds::{ATTRIBUTE_KEY_MAX_BYTES, ATTRIBUTE_VALUE_MAX_BYTES, ATTRIBUTES_MAX};
use crate::codec::OLDEST;
use crate::ids::{Name, TextError, check_optional_text, check_text};

/// Optional metadata about a session; decisions read the device only.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SessionMetadata {
    /// The device that plays.
    pub device_id: Option<Name>,
    /// What its owner calls the device.
    pub device_name: Option<Name>,
    /// What kind of device it is: `tv`, `phone`.
    pub device_class: Option<Name>,
    /// What is played.
    pub content_id: Option<Name>,
    /// What kind of content it is: `live`, `episode`.
    pub content_type: Option<Name>,
    /// Where it plays, as the caller names it: `eu-west`.
    pub region: Option<Name>,
    /// Whatever else the caller wants to see again.
    pub attributes: Attributes,
}

/// One of the names in [`SessionMetadata`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct NameField {
    /// Its value.
    pub(crate) get: fn(&SessionMetadata) -> &Option<Name>,
    /// Where its value is.
    pub(crate) get_mut: fn(&mut SessionMetadata) -> &mut Option<Name>,
    /// Its bit in the stored flags. Bit 5 is that of the attributes.
    pub(crate) flag: u8,
    /// The first version of records that holds it.
    pub(crate) since: u8,
}

/// The line of one field in [`NAME_FIELDS`].
macro_rules! name_field {
    ($field:ident, bit $bit:literal, since $since:literal) => {
        NameField {
            get: |metadata| &metadata.$field,
            get_mut: |metadata| &mut metadata.$field,
            flag: 1 << $bit,
            since: $since,
        }
    };
}

/// The names in [`SessionMetadata`], in the order in which they are stored.
pub(crate) const NAME_FIELDS: [NameField; 6] = [
    name_field!(device_id, bit 0, since 1),
    name_field!(device_name, bit 1, since 1),
    name_field!(device_class, bit 2, since 1),
    name_field!(content_id, bit 3, since 1),
    name_field!(content_type, bit 4, since 1),
    name_field!(region, bit 6, since 2),
];

impl SessionMetadata {
    /// The lowest version of records ([`crate::codec`]) that holds this metadata.
    #[must_use]
    pub fn format(&self) -> u8 {
        let given = NAME_FIELDS
            .iter()
            .filter(|field| (field.get)(self).is_some());
        given.map(|field| field.since).max().unwrap_or(OLDEST)
    }

    /// Takes away what records of this version do not hold.
    pub fn reduce_to(&mut self, format: u8) {
        for field in NAME_FIELDS.iter().filter(|field| field.since > format) {
            *(field.get_mut)(self) = None;
        }
    }

    /// The names that were given, in the order in which they are stored.
    pub fn names(&self) -> impl Iterator<Item = &Name> {
        (NAME_FIELDS.iter()).filter_map(|field| (field.get)(self).as_ref())
    }

    /// Whether the two name different devices. Metadata without a device names none.
    #[must_use]
    pub fn differ_in_device(one: Option<&Self>, other: Option<&Self>) -> bool {
        let (Some(one), Some(other)) = (one, other) else {
            return false;
        };
        match (&one.device_id, &other.device_id) {
            (Some(one), Some(other)) => one != other,
            _ => false,
        }
    }

    /// Whether nothing was given.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A small map of text to text, in the order of its keys: attributes of a session, a user's
/// profile.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Attributes(BTreeMap<Box<str>, Box<str>>);

/// Why a map is too large, or which entry of it is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AttributesError {
    /// There are too many entries.
    #[error("must have at most {ATTRIBUTES_MAX} entries, has {0}")]
    TooMany(usize),
    /// A key is wrong.
    #[error("key {key:?} {error}")]
    Key {
        /// The key.
        key: String,
        /// What is wrong with it.
        error: TextError,
    },
    /// The value of a key is wrong.
    #[error("value of {key:?} {error}")]
    Value {
        /// The key.
        key: String,
        /// What is wrong with its value.
        error: TextError,
    },
}

impl Attributes {
    /// Takes up to 16 entries: keys of 1 to 64 bytes, values of 0 to 256 bytes.
    ///
    /// # Errors
    /// [`AttributesError`] names the first entry that is wrong.
    pub fn new(entries: BTreeMap<Box<str>, Box<str>>) -> Result<Self, AttributesError> {
        if entries.len() > ATTRIBUTES_MAX {
            return Err(AttributesError::TooMany(entries.len()));
        }
        for (key, value) in &entries {
            check_text(key, ATTRIBUTE_KEY_MAX_BYTES).map_err(|error| AttributesError::Key {
                key: key.to_string(),
                error,
            })?;
            check_optional_text(value, ATTRIBUTE_VALUE_MAX_BYTES).map_err(|error| {
                AttributesError::Value {
                    key: key.to_string(),
                    error,
                }
            })?;
        }
        Ok(Self(entries))
    }

    /// Whether there is no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The entries in the order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (&**key, &**value))
    }

    /// The value of `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(|value| &**value)
    }
}
