//! One data directory under this release, the next, and this one again. The next release is played
//! by the store itself, which takes any bytes for a record, and by the rules of this release where
//! it needs no newer format.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use streamgate_clock::SystemClock;
use streamgate_core::admission::Start;
use streamgate_core::codec::{NEWEST, OLDEST, decode_ledger};
use streamgate_core::{Durability, Policy, SessionId, TenantId, UserId, UserKey, decide};
use streamgate_store::{Change, Store, View};
use streamgate_store_embedded::{EmbeddedConfig, EmbeddedStore, NoLogObserver};
use streamgate_testkit::{Server, run, serve_arguments, streamgate};
use tempfile::TempDir;

/// The next release serves the directory, and changes the record of `user`.
async fn under_the_next_release(
    dir: &Path,
    user: &str,
    change: impl Fn(View<'_>) -> Change + Send + Sync,
) {
    let hook = Arc::new(|error| panic!("{error}"));
    let clock = Arc::new(SystemClock::new());
    let config = EmbeddedConfig::new(dir);
    let store = EmbeddedStore::open(config, clock, Arc::new(NoLogObserver), hook).unwrap();
    let key = UserKey::new(&TenantId::default_tenant(), &UserId::new(user).unwrap());
    let mut step = |view: View<'_>| Some(change(view));
    store.transact(&key, &mut step).await.unwrap();
    store.close().await.unwrap();
}

/// It starts one more session, which needs no newer format: record and delta are of the oldest.
fn starts_another(view: View<'_>) -> Change {
    let policy = Policy::default();
    let ledger = decode_ledger(view.record.unwrap()).unwrap();
    let start = Start::new(SessionId::new("of-the-next").unwrap());
    let decision = decide(ledger, &policy, &start, view.now);
    let change = Change::of(&decision, &policy).unwrap();
    let record = change.record.as_deref().unwrap();
    assert_eq!([record[0], change.delta[0]], [OLDEST; 2]);
    change
}

/// It writes what this release cannot read.
fn writes_a_newer_format(_: View<'_>) -> Change {
    let record = vec![NEWEST + 1, 1, 2, 3];
    Change {
        // The delta is of the record's version, too.
        delta: record.clone(),
        record: Some(record),
        durability: Durability::Durable,
        garbage_at: None,
        needs_room: true,
    }
}

/// The bytes of all files of the store.
fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let paths = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let of_store = paths.filter(|path| path.extension().is_some_and(|it| it == "sg"));
    of_store
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect()
}

#[tokio::test]
async fn an_upgrade_can_be_undone_until_a_newer_format_is_written() {
    let dir = TempDir::new().unwrap();
    let server = Server::start(dir.path());
    assert_eq!(
        server.call("PUT", "/v1/users/u/sessions/s", None).status,
        201
    );
    assert!(server.terminate().status.success());

    under_the_next_release(dir.path(), "u", starts_another).await;
    let server = Server::start(dir.path());
    let listed = server.call("GET", "/v1/users/u/sessions", None).json();
    assert_eq!(listed["active"], 2, "{listed}");
    let renewed = "/v1/users/u/sessions/of-the-next/heartbeat";
    assert_eq!(server.call("POST", renewed, None).status, 200);
    // The newest format of this release is written where a record needs it, and read again.
    let body = serde_json::json!({"region": "eu-west"});
    let start = |server: &Server| server.call("PUT", "/v1/users/r/sessions/s", Some(&body));
    assert_eq!(start(&server).status, 201);
    assert!(server.terminate().status.success());
    let server = Server::start(dir.path());
    assert_eq!(start(&server).json()["session"]["region"], "eu-west");
    assert!(server.terminate().status.success());

    under_the_next_release(dir.path(), "new", writes_a_newer_format).await;
    let before = files(dir.path());
    let words = format!(
        "newer Streamgate (format {}), this one reads up to {NEWEST}",
        NEWEST + 1
    );
    let refused = Server::spawn_logging(streamgate(&serve_arguments(dir.path()))).wait();
    assert_eq!(refused.status.code(), Some(74), "{}", refused.stderr);
    assert!(refused.stderr.contains(&words), "{}", refused.stderr);
    for command in ["check", "repair", "stats"] {
        let dir = dir.path().to_str().unwrap();
        let said = run(&["store", command, "--data-dir", dir]).failed(74);
        assert!(said.contains(&words), "{command}: {said}");
    }
    assert!(files(dir.path()) == before, "the directory is as it was");
}
