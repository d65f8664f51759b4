//! Stores on real servers, and a load of players that start sessions on them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use streamgate_core::admission::{Start, StartOutcome};
use streamgate_core::{Ledger, SessionId, TenantId, UserId, UserKey};
use streamgate_store::conformance::{read_ledger, run};
use streamgate_store::versioned::{NotUsable, Optimistic};
use streamgate_store::{Store, StoreError};
use streamgate_store_redis::{RedisSettings, RedisStore};

use crate::support::eventually;

/// Settings with names that no other test has.
pub(crate) fn settings(url: &str) -> RedisSettings {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    RedisSettings {
        key_prefix: format!("t{next}"),
        ..RedisSettings::new(url)
    }
}

/// A store as the engine uses it. What may pass, such as a busy replica, is tried again.
pub(crate) async fn open(settings: &RedisSettings) -> Arc<dyn Store> {
    let store = eventually("the store opens", 20, async || {
        match RedisStore::open(settings).await {
            Err(NotUsable::Unavailable(_)) => None,
            opened => Some(opened.expect("the store opens")),
        }
    })
    .await;
    Arc::new(Optimistic::new(store))
}

/// An empty store of its own.
pub(crate) async fn open_fresh(url: &str) -> Arc<dyn Store> {
    open(&settings(url)).await
}

pub(crate) fn user(name: &str) -> UserKey {
    UserKey::new(&TenantId::default_tenant(), &UserId::new(name).unwrap())
}

/// Starts a session; whether it was admitted.
pub(crate) async fn start(
    store: &dyn Store,
    key: &UserKey,
    session: &str,
) -> Result<bool, StoreError> {
    let start = Start::new(SessionId::new(session).unwrap());
    let ran = run(store, key, &start).await?;
    Ok(matches!(ran.outcome, StartOutcome::Admitted(_)))
}

/// How many of `count` parallel starts are admitted, by the nodes in turn.
pub(crate) async fn admitted(nodes: &[Arc<dyn Store>], key: &UserKey, count: usize) -> usize {
    let starts: Vec<_> = (0..count)
        .map(|i| {
            let (node, key) = (Arc::clone(&nodes[i % nodes.len()]), key.clone());
            tokio::spawn(async move { start(&*node, &key, &format!("s{i}")).await })
        })
        .collect();
    let mut admitted = 0;
    for start in starts {
        admitted += usize::from(start.await.unwrap().expect("an answer"));
    }
    admitted
}

/// How many of these users have no session, although they were told that it has started.
pub(crate) async fn lost(store: &Arc<dyn Store>, told: &[UserKey]) -> usize {
    let mut lost = 0;
    for keys in told.chunks(200) {
        let ledgers = join_all(keys.iter().map(|key| read_ledger(&**store, key))).await;
        let is_lost = |ledger: &Option<Ledger>| ledger.as_ref().is_none_or(|l| l.live.len() != 1);
        lost += ledgers.iter().filter(|ledger| is_lost(ledger)).count();
    }
    lost
}

/// Players that start without pause, each for a user of its own, until they are called off.
pub(crate) struct Load {
    over: Arc<AtomicBool>,
    players: Vec<tokio::task::JoinHandle<Vec<UserKey>>>,
    pub(crate) done: Arc<AtomicU32>,
    pub(crate) failed: Arc<AtomicU32>,
}

impl Load {
    pub(crate) fn begin(store: &Arc<dyn Store>, players: usize) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let (done, failed) = (Arc::<AtomicU32>::default(), Arc::<AtomicU32>::default());
        let players = (0..players)
            .map(|player| {
                let (store, over) = (Arc::clone(store), Arc::clone(&over));
                let (done, failed) = (Arc::clone(&done), Arc::clone(&failed));
                tokio::spawn(async move {
                    let mut admitted = Vec::new();
                    for i in 0.. {
                        if over.load(Ordering::Relaxed) {
                            break;
                        }
                        let key = user(&format!("p{player}-{i}"));
                        if start(&*store, &key, "s").await.is_ok() {
                            done.fetch_add(1, Ordering::Relaxed);
                            admitted.push(key);
                        } else {
                            failed.fetch_add(1, Ordering::Relaxed);
                            tokio::time::sleep(Duration::from_millis(5)).await;
                        }
                    }
                    admitted
                })
            })
            .collect();
        Self {
            over,
            players,
            done,
            failed,
        }
    }

    /// Whether so much has been done.
    pub(crate) fn has_done(&self, count: u32) -> Option<()> {
        (self.done.load(Ordering::Relaxed) >= count).then_some(())
    }

    /// Ends it, and answers who was told that their session has started.
    pub(crate) async fn end(self) -> Vec<UserKey> {
        self.over.store(true, Ordering::Relaxed);
        let mut admitted = Vec::new();
        for player in self.players {
            admitted.extend(player.await.unwrap());
        }
        admitted
    }
}
