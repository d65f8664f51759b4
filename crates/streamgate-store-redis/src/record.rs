//! The value of a key: 8 bytes of version, then the record. And the answers of scripts.

use redis::Value;
use streamgate_core::Timestamp;
use streamgate_store::versioned::{Loaded, Version};

use crate::reason::Reason;

/// The value to store.
pub(crate) fn join(version: Version, record: &[u8]) -> Vec<u8> {
    let mut value = Vec::with_capacity(Version::BYTES + record.len());
    value.extend_from_slice(version.as_bytes());
    value.extend_from_slice(record);
    value
}

/// Version and record; `None` if this value is not a store's.
pub(crate) fn split(value: Vec<u8>) -> Option<(Version, Vec<u8>)> {
    let mut value = value;
    let version = Version::from_bytes(value.get(..Version::BYTES)?)?;
    value.drain(..Version::BYTES);
    Some((version, value))
}

/// Reads `[value, seconds, microseconds]`, as both scripts answer.
pub(crate) fn loaded(answer: Value) -> Result<Loaded, Reason> {
    let (value, seconds, micros): (Option<Vec<u8>>, u64, u64) =
        redis::from_redis_value(answer).map_err(|error| Reason::transient(error.to_string()))?;
    let now = timestamp(seconds, micros).into();
    let Some(value) = value else {
        return Ok(Loaded {
            record: None,
            version: Version::NONE,
            now,
        });
    };
    let (version, record) =
        split(value).ok_or_else(|| Reason::damage("the key holds something else than a record"))?;
    Ok(Loaded {
        record: Some(record),
        version,
        now,
    })
}

/// Reads what the load script answers for the key of the format mark.
pub(crate) fn format_mark(answer: Value) -> Result<Option<u32>, String> {
    let (value, _, _): (Option<String>, u64, u64) =
        redis::from_redis_value(answer).map_err(|error| error.to_string())?;
    let number = |text: String| {
        let number = text.parse::<u32>();
        number.map_err(|_| "the format mark of the store is no number".to_owned())
    };
    value.map(number).transpose()
}

/// The time in a commit script's answer of success; `None` if the script did not ask for it.
pub(crate) fn time_of(done: i64) -> Option<Timestamp> {
    let ms = u64::try_from(done).ok().filter(|ms| *ms > 1)?;
    Some(Timestamp::from_millis(ms))
}

/// The answer to `TIME` in whole milliseconds.
pub(crate) fn timestamp(seconds: u64, micros: u64) -> Timestamp {
    let ms = seconds.saturating_mul(1_000).saturating_add(micros / 1_000);
    Timestamp::from_millis(ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_splits_into_the_version_and_record_it_was_joined_of() {
        let version = Version::fresh();
        for record in [&b""[..], b"x", &[0; 100]] {
            let value = join(version, record);
            assert_eq!(split(value), Some((version, record.to_vec())));
        }
        for foreign in [vec![], b"1234567".to_vec(), vec![0; 9]] {
            assert_eq!(split(foreign), None);
        }
    }

    #[test]
    fn answers_of_scripts() {
        let time = |ms: &str| Value::BulkString(ms.as_bytes().to_vec());
        let answer = |value| Value::Array(vec![value, time("12"), time("345678")]);
        let nothing = loaded(answer(Value::Nil)).unwrap();
        assert_eq!(nothing.record, None);
        assert_eq!(nothing.version, Version::NONE);
        assert_eq!(nothing.now.time.as_millis(), 12_345);
        let version = Version::fresh();
        let some = loaded(answer(Value::BulkString(join(version, b"r")))).unwrap();
        assert_eq!(some.record.as_deref(), Some(&b"r"[..]));
        assert_eq!(some.version, version);
        assert!(loaded(answer(Value::BulkString(b"x".to_vec()))).is_err());
        assert!(loaded(Value::Int(1)).is_err());
        let marked = |text: &[u8]| format_mark(answer(Value::BulkString(text.to_vec())));
        assert_eq!(format_mark(answer(Value::Nil)), Ok(None));
        assert_eq!(marked(b"2"), Ok(Some(2)));
        assert!(marked(b"new").is_err());
    }
}
