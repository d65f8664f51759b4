//! The fields of `INFO` that the probe reads.

use redis::Value;

/// Fields of `INFO`. Each is `None` where the server leaves it out, as some managed services do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Info {
    /// How much memory its data may take, in bytes; 0 for as much as there is.
    pub(crate) maxmemory: Option<u64>,
    /// The eviction policy once that is used up.
    pub(crate) maxmemory_policy: Option<String>,
    /// Keys that it has evicted since it started.
    pub(crate) evicted_keys: Option<u64>,
}

impl Info {
    /// Reads the sections of an answer; values that are not text are skipped.
    pub(super) fn read(sections: &[Value]) -> Self {
        let mut info = Self::default();
        for section in sections {
            let text: String = redis::from_redis_value_ref(section).unwrap_or_default();
            for (name, value) in text.lines().filter_map(|line| line.split_once(':')) {
                let value = value.trim();
                match name {
                    "maxmemory" => info.maxmemory = value.parse().ok(),
                    "maxmemory_policy" => info.maxmemory_policy = Some(value.to_owned()),
                    "evicted_keys" => info.evicted_keys = value.parse().ok(),
                    _ => {}
                }
            }
        }
        info
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_in_their_sections_and_missing_ones_are_none() {
        let section = |text: &str| Value::BulkString(text.as_bytes().to_vec());
        let memory = section("# Memory\r\nmaxmemory:1048576\r\nmaxmemory_policy:allkeys-lru\r\n");
        let info = Info::read(&[memory, section("# Stats\r\nevicted_keys:7\r\n")]);
        assert_eq!(info.maxmemory, Some(1_048_576));
        assert_eq!(info.maxmemory_policy.as_deref(), Some("allkeys-lru"));
        assert_eq!(info.evicted_keys, Some(7));
        assert_eq!(
            Info::read(&[Value::Nil, section("maxmemory:x")]),
            Info::default()
        );
    }
}
