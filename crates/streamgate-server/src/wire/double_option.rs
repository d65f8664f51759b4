//! Members of a body that tell absent, null and a value apart.

use serde::{Deserialize, Deserializer};

/// Deserializes a member that is present: null is `Some(None)`. Used with `#[serde(default)]`,
/// which makes an absent member `None`.
pub(crate) fn double_option<'de, T, D>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    Option::deserialize(deserializer).map(Some)
}
