//! A DynamoDB table, in builds with the feature `dynamodb`. The SDK takes longer to build than all
//! the rest, so it is not in every build.
//!
//! What is *not* here: how records are kept (`streamgate-store-dynamodb`).

#[cfg(not(feature = "dynamodb"))]
#[path = "absent.rs"]
mod table;
#[cfg(feature = "dynamodb")]
#[path = "present.rs"]
mod table;

pub(crate) use table::{create_table, start};
