//! A backup under load is one point in time: the state after some call of each player, and at least
//! all calls that were answered before it began.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use streamgate_store::Store;
use streamgate_store_embedded::tools::restore;
use streamgate_store_embedded::{DurabilityMode, EmbeddedConfig, EmbeddedStore};
use tempfile::tempdir;

use super::{read_rest, write};
use crate::common::{NOON, contents, open, open_small, start, stop, with_mode};

/// Players, each with users of its own, that it calls in turn.
const PLAYERS: u64 = 4;
const USERS_OF_A_PLAYER: u64 = 5;

/// Call `count` of a player goes to this user, and starts or stops this session.
fn nth_call(player: u64, count: u64) -> (String, String, bool) {
    let user = format!("p{player}-{}", count % USERS_OF_A_PLAYER);
    let round = count / USERS_OF_A_PLAYER;
    (user, format!("s{}", round / 2), round.is_multiple_of(2))
}

/// Makes calls, one after the other, until told to stop. `acknowledged` counts the answers.
async fn play(
    store: Arc<EmbeddedStore>,
    player: u64,
    acknowledged: Arc<AtomicU64>,
    end: Arc<AtomicU64>,
) {
    for count in 0.. {
        if end.load(Ordering::SeqCst) > 0 {
            return;
        }
        let (user, session, is_start) = nth_call(player, count);
        if is_start {
            start(&*store, &user, &session).await.unwrap();
        } else {
            stop(&*store, &user, &session).await.unwrap();
        }
        acknowledged.store(count + 1, Ordering::SeqCst);
    }
}

/// What is live in the store after the first `count` calls of a player, as `USER SESSION`.
fn live_after(player: u64, count: u64) -> Vec<String> {
    let mut live = Vec::new();
    for count in 0..count {
        let (user, session, is_start) = nth_call(player, count);
        let name = format!("{user} {session}");
        if is_start {
            live.push(name);
        } else {
            live.retain(|other| *other != name);
        }
    }
    live.sort();
    live
}

async fn live_of(store: &EmbeddedStore, player: u64) -> Vec<String> {
    let prefix = format!("p{player}-");
    let mut live = Vec::new();
    for (user, (sessions, _)) in contents(store).await {
        if user.starts_with(&prefix) {
            live.extend(sessions.iter().map(|session| format!("{user} {session}")));
        }
    }
    live.sort();
    live
}

/// The calls of a player are one chain, so the state tells how many of them are in it. Snapshots
/// and new segments come as fast as they can.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_under_load_is_a_prefix_of_the_calls_of_every_player() {
    let base = tempdir().unwrap();
    let config = EmbeddedConfig {
        segment_bytes: 4 << 10,
        snapshot_min_log_bytes: 16 << 10,
        snapshot_max_log_bytes: 16 << 10,
        ..with_mode(&base.path().join("data"), DurabilityMode::Os)
    };
    let store = Arc::new(open(config).unwrap());
    let end = Arc::new(AtomicU64::new(0));
    let counts: Vec<Arc<AtomicU64>> = (0..PLAYERS).map(|_| Arc::default()).collect();
    let players: Vec<_> = (0..PLAYERS)
        .zip(&counts)
        .map(|(player, count)| {
            tokio::spawn(play(
                Arc::clone(&store),
                player,
                Arc::clone(count),
                Arc::clone(&end),
            ))
        })
        .collect();
    let counted = || -> Vec<u64> { counts.iter().map(|it| it.load(Ordering::SeqCst)).collect() };
    let mut backups = Vec::new();
    for _ in 0..12 {
        let before = counted();
        let backup = store.backup().await.unwrap();
        let after = counted();
        // Read while the files of it are being replaced.
        let target = after[0] + 200;
        while counts[0].load(Ordering::SeqCst) < target {
            tokio::task::yield_now().await;
        }
        backups.push((before, read_rest(backup), after));
    }
    end.store(1, Ordering::SeqCst);
    for player in players {
        player.await.unwrap();
    }
    for (number, (before, bytes, after)) in backups.into_iter().enumerate() {
        let dir = base.path().join(format!("backup-{number}"));
        let data = base.path().join(format!("restored-{number}"));
        let report = write(&bytes, &dir).unwrap();
        assert_eq!(report.as_of_ms, NOON.as_millis());
        restore(&dir, &data).unwrap();
        let restored = open_small(&data);
        for player in 0..PLAYERS {
            let index = usize::try_from(player).unwrap();
            let found = live_of(&restored, player).await;
            // One call more than was acknowledged may have been made.
            let possible = before[index]..=after[index] + 1;
            assert!(
                possible
                    .clone()
                    .any(|count| live_after(player, count) == found),
                "backup {number}, player {player}: {found:?} was the state after none of {possible:?}"
            );
        }
    }
}
