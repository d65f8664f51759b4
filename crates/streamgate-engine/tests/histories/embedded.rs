//! Long random histories through an engine over the embedded store, against the bare decision, and
//! what a restart recovers of them.

use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;
use streamgate_clock::{Clock, ManualClock};
use streamgate_core::admission::{SessionsQuery, Settle, sessions_of};
use streamgate_core::codec::{encode_ledger, grant_grace};
use streamgate_core::{AtLimit, Ledger, Policy, Session, decide};
use streamgate_store::Store;
use streamgate_store_embedded::{DurabilityMode, EmbeddedConfig, EmbeddedStore, NoLogObserver};
use tempfile::TempDir;

use super::walk::{Bare, ops, walk};
use crate::support::{START_OF_TIME, user, world_over};

fn open(dir: &Path, clock: &Arc<ManualClock>) -> Arc<dyn Store> {
    let config = EmbeddedConfig {
        // Small, so that histories reach over several segments and snapshots.
        segment_bytes: 1 << 12,
        snapshot_min_log_bytes: 1 << 13,
        snapshot_max_log_bytes: 1 << 14,
        durability: DurabilityMode::Os,
        ..EmbeddedConfig::new(dir)
    };
    let clock: Arc<dyn Clock> = Arc::clone(clock) as Arc<_>;
    let on_fatal = Arc::new(|error| panic!("the disk works: {error}"));
    Arc::new(EmbeddedStore::open(config, clock, Arc::new(NoLogObserver), on_fatal).unwrap())
}

/// What must be there after a restart: the bare ledger, up to date, with one lease of grace.
fn with_grace(bare: &Bare, who: usize, clock: &ManualClock) -> Ledger {
    let ledger = bare.ledgers.get(&who).cloned().unwrap_or_default();
    let settled = decide(ledger, &bare.policy, &Settle, clock.now()).ledger;
    encode_ledger(&settled).map_or_else(Ledger::default, |record| {
        let graced = grant_grace(&record, clock.now().time).unwrap().record;
        streamgate_core::codec::decode_ledger(&graced).unwrap()
    })
}

/// Clears the times of heartbeats, which are not written and so unknown after a restart.
fn without_last_seen(sessions: Vec<Session>) -> Vec<Session> {
    let forget = |session: Session| Session {
        last_seen_at: session.started_at,
        ..session
    };
    sessions.into_iter().map(forget).collect()
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 100,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_store_answers_as_the_decision_does_and_gives_it_back(
        ops in ops(),
        evict in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let dir = TempDir::new().unwrap();
        let clock = Arc::new(ManualClock::at(START_OF_TIME));
        let at_limit = if evict { AtLimit::EvictOldest } else { AtLimit::DenyNew };
        let policy = Policy { at_limit, default_limit: 2, ..Policy::default() };
        let store = open(dir.path(), &clock);
        let bare = walk(&ops, policy.clone(), Arc::clone(&store), &clock, &runtime)?;
        // An orderly stop reports expired sessions, so that they do not come back with a lease.
        let world = world_over(Arc::clone(&store), Arc::clone(&clock), policy.clone());
        runtime.block_on(world.engine.sweep_all()).unwrap();
        runtime.block_on(store.close()).unwrap();
        drop((world, store));

        let world = world_over(open(dir.path(), &clock), Arc::clone(&clock), policy.clone());
        for who in 0..3 {
            let key = user(&format!("u{who}"));
            let query = SessionsQuery::default();
            let kept = runtime.block_on(world.engine.sessions(&key, &query)).unwrap();
            let ledger = with_grace(&bare, who, &clock);
            let expected = sessions_of(&ledger, &policy, clock.now(), &SessionsQuery::default());
            prop_assert_eq!(
                without_last_seen(kept.sessions),
                without_last_seen(expected.sessions)
            );
            prop_assert_eq!(
                (kept.limit, kept.next_slot_at),
                (expected.limit, expected.next_slot_at)
            );
        }
    }
}
