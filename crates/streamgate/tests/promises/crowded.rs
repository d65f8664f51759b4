//! A user near the bounds of sessions: its calls cost other users little.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use streamgate_clock::SystemClock;
use streamgate_core::admission::{InTurn, Start};
use streamgate_core::bounds::LIMIT_MAX;
use streamgate_core::{
    Attributes, Ledger, Policy, SessionId, SessionMetadata, TenantId, UserId, UserKey, decide,
};
use streamgate_store::{Change, Store, View};
use streamgate_store_embedded::{EmbeddedConfig, EmbeddedStore, NoLogObserver};
use streamgate_testkit::{Client, Server, eventually};
use tempfile::TempDir;
use tokio::task::JoinSet;

/// The highest limit, and the most entries of a batch.
const SESSIONS: usize = LIMIT_MAX as usize;

/// A server with a user that has as many sessions as any may, each with as many attributes.
async fn crowded(dir: &TempDir) -> (Server, Client) {
    write_crowd(dir.path()).await;
    let limit = format!("policy.default_limit={SESSIONS}");
    let server = Server::start_with(dir.path(), &["--set", &limit]);
    let client = Client::connect(server.address).await.unwrap();
    (server, client)
}

/// Writes the user in one step. A thousand calls of a debug build would take a minute: each
/// reads and writes what the ones before it have started, four megabytes at the end.
async fn write_crowd(dir: &Path) {
    let policy = Policy {
        default_limit: LIMIT_MAX,
        ..Policy::default()
    };
    let attribute = |number| (format!("key-{number}").into(), "x".repeat(250).into());
    let metadata = Arc::new(SessionMetadata {
        attributes: Attributes::new((0..16).map(attribute).collect()).unwrap(),
        ..SessionMetadata::default()
    });
    let start = |number| Start {
        metadata: Some(Arc::clone(&metadata)),
        ..Start::new(SessionId::new(&format!("s{number:03}")).unwrap())
    };
    let starts = InTurn((0..SESSIONS).map(start).collect());
    let mut step = |view: View<'_>| {
        let decision = decide(Ledger::default(), &policy, &starts, view.now);
        Change::of(&decision, &policy)
    };
    let hook = Arc::new(|error| panic!("{error}"));
    let clock = Arc::new(SystemClock::new());
    let config = EmbeddedConfig::new(dir);
    let store = EmbeddedStore::open(config, clock, Arc::new(NoLogObserver), hook).unwrap();
    let user = UserKey::new(&TenantId::default_tenant(), &UserId::new("crowd").unwrap());
    store.transact(&user, &mut step).await.unwrap();
    store.close().await.unwrap();
}

#[expect(
    clippy::disallowed_methods,
    reason = "the time that a real process takes is what is measured"
)]
async fn took(client: &mut Client, path: &str, body: Option<&Value>) -> (Duration, Value) {
    let began = Instant::now();
    let answer = client.send("POST", path, body).await.unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    (began.elapsed(), answer.json())
}

/// A heartbeat of such a user reads and writes a record of a thousand sessions. A batch of a
/// thousand heartbeats does so once; entry by entry it would take a thousand times as long as one.
/// (That it is one commit, `nodes/batches.rs` counts on Redis: here a renewed lease is not logged.)
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_of_a_thousand_heartbeats_of_one_user_is_one_decision() {
    let dir = TempDir::new().unwrap();
    let (_server, mut client) = crowded(&dir).await;
    let path = "/v1/users/crowd/sessions/s500/heartbeat";
    let mut one = Duration::MAX;
    for _ in 0..10 {
        one = one.min(took(&mut client, path, None).await.0);
    }
    let entry = |number| json!({"user_id": "crowd", "session_id": format!("s{number:03}")});
    let batch = json!({"heartbeats": (0..SESSIONS).map(entry).collect::<Vec<_>>()});
    let mut all = Duration::MAX;
    for _ in 0..3 {
        let (time, answer) = took(&mut client, "/v1/heartbeats", Some(&batch)).await;
        assert_eq!(answer["renewed"], SESSIONS);
        assert_eq!(answer["failed"], json!([]));
        all = all.min(time);
    }
    assert!(
        all < 25 * one,
        "a batch took {all:?}, one heartbeat {one:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_and_lists_of_a_crowded_user_are_bounded() {
    let dir = TempDir::new().unwrap();
    let (_server, mut client) = crowded(&dir).await;
    let refusal = client.start("crowd", "one-more").await.unwrap();
    assert_eq!(
        (refusal.status, refusal.code().as_str()),
        (409, "limit_reached")
    );
    assert_eq!(refusal.json()["sessions"].as_array().unwrap().len(), 100);
    assert_eq!(refusal.json()["sessions_total"], SESSIONS);
    assert_eq!(refusal.json()["active"], SESSIONS);
    for page_size in ["101", "1000"] {
        let path = format!("/v1/users/crowd/sessions?page_size={page_size}");
        let answer = client.send("GET", &path, None).await.unwrap();
        assert_eq!(answer.status, 400, "{answer:?}");
        assert_eq!(answer.json()["errors"][0]["field"], "page_size");
    }
    let mut path = "/v1/users/crowd/sessions".to_owned();
    let mut listed = Vec::new();
    while let Some(query) = {
        let page = client.send("GET", &path, None).await.unwrap().json();
        let sessions = page["sessions"].as_array().unwrap();
        assert!(sessions.len() <= 100);
        assert_eq!(page["sessions_total"], SESSIONS);
        listed.extend(
            sessions
                .iter()
                .map(|session| session["session_id"].to_string()),
        );
        let cursor = page["next_cursor"].as_str();
        cursor.map(|cursor| format!("/v1/users/crowd/sessions?cursor={cursor}"))
    } {
        path = query;
    }
    assert_eq!(listed.len(), SESSIONS);
    listed.dedup();
    assert_eq!(listed.len(), SESSIONS, "each is listed once");
}

/// A line of `/proc/PID/status` that is a size, in bytes.
fn size_of(server: &Server, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let size = line.unwrap().trim_start_matches(':').trim_end_matches("kB");
    size.trim().parse::<u64>().unwrap() * 1_024
}

/// A thousand sessions with their attributes are four megabytes: forty refusals with all of them
/// would be 180.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_of_a_crowded_user_at_once_take_little_memory() {
    const REFUSALS: usize = 40;
    let dir = TempDir::new().unwrap();
    let (server, mut client) = crowded(&dir).await;
    // What one refusal allocates is resident from here on.
    assert_eq!(client.start("crowd", "first").await.unwrap().status, 409);
    let before = size_of(&server, "VmRSS");
    // From here on `VmHWM` is the most that has been resident since.
    std::fs::write(format!("/proc/{}/clear_refs", server.pid()), "5").unwrap();
    let mut asking = JoinSet::new();
    for number in 0..REFUSALS {
        let address = server.address;
        asking.spawn(async move {
            let mut client = Client::connect(address).await.unwrap();
            client
                .start("crowd", &format!("more-{number}"))
                .await
                .unwrap()
        });
    }
    for refusal in asking.join_all().await {
        assert_eq!(refusal.code(), "limit_reached", "{refusal:?}");
        let refusal = refusal.json();
        assert_eq!(refusal["sessions"].as_array().unwrap().len(), 100);
        assert_eq!(
            refusal["sessions"][0]["attributes"]
                .as_object()
                .unwrap()
                .len(),
            16
        );
        assert_eq!(refusal["sessions_total"], SESSIONS);
    }
    let more = size_of(&server, "VmHWM").saturating_sub(before);
    assert!(more < 64 << 20, "{REFUSALS} refusals took {more} bytes");
}

/// However many sessions end with the user.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowded_user_is_erased_in_one_commit() {
    let dir = TempDir::new().unwrap();
    let (server, mut client) = crowded(&dir).await;
    let commits = || server.metric::<u64>("streamgate_commit_batch_records_count");
    let before = commits();
    let erased = client
        .send("DELETE", "/v1/users/crowd", None)
        .await
        .unwrap();
    assert_eq!(erased.status, 204, "{erased:?}");
    // It is counted behind the answer.
    eventually("it is committed", || commits() > before);
    assert_eq!(commits() - before, 1);
    let listed = client.send("GET", "/v1/users/crowd/sessions", None).await;
    assert_eq!(listed.unwrap().json()["active"], 0);
}

/// An operator who blocks such a user ends all its sessions in one step.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limit_0_ends_a_thousand_sessions_at_once() {
    let dir = TempDir::new().unwrap();
    let (_server, mut client) = crowded(&dir).await;
    let answer = client.set_limit("crowd", 0).await.unwrap();
    assert_eq!(answer.json()["active"], 0, "{answer:?}");
    for session in ["s000", "s500", "s999"] {
        let ended = client.heartbeat("crowd", session).await.unwrap();
        assert_eq!(ended.status, 410, "{ended:?}");
        assert_eq!(ended.json()["reason"], "revoked");
    }
}
