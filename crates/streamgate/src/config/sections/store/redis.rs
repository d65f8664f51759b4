//! `[store.redis]`: settings of Redis and Valkey.

use std::time::Duration;

use streamgate_store_redis::RedisSettings;

use super::security;
use crate::config::reader::{Ask, Reader};

/// Longest time to wait for a server, in milliseconds.
const TIMEOUT_MAX_MS: u32 = 60_000;

/// Most replicas that a commit can wait for.
const REPLICAS_MAX: u32 = 16;

/// The settings that were in `[store]` before they had a section.
const WERE_IN_STORE: [&str; 11] = [
    "key_prefix",
    "connect_timeout_ms",
    "response_timeout_ms",
    "wait_replicas",
    "wait_timeout_ms",
    "allow_eviction",
    "tls_ca_file",
    "tls_cert_file",
    "tls_key_file",
    "sentinel_user",
    "sentinel_password",
];

const KEY_PREFIX: Ask = Ask(
    "key_prefix",
    "The prefix of every key, so that several installations can share a server.",
);
const CONNECT_TIMEOUT_MS: Ask = Ask(
    "connect_timeout_ms",
    "How long a connection may take to be made, in milliseconds.",
);
const RESPONSE_TIMEOUT_MS: Ask = Ask(
    "response_timeout_ms",
    "How long an answer may take, in milliseconds; below engine.deadline_ms, so that there is time \
     to find out whether a call was carried out whose answer was lost.",
);
const WAIT_REPLICAS: Ask = Ask(
    "wait_replicas",
    "How many replicas must have a change before it is acknowledged. More replicas lose less in a \
     failover, and cost a round trip. 0 for none.",
);
const WAIT_TIMEOUT_MS: Ask = Ask(
    "wait_timeout_ms",
    "How long a change may wait for these replicas, in milliseconds; below response_timeout_ms.",
);
const ALLOW_EVICTION: Ask = Ask(
    "allow_eviction",
    "Serve although servers may evict keys when their memory is full, or do not tell in INFO \
     whether they do. A user whose key is evicted starts from no sessions, so the limit does not \
     hold. Unless this is true, every primary must have maxmemory-policy noeviction, or no \
     maxmemory: otherwise the server does not start, and refuses with 503 while it runs.",
);

/// Names of the settings that are not shown whole and that differ.
pub(super) fn hidden_changes(old: &RedisSettings, new: &RedisSettings) -> Vec<&'static str> {
    let password = |of: &RedisSettings| of.sentinel_credentials.password.clone();
    let differs = [
        ("store.url", old.url != new.url),
        (
            "store.redis.sentinel_password",
            password(old) != password(new),
        ),
        (
            "store.redis.tls_ca_file",
            old.tls.authorities != new.tls.authorities,
        ),
        (
            "store.redis.tls_cert_file",
            old.tls.client != new.tls.client,
        ),
    ];
    let differs = differs.into_iter().filter(|(_, differs)| *differs);
    differs.map(|(name, _)| name).collect()
}

/// Reads the section. `url` is that of the servers, and empty for another store.
pub(super) fn read(reader: &mut Reader, url: &str) -> RedisSettings {
    reader.section(
        "[store.redis]",
        "How the Redis or Valkey servers of store.url are used. Of no effect with another store.",
    );
    for name in WERE_IN_STORE {
        reader.was_called(&format!("store.{name}"), name);
    }
    let default = RedisSettings::new(url);
    let key_prefix = reader.text(KEY_PREFIX, "text", Some(&default.key_prefix), |text| {
        let settings = RedisSettings {
            key_prefix: text.to_owned(),
            ..RedisSettings::new("redis://localhost")
        };
        settings.check().map_err(|error| error.to_string())
    });
    let range = 1..=TIMEOUT_MAX_MS;
    let connect_timeout = reader.millis(CONNECT_TIMEOUT_MS, default.connect_timeout, range.clone());
    let response_timeout = reader.millis(RESPONSE_TIMEOUT_MS, default.response_timeout, range);
    let wait_replicas = reader.whole(WAIT_REPLICAS, default.wait_replicas, 0..=REPLICAS_MAX);
    let below = u32::try_from(response_timeout.as_millis()).unwrap_or(u32::MAX) - 1;
    let wait = default
        .wait_timeout
        .min(Duration::from_millis(below.into()));
    RedisSettings {
        key_prefix: key_prefix.unwrap_or_default(),
        connect_timeout,
        response_timeout,
        wait_replicas,
        wait_timeout: reader.millis(WAIT_TIMEOUT_MS, wait, 1.min(below)..=below),
        allow_eviction: reader.flag(ALLOW_EVICTION, default.allow_eviction),
        tls: security::read_certificates(reader, &default),
        sentinel_credentials: security::read_sentinels(reader, &default),
        ..default
    }
}
