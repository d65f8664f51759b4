//! Making the table: once, again, and where something else has its name.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
    TimeToLiveSpecification, TimeToLiveStatus,
};
use streamgate_store::versioned::VersionedStore;
use streamgate_store_dynamodb::{
    ConfigError, CreateTableError, Created, DynamoDbConfig, create_table,
};
use streamgate_testkit::dynoxide;
use streamgate_testkit::proxy::http::{Act, Proxy, first};

use crate::support::{REGION, TABLE, config, connect, raw};

/// Creates a foreign table with these keys.
async fn make_by_hand(client: &Client, keys: &[(&str, KeyType, ScalarAttributeType)]) {
    let mut call = client
        .create_table()
        .table_name(TABLE)
        .billing_mode(BillingMode::PayPerRequest);
    for (name, key_type, attribute_type) in keys {
        let attribute = AttributeDefinition::builder()
            .attribute_name(*name)
            .attribute_type(attribute_type.clone());
        let key = KeySchemaElement::builder()
            .attribute_name(*name)
            .key_type(key_type.clone());
        call = call
            .attribute_definitions(attribute.build().unwrap())
            .key_schema(key.build().unwrap());
    }
    call.send().await.unwrap();
}

async fn time_to_live(client: &Client) -> (Option<TimeToLiveStatus>, Option<String>) {
    let answer = client
        .describe_time_to_live()
        .table_name(TABLE)
        .send()
        .await;
    let found = answer.unwrap().time_to_live_description.unwrap();
    (found.time_to_live_status, found.attribute_name)
}

#[tokio::test]
async fn a_table_is_made_once_and_found_after_that() {
    let server = dynoxide();
    let config = config(&server.url());
    let client = raw(&server.url());
    assert_eq!(create_table(&config).await, Ok(Created::New));
    connect(&config).await.check_ready().await.unwrap();
    for _ in 0..2 {
        let on = (Some(TimeToLiveStatus::Enabled), Some("t".to_owned()));
        assert_eq!(time_to_live(&client).await, on);
        assert_eq!(create_table(&config).await, Ok(Created::AlreadyThere));
    }
    let answer = client
        .describe_table()
        .table_name(TABLE)
        .send()
        .await
        .unwrap();
    let table = answer.table.unwrap();
    let billing = table.billing_mode_summary().unwrap().billing_mode();
    assert_eq!(billing, Some(&BillingMode::PayPerRequest));
    assert!(table.global_secondary_indexes().is_empty());
}

#[tokio::test]
async fn create_table_may_run_many_times_at_once() {
    let server = dynoxide();
    let config = config(&server.url());
    let made = tokio::join!(
        create_table(&config),
        create_table(&config),
        create_table(&config)
    );
    let made = [made.0, made.1, made.2].map(Result::unwrap);
    let new = made.iter().filter(|created| **created == Created::New);
    assert_eq!(new.count(), 1, "{made:?}");
}

#[tokio::test]
async fn create_table_survives_a_lost_answer() {
    for operation in ["CreateTable", "UpdateTimeToLive", "DescribeTable"] {
        let server = dynoxide();
        let proxy = Proxy::before(&server.url(), first(1, operation, Act::LoseAnswer)).await;
        create_table(&config(proxy.url())).await.unwrap();
        let (_, attribute) = time_to_live(&raw(&server.url())).await;
        assert_eq!(attribute.as_deref(), Some("t"));
    }
}

#[tokio::test]
async fn a_table_that_is_still_being_made_is_waited_for() {
    let server = dynoxide();
    let body = r#"{"Table":{"TableName":"streamgate-test","TableStatus":"CREATING"}}"#;
    let creating = Act::Answer(200, body.to_owned());
    let proxy = Proxy::before(&server.url(), first(2, "DescribeTable", creating)).await;
    create_table(&config(proxy.url())).await.unwrap();
    let looked = proxy.take_seen();
    let looked = looked
        .iter()
        .filter(|operation| *operation == "DescribeTable");
    assert_eq!(looked.count(), 3);
}

#[tokio::test]
async fn a_table_made_by_hand_is_good_where_its_key_is() {
    let server = dynoxide();
    let client = raw(&server.url());
    make_by_hand(&client, &[("k", KeyType::Hash, ScalarAttributeType::B)]).await;
    let config = config(&server.url());
    assert_eq!(create_table(&config).await, Ok(Created::AlreadyThere));
    assert_eq!(time_to_live(&client).await.1.as_deref(), Some("t"));
    connect(&config).await.check_ready().await.unwrap();
}

#[tokio::test]
async fn a_table_with_another_key_is_an_error_that_says_so() {
    let keys = [
        (
            vec![("user_id", KeyType::Hash, ScalarAttributeType::S)],
            "`user_id` (HASH, S)",
        ),
        (
            vec![("k", KeyType::Hash, ScalarAttributeType::S)],
            "`k` (HASH, S)",
        ),
        (
            vec![
                ("k", KeyType::Hash, ScalarAttributeType::B),
                ("s", KeyType::Range, ScalarAttributeType::N),
            ],
            "`k` (HASH, B), `s` (RANGE, N)",
        ),
    ];
    for (keys, words) in keys {
        let server = dynoxide();
        let client = raw(&server.url());
        make_by_hand(&client, &keys).await;
        let error = create_table(&config(&server.url())).await.unwrap_err();
        assert!(
            matches!(error, CreateTableError::WrongKey { .. }),
            "{error:?}"
        );
        let text = error.to_string();
        for word in [words, TABLE, REGION, "`k` (HASH, binary)"] {
            assert!(text.contains(word), "{text}");
        }
        assert_ne!(
            time_to_live(&client).await.1.as_deref(),
            Some("t"),
            "it was left alone"
        );
    }
}

#[tokio::test]
async fn a_table_with_another_time_to_live_is_an_error_that_says_so() {
    let server = dynoxide();
    let client = raw(&server.url());
    make_by_hand(&client, &[("k", KeyType::Hash, ScalarAttributeType::B)]).await;
    let other = TimeToLiveSpecification::builder()
        .attribute_name("expires")
        .enabled(true)
        .build()
        .unwrap();
    let update = client
        .update_time_to_live()
        .table_name(TABLE)
        .time_to_live_specification(other);
    update.send().await.unwrap();
    let error = create_table(&config(&server.url())).await.unwrap_err();
    assert!(error.to_string().contains("`expires`"), "{error}");
}

#[tokio::test]
async fn what_cannot_be_used_is_said_before_anything_is_sent() {
    let good = config("http://127.0.0.1:9");
    let bad = [
        (
            DynamoDbConfig {
                table: String::new(),
                ..good.clone()
            },
            ConfigError::NoTable,
        ),
        (
            DynamoDbConfig {
                table: "a b".to_owned(),
                ..good.clone()
            },
            ConfigError::BadTable("a b".to_owned()),
        ),
        (
            DynamoDbConfig {
                table: "x".repeat(256),
                ..good.clone()
            },
            ConfigError::BadTable("x".repeat(256)),
        ),
        (
            DynamoDbConfig {
                endpoint: Some("localhost:8000".to_owned()),
                ..good.clone()
            },
            ConfigError::BadEndpoint,
        ),
        (
            DynamoDbConfig {
                attempts: 0,
                ..good
            },
            ConfigError::NoAttempts,
        ),
    ];
    for (config, error) in bad {
        assert_eq!(
            create_table(&config).await,
            Err(CreateTableError::Config(error))
        );
    }
}
