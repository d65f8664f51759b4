//! A versioned store over Amazon DynamoDB: one item a user, read strongly consistently and replaced
//! by conditional writes. [`Optimistic`] makes a store of it.
//!
//! # Items
//!
//! | attribute | type | what |
//! |---|---|---|
//! | `k` | binary | the partition key: the bytes of the user's key |
//! | `v` | binary | the version of the record, 8 bytes |
//! | `r` | binary | the record |
//! | `t` | number | from when on nobody needs it, in seconds since 1970; absent where it stays |
//!
//! `t` is the table's TTL attribute. DynamoDB takes such items away within a few days; nothing here
//! waits for that or relies on it. There is no index: each heartbeat would be paid for twice.
//!
//! One item is no record: with the key `\0format` and the number `f`, it is the format mark, the newest
//! version of records that may occur (1 where there is none).
//!
//! # Clocks
//!
//! DynamoDB has no clock to ask, so each node uses its own. They must be no more than
//! [`CLOCK_SKEW_MAX_S`] (5 s) apart, as any node with NTP keeps them; a policy for this store makes
//! leases longer by as much ([`Policy::clock_skew`]). Were they further apart, a fast node would
//! end leases before their players call again. So each answer's `Date` is compared with the node's
//! clock; while the two are further apart, every call is refused.
//!
//! [`CLOCK_SKEW_MAX_S`]: streamgate_core::bounds::CLOCK_SKEW_MAX_S
//! [`Policy::clock_skew`]: streamgate_core::Policy::clock_skew
//!
//! # Answers that are lost
//!
//! The SDK repeats a write whose answer was lost. Where the repetition finds the write's own
//! version, it was done. Where it is refused for another reason, nobody knows, and that is what is
//! answered: an unknown outcome, never a conflict.
//!
//! # Records that are too large
//!
//! DynamoDB keeps at most 400 KB an item ([`ITEM_MAX_BYTES`]). A larger record is refused as
//! unavailable before it is sent.
//!
//! What is *not* here: decisions, and what the bytes mean; settings, and the command line.
//!
//! [`Optimistic`]: streamgate_store::versioned::Optimistic

mod attempts;
mod commit;
mod config;
mod create;
mod failure;
mod item;
mod scan;
mod skew;
mod store;
mod table;

pub use aws_sdk_dynamodb::config::Credentials;
pub use config::{ConfigError, DynamoDbConfig};
pub use create::{CreateTableError, Created, create_table};
pub use item::ITEM_MAX_BYTES;
pub use store::{DynamoDbStore, NotUsable};
