//! Commits one by one: what they leave in the table, and what a conflict tells.

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use streamgate_core::TenantId;
use streamgate_store::StoreError;
use streamgate_store::versioned::{Version, VersionedStore};
use streamgate_testkit::proxy::http::{Act, Proxy};

use crate::support::{
    TABLE, World, commit, config, connect, raw, read, taking_away, user, world, write, write_until,
};

#[tokio::test]
async fn a_commit_needs_exactly_the_expected_version() {
    let World {
        server: _server,
        store,
    } = world().await;
    let key = user("u");
    let (first, second) = (write(b"first"), write(b"second"));

    assert_eq!(read(&store, &key).await, (None, Version::NONE));
    // There is no record to replace yet.
    let conflict = commit(&store, &key, Version::fresh(), &first)
        .await
        .unwrap();
    assert_eq!(conflict, Err((None, Version::NONE)));

    assert_eq!(
        commit(&store, &key, Version::NONE, &first).await,
        Ok(Ok(()))
    );
    let kept = (Some(b"first".to_vec()), first.version);
    assert_eq!(read(&store, &key).await, kept);

    for wrong in [Version::NONE, Version::fresh(), second.version] {
        let conflict = commit(&store, &key, wrong, &second).await.unwrap();
        assert_eq!(conflict, Err(kept.clone()));
    }
    let done = commit(&store, &key, first.version, &second).await;
    assert_eq!(done, Ok(Ok(())));
    let kept = (Some(b"second".to_vec()), second.version);
    assert_eq!(read(&store, &key).await, kept);

    let conflict = commit(&store, &key, first.version, &taking_away()).await;
    assert_eq!(conflict, Ok(Err(kept)));
    let done = commit(&store, &key, second.version, &taking_away()).await;
    assert_eq!(done, Ok(Ok(())));
    assert_eq!(read(&store, &key).await, (None, Version::NONE));
    let gone = commit(&store, &key, second.version, &taking_away()).await;
    assert_eq!(gone, Ok(Err((None, Version::NONE))));
}

#[tokio::test]
async fn a_conflict_is_one_request_and_taking_nothing_away_is_none() {
    let World { server, store } = world().await;
    let key = user("u");
    let there = write(b"there");
    commit(&store, &key, Version::NONE, &there)
        .await
        .unwrap()
        .unwrap();

    let proxy = Proxy::before(&server.url(), |_| Act::Pass).await;
    let store = connect(&config(proxy.url())).await;
    let kept = Err((Some(b"there".to_vec()), there.version));
    for expected in [Version::NONE, Version::fresh()] {
        let conflict = commit(&store, &key, expected, &write(b"new")).await;
        assert_eq!(conflict, Ok(kept.clone()));
        assert_eq!(proxy.take_seen(), ["PutItem"]);
    }
    let conflict = commit(&store, &key, Version::fresh(), &taking_away()).await;
    assert_eq!(conflict, Ok(kept));
    assert_eq!(proxy.take_seen(), ["DeleteItem"]);

    let done = commit(&store, &user("nobody"), Version::NONE, &taking_away()).await;
    assert_eq!(done, Ok(Ok(())));
    assert!(proxy.take_seen().is_empty());
}

#[tokio::test]
async fn an_item_has_a_time_exactly_where_it_may_be_taken_away() {
    let World { server, store } = world().await;
    let client = raw(&server.url());
    let key = user("u");
    let mut expected = Version::NONE;
    let times = [
        (None, None),
        (Some(1_800_000_000_000), Some("1800000000")),
        (Some(1_800_000_000_001), Some("1800000001")),
        (Some(1_800_000_000_999), Some("1800000001")),
        // Long past, and read all the same.
        (Some(1), Some("1")),
        (None, None),
    ];
    for (garbage_at_ms, kept) in times {
        let write = match garbage_at_ms {
            Some(ms) => write_until(b"r", ms),
            None => write(b"r"),
        };
        commit(&store, &key, expected, &write)
            .await
            .unwrap()
            .unwrap();
        expected = write.version;
        assert_eq!(read(&store, &key).await, (Some(b"r".to_vec()), expected));

        let answer = client.scan().table_name(TABLE).send().await.unwrap();
        let [item] = answer.items() else {
            panic!("one item, not {:?}", answer.items())
        };
        assert_eq!(item["k"].as_b().unwrap().as_ref(), key.as_bytes());
        assert_eq!(item["v"].as_b().unwrap().as_ref(), expected.as_bytes());
        assert_eq!(item["r"].as_b().unwrap().as_ref(), b"r");
        let time = item.get("t").map(|time| time.as_n().unwrap().as_str());
        assert_eq!(time, kept);
        assert_eq!(item.len(), if kept.is_some() { 4 } else { 3 });
    }
}

#[tokio::test]
async fn a_record_that_no_item_can_hold_is_refused_before_it_is_sent() {
    let World { server, store } = world().await;
    let key = user("hotel");
    let fits = write(&vec![7; 400 * 1_024 - 200]);
    commit(&store, &key, Version::NONE, &fits)
        .await
        .unwrap()
        .unwrap();

    let proxy = Proxy::before(&server.url(), |_| Act::Pass).await;
    let store = connect(&config(proxy.url())).await;
    let too_large = write(&vec![7; 400 * 1_024]);
    let refused = commit(&store, &key, fits.version, &too_large).await;
    let Err(StoreError::TooLarge(why)) = refused else {
        panic!("{refused:?}")
    };
    assert!(why.contains("409600 bytes") && why.contains(TABLE), "{why}");
    assert!(proxy.take_seen().is_empty());
    assert_eq!(read(&store, &key).await.1, fits.version);
}

#[tokio::test]
async fn an_item_of_something_else_is_neither_read_nor_overwritten() {
    let World { server, store } = world().await;
    let key = user("u");
    let foreign = raw(&server.url())
        .put_item()
        .table_name(TABLE)
        .item("k", AttributeValue::B(Blob::new(key.as_bytes())))
        .item("v", AttributeValue::S("1".to_owned()))
        .send();
    foreign.await.unwrap();
    let answers = [
        store.load(&key).await.map(|_| ()),
        commit(&store, &key, Version::NONE, &write(b"r"))
            .await
            .map(|_| ()),
    ];
    for answer in answers {
        let Err(StoreError::Damaged(why)) = answer else {
            panic!("{answer:?}")
        };
        assert!(why.contains("something else"), "{why}");
    }
    let page = store.scan(&TenantId::default_tenant(), None, 10).await;
    assert_eq!(
        page.unwrap().records,
        [(key, Vec::new())],
        "a list counts it"
    );
}
