//! Stores over an emulator of DynamoDB, and what tests ask of them.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{BehaviorVersion, Region};
use streamgate_core::{TenantId, Timestamp, UserId, UserKey};
use streamgate_store::StoreError;
use streamgate_store::versioned::{Committed, Version, VersionedStore, Write};
use streamgate_store_dynamodb::{Credentials, DynamoDbConfig, DynamoDbStore, create_table};
use streamgate_testkit::{Process, dynoxide};

pub(crate) const TABLE: &str = "streamgate-test";
pub(crate) const REGION: &str = "eu-west-1";

/// A server with a table, and a store over it.
pub(crate) struct World {
    pub(crate) server: Process,
    pub(crate) store: Arc<DynamoDbStore>,
}

pub(crate) async fn world() -> World {
    let server = server_with_table().await;
    let store = Arc::new(connect(&config(&server.url())).await);
    World { server, store }
}

pub(crate) async fn server_with_table() -> Process {
    let server = dynoxide();
    create_table(&config(&server.url())).await.expect("a table");
    server
}

pub(crate) fn config(url: &str) -> DynamoDbConfig {
    DynamoDbConfig {
        region: Some(REGION.to_owned()),
        endpoint: Some(url.to_owned()),
        credentials: Some(credentials()),
        // Of a machine with two cores that runs everything at once.
        connect_timeout: Duration::from_secs(10),
        attempt_timeout: Duration::from_secs(10),
        ..DynamoDbConfig::new(TABLE)
    }
}

/// As [`config`], but lost answers are noticed soon.
pub(crate) fn hasty(url: &str) -> DynamoDbConfig {
    DynamoDbConfig {
        attempt_timeout: Duration::from_millis(500),
        ..config(url)
    }
}

pub(crate) fn credentials() -> Credentials {
    Credentials::new("AKIDTEST", "do-not-tell", None, None, "test")
}

pub(crate) async fn connect(config: &DynamoDbConfig) -> DynamoDbStore {
    DynamoDbStore::connect(config).await.expect("a store")
}

/// The SDK's own client, to look behind the store's back.
pub(crate) fn raw(url: &str) -> Client {
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new(REGION))
        .credentials_provider(credentials())
        .endpoint_url(url);
    Client::from_conf(config.build())
}

pub(crate) fn user(name: &str) -> UserKey {
    UserKey::new(&TenantId::default_tenant(), &UserId::new(name).unwrap())
}

pub(crate) fn write(record: &[u8]) -> Write {
    Write {
        record: Some(record.to_vec()),
        version: Version::fresh(),
        garbage_at: None,
        decided_at: None,
        needs_room: true,
        notice: Vec::new(),
    }
}

pub(crate) fn write_until(record: &[u8], garbage_at_ms: u64) -> Write {
    Write {
        garbage_at: Some(Timestamp::from_millis(garbage_at_ms)),
        ..write(record)
    }
}

pub(crate) fn taking_away() -> Write {
    Write {
        record: None,
        ..write(&[])
    }
}

/// Commits and says which record is there instead, if it is another.
pub(crate) async fn commit(
    store: &DynamoDbStore,
    key: &UserKey,
    expected: Version,
    write: &Write,
) -> Result<Result<(), (Option<Vec<u8>>, Version)>, StoreError> {
    Ok(match store.commit(key, expected, write).await? {
        Committed::Done => Ok(()),
        Committed::Conflict(current) => Err((current.record, current.version)),
    })
}

/// The record and its version.
pub(crate) async fn read(store: &DynamoDbStore, key: &UserKey) -> (Option<Vec<u8>>, Version) {
    let loaded = store.load(key).await.expect("a record or none");
    (loaded.record, loaded.version)
}
