//! The format mark of a table: absent, of a known version, of a newer one, and no number.

use std::sync::Arc;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use streamgate_core::TenantId;
use streamgate_core::codec::{NEWEST, OLDEST};
use streamgate_store::conformance::a_newer_format_is_refused;
use streamgate_store::versioned::{NewerFormat, Optimistic, Version, VersionedStore};
use streamgate_store::{Store, StoreError};

use crate::support::{commit, config, connect, raw, server_with_table, user, write};

const MARK: &[u8] = b"\0format";

/// Writes the mark as another node would.
async fn mark(client: &Client, value: AttributeValue) {
    client
        .put_item()
        .table_name(crate::support::TABLE)
        .item("k", AttributeValue::B(Blob::new(MARK)))
        .item("f", value)
        .send()
        .await
        .unwrap();
}

fn number(format: u32) -> AttributeValue {
    AttributeValue::N(format.to_string())
}

#[tokio::test]
async fn a_format_mark_is_read_and_is_no_record() {
    let server = server_with_table().await;
    let (store, client) = (connect(&config(&server.url())).await, raw(&server.url()));
    assert_eq!(store.format_mark().await, Ok(None));
    for format in [1, 2, 7] {
        mark(&client, number(format)).await;
        assert_eq!(store.format_mark().await, Ok(Some(format)));
    }
    let done = commit(&store, &user("u"), Version::NONE, &write(b"r")).await;
    assert_eq!(done, Ok(Ok(())));
    let tenant = TenantId::default_tenant();
    let page = store.scan(&tenant, None, 100).await.unwrap();
    assert_eq!(page.records, [(user("u"), b"r".to_vec())]);
}

#[tokio::test]
async fn a_format_mark_that_is_no_number_is_an_error() {
    let server = server_with_table().await;
    let store = connect(&config(&server.url())).await;
    for wrong in [
        AttributeValue::S("2".to_owned()),
        AttributeValue::N("-1".to_owned()),
        AttributeValue::N("1.5".to_owned()),
    ] {
        mark(&raw(&server.url()), wrong.clone()).await;
        let read = store.format_mark().await;
        assert!(
            matches!(read, Err(StoreError::Unavailable(_))),
            "{wrong:?}: {read:?}"
        );
    }
}

#[tokio::test]
async fn a_table_that_is_marked_for_a_newer_format_is_refused_until_the_mark_is_gone() {
    let server = server_with_table().await;
    let client = raw(&server.url());
    let store = Optimistic::new(connect(&config(&server.url())).await);
    let newest = u32::from(NEWEST);
    mark(&client, number(newest)).await;
    assert_eq!(store.look_at_format().await, Ok(Ok(())));
    let found = newest + 1;
    mark(&client, number(found)).await;
    assert_eq!(store.look_at_format().await, Ok(Err(NewerFormat { found })));
    let store = Arc::new(store);
    let opened: Result<Arc<dyn Store>, StoreError> = Ok(Arc::clone(&store) as Arc<_>);
    a_newer_format_is_refused(opened).await;
    let started = Optimistic::start(connect(&config(&server.url())).await, OLDEST).await;
    a_newer_format_is_refused(started.map(|it| it.store as Arc<dyn Store>)).await;
    mark(&client, number(newest)).await;
    assert_eq!(store.look_at_format().await, Ok(Ok(())));
    assert_eq!(store.check_ready().await, Ok(()));
}

#[tokio::test]
async fn a_format_mark_is_raised_and_never_lowered() {
    let server = server_with_table().await;
    let store = connect(&config(&server.url())).await;
    for (raise_to, mark) in [(2, 2), (7, 7), (2, 7), (7, 7)] {
        assert_eq!(store.raise_format_mark(raise_to).await, Ok(mark));
        assert_eq!(store.format_mark().await, Ok(Some(mark)));
    }
}

#[tokio::test]
async fn an_item_that_is_no_format_mark_is_not_raised() {
    let server = server_with_table().await;
    let store = connect(&config(&server.url())).await;
    mark(&raw(&server.url()), AttributeValue::S("2".to_owned())).await;
    let raised = store.raise_format_mark(2).await;
    assert!(
        matches!(raised, Err(StoreError::Unavailable(_))),
        "{raised:?}"
    );
}
