//! Items: encoding and decoding.

use std::collections::HashMap;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use streamgate_core::{Timestamp, UserKey};
use streamgate_store::versioned::Version;

/// The partition key: the bytes of the user's key.
pub(crate) const KEY: &str = "k";
/// The version of the record.
pub(crate) const VERSION: &str = "v";
/// The record.
pub(crate) const RECORD: &str = "r";
/// When the record becomes garbage, in seconds since 1970: the table's TTL attribute.
pub(crate) const GARBAGE_AT: &str = "t";

/// The key of the format mark, which no user has, because no tenant's id is empty.
pub(crate) const FORMAT_KEY: &[u8] = b"\0format";
/// The newest version of records that may occur: a number, of the format mark only.
pub(crate) const FORMAT: &str = "f";

/// Largest item that DynamoDB keeps, in bytes: key, version, record, time, and the names of the
/// four.
pub const ITEM_MAX_BYTES: usize = 400 * 1_024;

/// What DynamoDB may count for everything of an item but its key and its record.
const OVERHEAD_MAX_BYTES: usize = 64;

pub(crate) type Item = HashMap<String, AttributeValue>;

pub(crate) fn binary(bytes: &[u8]) -> AttributeValue {
    AttributeValue::B(Blob::new(bytes))
}

/// Whether DynamoDB would refuse an item for its size.
pub(crate) fn is_too_large(key: &UserKey, record: &[u8]) -> bool {
    key.as_bytes().len() + record.len() + OVERHEAD_MAX_BYTES > ITEM_MAX_BYTES
}

/// The item of a record.
pub(crate) fn item(
    key: &[u8],
    version: Version,
    record: &[u8],
    garbage_at: Option<Timestamp>,
) -> Item {
    let mut item = HashMap::from([
        (KEY.to_owned(), binary(key)),
        (VERSION.to_owned(), binary(version.as_bytes())),
        (RECORD.to_owned(), binary(record)),
    ]);
    if let Some(garbage_at) = garbage_at {
        // Upwards, because a record must not go before its time.
        let seconds = garbage_at.as_millis().div_ceil(1_000);
        item.insert(
            GARBAGE_AT.to_owned(),
            AttributeValue::N(seconds.to_string()),
        );
    }
    item
}

/// The record of an item with its version; `None` where it is no item of ours.
pub(crate) fn record_of(item: &mut Item) -> Option<(Vec<u8>, Version)> {
    let version = item.get(VERSION)?.as_b().ok()?;
    let version = Version::from_bytes(version.as_ref())?;
    match item.remove(RECORD)? {
        AttributeValue::B(record) => Some((record.into_inner(), version)),
        _ => None,
    }
}

/// What an item says that is the format mark; `None` where it is none.
pub(crate) fn format_mark_of(item: &Item) -> Option<u32> {
    item.get(FORMAT)?.as_n().ok()?.parse().ok()
}

/// The item of the format mark.
pub(crate) fn format_mark(format: u8) -> Item {
    HashMap::from([
        (KEY.to_owned(), binary(FORMAT_KEY)),
        (FORMAT.to_owned(), AttributeValue::N(format.to_string())),
    ])
}

/// The key of a record's item; `None` where it is none of ours.
pub(crate) fn key_of(item: &Item) -> Option<UserKey> {
    UserKey::from_bytes(item.get(KEY)?.as_b().ok()?.as_ref())
}

/// The key at which a page of a scan ends; `None` where it is none of ours.
pub(crate) fn page_end_of(item: &Item) -> Option<&[u8]> {
    let key = item.get(KEY)?.as_b().ok()?.as_ref();
    may_end_page(key).then_some(key)
}

/// Whether a page of a scan may end at this key: a page counts the format mark, too.
pub(crate) fn may_end_page(key: &[u8]) -> bool {
    key == FORMAT_KEY || UserKey::from_bytes(key).is_some()
}
