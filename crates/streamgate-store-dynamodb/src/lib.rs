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
//! | `t` | number | when the record becomes garbage, in seconds since 1970; absent if it stays |
//!
//! `t` is the table's TTL attribute. DynamoDB deletes such items within a few days; nothing here
//! relies on it. There is no index, because each heartbeat would be paid for twice.
//!
//! One item is not a record: the format mark, with the key `\0format` and the number `f`, the
//! newest version of records that may occur (1 if the item is missing).
//!
//! # Clocks
//!
//! DynamoDB has no clock to ask, so each node uses its own. The skew between them must stay within
//! [`CLOCK_SKEW_MAX_S`] (5 s), which NTP ensures; a policy for this store makes leases longer by as
//! much ([`Policy::clock_skew`]). With a larger skew a fast node would end leases before their
//! players call again. So each answer's `Date` is compared with the node's clock; while the skew is
//! too large, every call is refused. A clock that is set between two answers is noticed by the
//! monotonic clock before anything is decided by it.
//!
//! [`CLOCK_SKEW_MAX_S`]: streamgate_core::bounds::CLOCK_SKEW_MAX_S
//! [`Policy::clock_skew`]: streamgate_core::Policy::clock_skew
//!
//! # Answers that are lost
//!
//! The SDK retries a write whose answer was lost. If the retry finds the write's own version, the
//! write was done. If the retry is refused for another reason, the outcome is unknown, and that is
//! what the store answers, never a conflict.
//!
//! # Records that are too large
//!
//! DynamoDB keeps at most 400 KB an item ([`ITEM_MAX_BYTES`]). A larger record is refused
//! before it is sent.
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
pub use config::{ConfigError, DynamoDbConfig, region_from_env};
pub use create::{CreateTableError, Created, create_table};
pub use item::ITEM_MAX_BYTES;
pub use skew::ClockObserver;
pub use store::DynamoDbStore;
