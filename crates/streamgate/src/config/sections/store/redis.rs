//! `[store.redis]`: what only Redis and Valkey take.

use std::time::Duration;

use streamgate_store_redis::RedisSettings;

use super::security;
use crate::config::reader::{Ask, Reader};
use crate::config::value::{Value, quoted};

/// Longest time to wait for a server, in milliseconds.
const TIMEOUT_MAX_MS: u32 = 60_000;

/// Most replicas that a commit can wait for.
const REPLICAS_MAX: u32 = 16;

/// The settings that stood in `[store]` before they had a section.
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
    "What every key begins with, so that several installations can share a server.",
);
const CONNECT_TIMEOUT_MS: Ask = Ask(
    "connect_timeout_ms",
    "How long a connection may take to be made, in milliseconds.",
);
const RESPONSE_TIMEOUT_MS: Ask = Ask(
    "response_timeout_ms",
    "How long an answer may take, in milliseconds; below engine.deadline_ms, so that there is time \
     to find out what became of a call whose answer was lost.",
);
const WAIT_REPLICAS: Ask = Ask(
    "wait_replicas",
    "How many replicas must have a change before it is acknowledged. Each replica narrows what a \
     failover can lose, and costs a round trip. 0 for none.",
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
    let key_prefix = read_key_prefix(reader, &default.key_prefix);
    let connect_timeout = millis(
        reader,
        CONNECT_TIMEOUT_MS,
        default.connect_timeout,
        TIMEOUT_MAX_MS,
    );
    let response_timeout = millis(
        reader,
        RESPONSE_TIMEOUT_MS,
        default.response_timeout,
        TIMEOUT_MAX_MS,
    );
    let wait_replicas = reader.whole(WAIT_REPLICAS, default.wait_replicas, 0..=REPLICAS_MAX);
    let below = u32::try_from(response_timeout.as_millis()).unwrap_or(u32::MAX) - 1;
    let wait = default
        .wait_timeout
        .min(Duration::from_millis(below.into()));
    RedisSettings {
        key_prefix,
        connect_timeout,
        response_timeout,
        wait_replicas,
        wait_timeout: millis(reader, WAIT_TIMEOUT_MS, wait, below),
        allow_eviction: reader.flag(ALLOW_EVICTION, default.allow_eviction),
        tls: security::read_certificates(reader, &default),
        sentinel_credentials: security::read_sentinels(reader, &default),
        ..default
    }
}

fn read_key_prefix(reader: &mut Reader, default: &str) -> String {
    let decode = |value: &Value| {
        let settings = RedisSettings {
            key_prefix: value.text()?.to_owned(),
            ..RedisSettings::new("redis://localhost")
        };
        settings.check().map_err(|error| error.to_string())?;
        Ok(settings.key_prefix)
    };
    let show = |text: &String| quoted(text);
    let default = default.to_owned();
    reader
        .read(
            KEY_PREFIX,
            "text".to_owned(),
            Some(default.clone()),
            show,
            decode,
        )
        .unwrap_or(default)
}

fn millis(reader: &mut Reader, ask: Ask, default: Duration, max: u32) -> Duration {
    let default = u32::try_from(default.as_millis()).unwrap_or(u32::MAX);
    Duration::from_millis(reader.whole(ask, default, 1.min(max)..=max).into())
}
