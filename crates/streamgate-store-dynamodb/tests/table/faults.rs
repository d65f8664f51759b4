//! What the store answers when DynamoDB refuses, hangs, or loses an answer.

use std::sync::Arc;
use std::time::Duration;

use streamgate_store::StoreError;
use streamgate_store::versioned::{NotUsable, RemoteStore, Version, VersionedStore};
use streamgate_store_dynamodb::DynamoDbConfig;
use streamgate_testkit::free_port;
use streamgate_testkit::proxy::http::{Act, Proxy, Request, first};
use tokio::task::JoinSet;

use crate::support::{
    REGION, TABLE, World, commit, config, connect, hasty, read, taking_away, user, world, write,
};

/// The deadline that an engine has by default.
const DEADLINE: Duration = Duration::from_secs(5);

/// The reason of a refusal that names its table and region, and no secret.
fn unavailable<T: std::fmt::Debug>(answer: Result<T, StoreError>) -> String {
    let Err(StoreError::Unavailable(why)) = answer else {
        panic!("{answer:?}")
    };
    check_words(&why);
    why
}

fn unknown<T: std::fmt::Debug>(answer: Result<T, StoreError>) -> String {
    let Err(StoreError::OutcomeUnknown(why)) = answer else {
        panic!("{answer:?}")
    };
    check_words(&why);
    why
}

fn check_words(why: &str) {
    assert!(why.contains(TABLE) && why.contains(REGION), "{why}");
    assert!(
        !why.contains("do-not-tell") && !why.contains("AKID"),
        "{why}"
    );
}

#[tokio::test]
async fn throttling_that_passes_is_not_noticed() {
    let World {
        server,
        store: _store,
    } = world().await;
    let codes = [
        "ThrottlingException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
    ];
    for (i, code) in codes.into_iter().enumerate() {
        for operation in ["PutItem", "GetItem"] {
            let plan = first(3, operation, Act::refuse(code));
            let proxy = Proxy::before(&server.url(), plan).await;
            let store = connect(&config(proxy.url())).await;
            let key = user(&format!("{operation}{i}"));
            commit(&store, &key, Version::NONE, &write(b"r"))
                .await
                .unwrap()
                .unwrap();
            assert_eq!(read(&store, &key).await.0, Some(b"r".to_vec()));
            // Three refusals, and the two that were asked for.
            assert_eq!(proxy.take_seen().len(), 5);
        }
    }
}

/// A quota of repetitions that all calls shared would be used up by a third of these.
#[tokio::test]
async fn throttling_of_many_calls_takes_no_repetition_from_any() {
    let World {
        server,
        store: _store,
    } = world().await;
    let plan = |request: &Request| match request.head.contains("attempt=3;") {
        true => Act::Pass,
        false => Act::refuse("ProvisionedThroughputExceededException"),
    };
    let proxy = Proxy::before(&server.url(), plan).await;
    let store = Arc::new(connect(&config(proxy.url())).await);
    let mut loads = JoinSet::new();
    for i in 0..300 {
        let store = Arc::clone(&store);
        loads.spawn(async move { store.load(&user(&format!("u{i}"))).await });
    }
    for loaded in loads.join_all().await {
        loaded.unwrap();
    }
    assert_eq!(proxy.take_seen().len(), 900);
}

#[tokio::test]
async fn throttling_without_end_is_unavailable_before_the_deadline() {
    let World {
        server,
        store: _store,
    } = world().await;
    let refusal = Act::refuse("ThrottlingException");
    let proxy = Proxy::before(&server.url(), move |_| refusal.clone()).await;
    let store = connect(&config(proxy.url())).await;
    let key = user("u");
    let calls = async {
        let write = write(b"r");
        let (loaded, committed) = tokio::join!(
            store.load(&key),
            commit(&store, &key, Version::NONE, &write),
        );
        [unavailable(loaded), unavailable(committed)]
    };
    let whys = tokio::time::timeout(DEADLINE, calls).await.unwrap();
    for why in whys {
        assert!(why.contains("throttled (ThrottlingException)"), "{why}");
    }
    assert_eq!(proxy.take_seen().len(), 12, "six attempts each");
}

#[tokio::test]
async fn a_lost_answer_is_found_to_be_done_by_the_repetition() {
    let World {
        server,
        store: _store,
    } = world().await;
    for (i, act) in [Act::LoseAnswer, Act::Hang].into_iter().enumerate() {
        let proxy = Proxy::before(&server.url(), first(2, "PutItem", act)).await;
        let store = connect(&hasty(proxy.url())).await;
        let key = user(&format!("u{i}"));
        let new = write(b"new");
        commit(&store, &key, Version::NONE, &new)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(proxy.take_seen(), ["PutItem"; 3]);
        assert_eq!(
            read(&store, &key).await,
            (Some(b"new".to_vec()), new.version)
        );
    }
}

#[tokio::test]
async fn an_answer_that_stays_lost_is_an_unknown_outcome() {
    let World {
        server,
        store: direct,
    } = world().await;
    let acts = [
        (Act::LoseAnswer, true),
        (Act::Hang, true),
        (Act::LoseRequest, false),
        (
            Act::Answer(500, r#"{"__type":"InternalServerError"}"#.to_owned()),
            false,
        ),
        (Act::Answer(503, String::new()), false),
        (Act::Answer(200, "}{".to_owned()), false),
    ];
    for (i, (act, is_done)) in acts.into_iter().enumerate() {
        let proxy = Proxy::before(&server.url(), move |_| act.clone()).await;
        let store = connect(&DynamoDbConfig {
            attempts: 2,
            ..hasty(proxy.url())
        })
        .await;
        let key = user(&format!("u{i}"));
        let new = write(b"new");
        unknown(commit(&store, &key, Version::NONE, &new).await);
        assert_eq!(read(&direct, &key).await.0.is_some(), is_done, "act {i}");
        // Nothing can have come of a load.
        unavailable(store.load(&key).await);
    }
}

/// The repetition alone would look like a refusal that changed nothing.
#[tokio::test]
async fn a_refusal_after_a_lost_answer_is_an_unknown_outcome() {
    let World {
        server,
        store: direct,
    } = world().await;
    let refusals = ["ThrottlingException", "AccessDeniedException"];
    for (i, code) in refusals.into_iter().enumerate() {
        let mut first = Some(Act::LoseAnswer);
        let plan = move |_: &Request| first.take().unwrap_or_else(|| Act::refuse(code));
        let proxy = Proxy::before(&server.url(), plan).await;
        let store = connect(&config(proxy.url())).await;
        let key = user(&format!("u{i}"));
        let why = unknown(commit(&store, &key, Version::NONE, &write(b"new")).await);
        assert!(why.contains(code), "{why}");
        assert_eq!(read(&direct, &key).await.0, Some(b"new".to_vec()));
    }
}

#[tokio::test]
async fn a_record_that_others_changed_after_a_lost_answer_is_an_unknown_outcome() {
    let World {
        server,
        store: direct,
    } = world().await;
    let key = user("u");
    let (old, new) = (write(b"old"), write(b"new"));
    commit(&direct, &key, Version::NONE, &old)
        .await
        .unwrap()
        .unwrap();
    // The first attempt is done and its answer never comes; others change the record before the
    // second.
    let proxy = Proxy::before(&server.url(), first(1, "PutItem", Act::Hang)).await;
    let store = connect(&DynamoDbConfig {
        attempt_timeout: Duration::from_secs(2),
        ..config(proxy.url())
    })
    .await;
    let others = async {
        while read(&direct, &key).await.1 != new.version {
            tokio::task::yield_now().await;
        }
        commit(&direct, &key, new.version, &write(b"other"))
            .await
            .unwrap()
            .unwrap();
    };
    let (answer, ()) = tokio::join!(commit(&store, &key, old.version, &new), others);
    unknown(answer);
    assert_eq!(read(&direct, &key).await.0, Some(b"other".to_vec()));
}

#[tokio::test]
async fn a_deletion_whose_answer_was_lost_is_an_unknown_outcome() {
    let World {
        server,
        store: direct,
    } = world().await;
    let key = user("u");
    let old = write(b"old");
    commit(&direct, &key, Version::NONE, &old)
        .await
        .unwrap()
        .unwrap();
    let proxy = Proxy::before(&server.url(), first(1, "DeleteItem", Act::LoseAnswer)).await;
    let store = connect(&config(proxy.url())).await;
    unknown(commit(&store, &key, old.version, &taking_away()).await);
    assert_eq!(read(&direct, &key).await, (None, Version::NONE));
}

#[tokio::test]
async fn a_server_that_is_not_there_changed_nothing() {
    let key = user("u");
    let store = connect(&config(&format!("http://127.0.0.1:{}", free_port()))).await;
    let whys = [
        unavailable(store.load(&key).await),
        unavailable(commit(&store, &key, Version::NONE, &write(b"r")).await),
        unavailable(commit(&store, &key, Version::fresh(), &taking_away()).await),
        unavailable(store.check_ready().await),
    ];
    for why in whys {
        assert!(why.contains("onnection refused"), "{why}");
    }
    let store = connect(&config("http://no-such-host.invalid:8000")).await;
    unavailable(commit(&store, &key, Version::NONE, &write(b"r")).await);
}

#[tokio::test]
async fn a_refusal_says_what_and_changed_nothing() {
    let World { server, store } = world().await;
    store.check_ready().await.unwrap();
    let elsewhere = DynamoDbConfig {
        table: "streamgate-test-not".to_owned(),
        ..config(&server.url())
    };
    let elsewhere = connect(&elsewhere).await;
    let key = user("u");
    let answers = [
        elsewhere.check_ready().await,
        elsewhere.load(&key).await.map(|_| ()),
        commit(&elsewhere, &key, Version::NONE, &write(b"r"))
            .await
            .map(|_| ()),
    ];
    for answer in answers {
        let why = unavailable(answer);
        assert!(
            why.contains("no such table") && why.contains("-not`"),
            "{why}"
        );
    }
    for code in [
        "AccessDeniedException",
        "UnrecognizedClientException",
        "ValidationException",
    ] {
        let proxy = Proxy::before(&server.url(), move |_| Act::refuse(code)).await;
        let store = connect(&config(proxy.url())).await;
        for answer in [
            store.check_ready().await,
            commit(&store, &key, Version::NONE, &write(b"r"))
                .await
                .map(|_| ()),
        ] {
            let why = unavailable(answer);
            assert!(why.contains(code), "{why}");
        }
    }
}

/// A permanent refusal is told from a transient failure.
#[tokio::test]
async fn a_store_that_is_refused_is_told_from_one_that_is_away() {
    let World { server, store } = world().await;
    store.prove().await.unwrap();
    let elsewhere = DynamoDbConfig {
        table: "streamgate-test-not".to_owned(),
        ..config(&server.url())
    };
    let error = connect(&elsewhere).await.prove().await.unwrap_err();
    assert!(matches!(error, NotUsable::Refused(_)), "{error}");
    for (act, is_refused) in [
        (Act::refuse("AccessDeniedException"), true),
        (Act::refuse("UnrecognizedClientException"), true),
        (Act::refuse("ThrottlingException"), false),
        (Act::LoseRequest, false),
        (Act::Answer(503, String::new()), false),
        (Act::Answer(404, "no backend".to_owned()), false),
    ] {
        let proxy = Proxy::alone(move |_| act.clone()).await;
        let store = connect(&DynamoDbConfig {
            attempts: 2,
            ..config(proxy.url())
        })
        .await;
        let error = store.prove().await.unwrap_err();
        let refused = matches!(error, NotUsable::Refused(_));
        assert_eq!(refused, is_refused, "{error}");
    }
    let nobody = config(&format!("http://127.0.0.1:{}", free_port()));
    let error = connect(&nobody).await.prove().await.unwrap_err();
    assert!(matches!(error, NotUsable::Unavailable(_)), "{error}");
}

#[tokio::test]
async fn each_permission_that_is_missing_makes_the_store_not_ready() {
    let World { server, store } = world().await;
    for operation in ["GetItem", "PutItem", "DeleteItem"] {
        let plan = first(1, operation, Act::refuse("AccessDeniedException"));
        let proxy = Proxy::before(&server.url(), plan).await;
        let store = connect(&config(proxy.url())).await;
        let why = unavailable(store.check_ready().await);
        assert!(why.contains("AccessDenied"), "{why}");
        store.check_ready().await.unwrap();
    }
    let page = store
        .scan(&streamgate_core::TenantId::default_tenant(), None, 10)
        .await;
    assert!(
        page.unwrap().records.is_empty(),
        "asking leaves nothing behind"
    );
}

/// What a signature error says repeats what was signed, the session token among it.
#[tokio::test]
async fn words_about_a_wrong_signature_are_not_repeated() {
    let body =
        r#"{"__type":"InvalidSignatureException","message":"x-amz-security-token:do-not-tell"}"#;
    let proxy = Proxy::alone(move |_| Act::Answer(400, body.to_owned())).await;
    let store = connect(&config(proxy.url())).await;
    let why = unavailable(store.check_ready().await);
    assert!(why.contains("InvalidSignatureException"), "{why}");
}
