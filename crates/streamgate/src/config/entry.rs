//! A value that somebody set, and where.

use std::collections::BTreeMap;

use super::path::KeyPath;
use super::problem::Origin;
use super::value::Value;

/// A value and where it came from.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// The value.
    pub(crate) value: Value,
    /// Its source.
    pub(crate) origin: Origin,
}

/// Values of one source, by their path.
pub(crate) type Entries = BTreeMap<KeyPath, Entry>;
