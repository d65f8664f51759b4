//! A DynamoDB table, in builds with the feature `dynamodb`. The SDK takes longer to build than all
//! the rest, so it is not in every build.
//!
//! What is *not* here: how records are kept (`streamgate-store-dynamodb`).

#[cfg(not(feature = "dynamodb"))]
mod absent;
#[cfg(feature = "dynamodb")]
mod present;

#[cfg(not(feature = "dynamodb"))]
pub(crate) use absent::{create_table, start};
#[cfg(feature = "dynamodb")]
pub(crate) use present::{create_table, start};
