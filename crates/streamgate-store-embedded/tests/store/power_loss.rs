//! Power loss or process death at any moment: the store opens, acknowledged changes are there, and
//! nothing is invented.

use std::sync::Arc;

use crate::common::power::{Chance, PowerDisk, no_dir};
use crate::common::{Contents, NOON, contents};
use proptest::prelude::*;
use streamgate_clock::ManualClock;
use streamgate_store_embedded::{
    DurabilityMode, EmbeddedConfig, EmbeddedStore, NoLogObserver, OpenError,
};
use tokio::task::JoinSet;

const USERS: usize = 8;

/// What a user's live sessions have been, one list after each change that was tried.
#[derive(Debug, Clone)]
struct History {
    user: String,
    states: Vec<Vec<String>>,
    /// Up to here changes were acknowledged.
    acknowledged: usize,
    next_session: u32,
}

impl History {
    fn last(&self) -> &[String] {
        self.states.last().unwrap()
    }

    /// Starts and stops sessions until the disk fails.
    async fn go_on(mut self, store: Arc<EmbeddedStore>, mut chance: Chance) -> Self {
        for _ in 0..400 {
            let mut after = self.last().to_vec();
            let stops = !after.is_empty() && chance.below(5) < 2;
            let done = if stops {
                let name = after.remove(chance.below(after.len()));
                crate::common::stop(&*store, &self.user, &name).await
            } else {
                let name = format!("session-{}", self.next_session);
                self.next_session += 1;
                after.push(name.clone());
                crate::common::start(&*store, &self.user, &name).await
            };
            self.states.push(after);
            if done.is_err() {
                break;
            }
            self.acknowledged = self.states.len() - 1;
            if chance.below(8) == 0 {
                tokio::task::yield_now().await;
            }
        }
        self
    }

    /// Compares with what came back, and goes on from there.
    fn check(&mut self, found: &Contents, all_is_kept: bool) {
        let live = found.get(&self.user).map_or(&[][..], |(live, _)| live);
        let at = self.states.iter().rposition(|state| state == live);
        let at = at.unwrap_or_else(|| panic!("{live:?} never was: {self:?}"));
        if all_is_kept {
            assert!(at >= self.acknowledged, "{live:?} is too old: {self:?}");
        }
        self.states = vec![live.to_vec()];
        self.acknowledged = 0;
    }
}

/// Segments and snapshots are tiny, so that the power fails in the middle of making them too.
fn open(disk: &PowerDisk, mode: DurabilityMode) -> Result<EmbeddedStore, OpenError> {
    let config = EmbeddedConfig {
        durability: mode,
        segment_bytes: 3 << 10,
        snapshot_min_log_bytes: 5 << 10,
        ..EmbeddedConfig::new(no_dir())
    };
    let clock = Arc::new(ManualClock::at(NOON));
    EmbeddedStore::open_on(
        Arc::new(disk.clone()),
        config,
        clock,
        Arc::new(NoLogObserver),
        Arc::new(|_| {}),
    )
}

/// Runs until the power fails, over and over on the same data.
async fn rounds(seed: u64, mode: DurabilityMode, offs: Vec<u64>) {
    let mut chance = Chance::new(seed);
    let mut disk = PowerDisk::default();
    let mut histories: Vec<History> = (0..USERS)
        .map(|user| History {
            user: format!("user-{user}"),
            states: vec![Vec::new()],
            acknowledged: 0,
            next_session: 0,
        })
        .collect();
    for off in offs {
        disk.power_off_after(off);
        let store = match open(&disk, mode) {
            Ok(store) => Arc::new(store),
            Err(error) => {
                assert!(disk.is_off(), "it does not open: {error}");
                disk = disk.after_power_loss(&mut chance);
                continue;
            }
        };
        let mut tasks = JoinSet::new();
        for (user, history) in histories.drain(..).enumerate() {
            let chance = Chance::new(seed ^ (user as u64) << 32 ^ off);
            tasks.spawn(history.go_on(Arc::clone(&store), chance));
        }
        histories = tasks.join_all().await;
        drop(store);
        let only_the_process_died = chance.below(3) == 0;
        disk = if only_the_process_died {
            disk.after_process_death()
        } else {
            disk.after_power_loss(&mut chance)
        };
        // Looking costs disk operations too; the power holds this once.
        let looked = disk.after_process_death();
        let store = open(&looked, mode).unwrap_or_else(|error| panic!("it does not open: {error}"));
        let found = contents(&store).await;
        for history in &mut histories {
            history.check(
                &found,
                only_the_process_died || mode == DurabilityMode::Fsync,
            );
        }
        drop(store);
        // What was looked at was an answer: it stays, also if the next thing is a power loss.
        disk = match chance.below(3) {
            0 => looked.after_process_death(),
            1 => looked.after_power_loss(&mut chance),
            _ if only_the_process_died => looked,
            _ => disk,
        };
    }
}

/// Real threads take part: the writer, the preparer and the snapshot writer are the subject.
fn run(seed: u64, mode: DurabilityMode, offs: Vec<u64>) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .unwrap();
    runtime.block_on(rounds(seed, mode, offs));
}

proptest! {
    // Threads take turns as they like, so a failure is neither shrunk nor kept.
    #![proptest_config(ProptestConfig {
        cases: 150,
        max_shrink_iters: 0,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn synced_changes_survive_a_power_loss(
        seed in any::<u64>(),
        offs in proptest::collection::vec(0_u64..900, 1..6),
    ) {
        run(seed, DurabilityMode::Fsync, offs);
    }

    #[test]
    fn without_syncs_nothing_is_invented(
        seed in any::<u64>(),
        offs in proptest::collection::vec(0_u64..900, 1..4),
    ) {
        run(seed, DurabilityMode::Os, offs);
    }
}
