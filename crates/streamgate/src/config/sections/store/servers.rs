//! What only stores on servers take.

use std::time::Duration;

use streamgate_store_redis::RedisSettings;

use super::security;
use crate::config::reader::{Ask, Reader};
use crate::config::value::quoted;

/// Longest time to wait for a server, in milliseconds.
const TIMEOUT_MAX_MS: u32 = 60_000;

/// Most replicas that a commit can wait for.
const REPLICAS_MAX: u32 = 16;

/// Reads what Redis and Valkey take. The URL is read elsewhere, and empty for another store.
pub(super) fn read_redis(reader: &mut Reader, url: &str) -> RedisSettings {
    let default = RedisSettings::new(url);
    let key_prefix = Ask(
        "key_prefix",
        "Redis: what every key begins with, so that several installations can share a server.",
    );
    let connect_timeout_ms = Ask(
        "connect_timeout_ms",
        "Redis: how long a connection may take to be made, in milliseconds.",
    );
    let response_timeout_ms = Ask(
        "response_timeout_ms",
        "Redis: how long an answer may take, in milliseconds; below engine.deadline_ms, so that a \
         lost answer can be found out in time.",
    );
    let wait_replicas = Ask(
        "wait_replicas",
        "Redis: how many replicas must have a change before it is acknowledged; each narrows what a \
         failover can lose, and costs a round trip. 0 for none.",
    );
    let wait_timeout_ms = Ask(
        "wait_timeout_ms",
        "Redis: how long a change may wait for them, in milliseconds; below response_timeout_ms.",
    );
    let text = |text: &String| quoted(text);
    let key_prefix = reader
        .read(
            key_prefix,
            "text".to_owned(),
            Some(default.key_prefix.clone()),
            text,
            |value| {
                let settings = RedisSettings {
                    key_prefix: value.text()?.to_owned(),
                    ..RedisSettings::new("redis://localhost")
                };
                settings.check().map_err(|error| error.to_string())?;
                Ok(settings.key_prefix)
            },
        )
        .unwrap_or_else(|| default.key_prefix.clone());
    let connect_timeout = millis(
        reader,
        connect_timeout_ms,
        default.connect_timeout,
        TIMEOUT_MAX_MS,
    );
    let response_timeout = millis(
        reader,
        response_timeout_ms,
        default.response_timeout,
        TIMEOUT_MAX_MS,
    );
    let wait_replicas = reader.whole(wait_replicas, default.wait_replicas, 0..=REPLICAS_MAX);
    let below = u32::try_from(response_timeout.as_millis()).unwrap_or(u32::MAX) - 1;
    let wait = default
        .wait_timeout
        .min(Duration::from_millis(below.into()));
    RedisSettings {
        key_prefix,
        connect_timeout,
        response_timeout,
        wait_replicas,
        wait_timeout: millis(reader, wait_timeout_ms, wait, below),
        allow_eviction: read_allow_eviction(reader, default.allow_eviction),
        tls: security::read_certificates(reader, &default),
        sentinel_credentials: security::read_sentinels(reader, &default),
        ..default
    }
}

fn read_allow_eviction(reader: &mut Reader, default: bool) -> bool {
    let allow_eviction = Ask(
        "allow_eviction",
        "Redis: serve although servers may evict keys when their memory is full, or do not tell in INFO \
         whether they do. A user whose key is evicted starts from no sessions, so the limit does not hold. \
         Unless this is true, every primary must have maxmemory-policy noeviction, or no maxmemory: \
         otherwise the server does not start, and refuses with 503 while it runs.",
    );
    reader.flag(allow_eviction, default)
}

/// Reads what DynamoDB takes: region and endpoint.
pub(super) fn read_dynamodb(reader: &mut Reader) -> (Option<String>, Option<String>) {
    let region = Ask(
        "region",
        "DynamoDB: the region. Unless set, it is found the AWS way: AWS_REGION, REGION, the profile, the \
         role. So are credentials.",
    );
    let endpoint = Ask(
        "endpoint",
        "DynamoDB: the URL of another endpoint, such as an emulator's.",
    );
    let mut text = |ask| {
        let show = |text: &String| quoted(text);
        let read = reader.read(ask, "text".to_owned(), Some(String::new()), show, |value| {
            Ok(value.text()?.to_owned())
        });
        read.filter(|text| !text.is_empty())
    };
    (text(region), text(endpoint))
}

fn millis(reader: &mut Reader, ask: Ask, default: Duration, max: u32) -> Duration {
    let default = u32::try_from(default.as_millis()).unwrap_or(u32::MAX);
    Duration::from_millis(reader.whole(ask, default, 1.min(max)..=max).into())
}
