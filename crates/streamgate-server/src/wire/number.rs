//! Numbers of JSON bodies.

use std::ops::RangeInclusive;

use serde_json::Number;
use streamgate_core::bounds::whole;

/// The whole number that a number is; `4.0` is 4.
///
/// # Errors
/// What it must be.
pub(crate) fn whole_of(number: &Number, bounds: RangeInclusive<u32>) -> Result<u32, String> {
    let (least, most) = (*bounds.start(), *bounds.end());
    let value = number.as_f64().unwrap_or(f64::NAN);
    whole(value, bounds)
        .ok_or_else(|| format!("must be a whole number from {least} to {most}, is {number}"))
}
