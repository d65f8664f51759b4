//! Passwords and permissions, and the errors where they are wrong.

use std::sync::Arc;

use crate::support::{admitted, open, user};
use streamgate_store::versioned::NotUsable;
use streamgate_store_redis::{Credentials, RedisSettings, RedisStore};
use streamgate_testkit::{Flavour, Redis, Sentinel, free_port};

/// The error where a server refuses, and would again.
pub(crate) async fn refused(settings: &RedisSettings) -> String {
    match RedisStore::open(settings).await.unwrap_err() {
        NotUsable::Refused(told) => without_secrets(told),
        other => panic!("{other:?}"),
    }
}

/// The error where waiting may help.
async fn unavailable(settings: &RedisSettings) -> String {
    match RedisStore::open(settings).await.unwrap_err() {
        NotUsable::Unavailable(told) => without_secrets(told),
        other => panic!("{other:?}"),
    }
}

fn without_secrets(told: String) -> String {
    assert!(!told.contains("secret"), "{told}");
    told
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_with_a_password_needs_few_rights() {
    let rules = [
        "--user",
        "gate",
        "on",
        ">secret@1",
        "~sg:*",
        "+evalsha",
        "+eval",
        "+get",
        "+set",
        "+setrange",
        "+del",
        "+pexpireat",
        "+time",
        "+scan",
        "+ping",
        "+info",
        "--user",
        "default",
        "off",
    ];
    let server = Redis::start(Flavour::Redis, &rules);
    let url = |who: &str| RedisSettings::new(&format!("redis://{who}{}", server.address()));
    let store = open(&url("gate:secret%401@")).await;
    assert_eq!(admitted(&[Arc::clone(&store)], &user("u"), 20).await, 3);
    let tenant = streamgate_core::TenantId::default_tenant();
    assert_eq!(
        store.scan(&tenant, None, 10).await.unwrap().records.len(),
        1
    );
    let wrong = refused(&url("gate:secret2@")).await;
    assert!(
        wrong.contains("authentication failed") || wrong.contains("AuthenticationFailed"),
        "{wrong}"
    );
    let nobody = refused(&url("")).await;
    assert!(nobody.contains("Authentication required"), "{nobody}");
    let prefix = RedisSettings {
        key_prefix: "other".to_owned(),
        ..url("gate:secret%401@")
    };
    let forbidden = refused(&prefix).await;
    assert!(
        forbidden.contains("No permissions") || forbidden.contains("NoPerm"),
        "{forbidden}"
    );
    // The rights above have no SELECT among them.
    let database = format!("redis://gate:secret%401@{}/1", server.address());
    let forbidden = refused(&RedisSettings::new(&database)).await;
    assert!(forbidden.contains("no permissions"), "{forbidden}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sentinels_have_users_of_their_own() {
    let primary = Redis::start(Flavour::Redis, &["--requirepass", "secret1"]);
    let users = [
        "sentinel auth-pass main secret1",
        "user watch on >secret2 +@all",
        "user default off",
    ];
    let sentinel = Sentinel::watching(primary.port, &users);
    let with = |sentinel_credentials| RedisSettings {
        sentinel_credentials,
        ..RedisSettings::new(&format!(
            "redis+sentinel://:secret1@{}/main",
            sentinel.address()
        ))
    };
    let watch = |password: &str| Credentials {
        user: Some("watch".to_owned()),
        password: Some(password.to_owned()),
    };
    let store = open(&with(watch("secret2"))).await;
    assert_eq!(admitted(&[Arc::clone(&store)], &user("u"), 20).await, 3);
    let told = refused(&with(watch("secret1"))).await;
    assert!(told.contains("authentication failed"), "{told}");
    let told = refused(&with(Credentials::default())).await;
    assert!(told.contains("Authentication required"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_settings_mean_is_not_what_the_server_is() {
    let server = Redis::start(Flavour::Redis, &[]);
    let url = |before: &str, behind: &str| {
        RedisSettings::new(&format!("{before}{}{behind}", server.address()))
    };
    let told = refused(&url("redis+cluster://", "")).await;
    assert!(told.contains("cluster support disabled"), "{told}");
    let told = refused(&url("redis://", "/99")).await;
    assert!(told.contains("DB index is out of range"), "{told}");
    let told = refused(&url("redis://:secret@", "")).await;
    assert!(told.contains("authentication failed"), "{told}");
    let cluster = Redis::start(Flavour::Redis, &["--cluster-enabled", "yes"]);
    let address = cluster.address();
    let told = unavailable(&RedisSettings::new(&format!("redis+cluster://{address}"))).await;
    assert!(told.contains("knows no servers that have slots"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_not_there_is_reported_with_its_address() {
    let port = free_port();
    let told = unavailable(&RedisSettings::new(&format!(
        "redis://:secret@127.0.0.1:{port}"
    )))
    .await;
    assert!(told.contains(&format!("127.0.0.1:{port}")), "{told}");
    assert!(told.contains("refused"), "{told}");
    let told = unavailable(&RedisSettings::new(&format!(
        "redis+cluster://:secret@127.0.0.1:{port}"
    )))
    .await;
    assert!(told.contains("no map of the cluster"), "{told}");
    let told = unavailable(&RedisSettings::new(&format!(
        "redis+sentinel://:secret@127.0.0.1:{port}/main"
    )))
    .await;
    assert!(told.contains("no primary \"main\""), "{told}");
}
