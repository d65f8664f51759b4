//! Members of a body that are absent, null or set, which are three different things.

use serde::{Deserialize, Deserializer};

/// Reads a member that is there: `Some(None)` for null. Beside `#[serde(default)]`, which makes an
/// absent member `None`.
pub(crate) fn double_option<'de, T, D>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    Option::deserialize(deserializer).map(Some)
}
