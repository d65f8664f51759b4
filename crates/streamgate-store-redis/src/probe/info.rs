//! The fields of `INFO` that the probe reads.

use redis::{InfoDict, Value};

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
        let text = |section| redis::from_redis_value_ref::<String>(section).unwrap_or_default();
        let info = InfoDict::new(&sections.iter().map(text).collect::<String>());
        Self {
            maxmemory: info.get("maxmemory"),
            maxmemory_policy: info.get("maxmemory_policy"),
            evicted_keys: info.get("evicted_keys"),
        }
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
