//! Long histories: a store keeps what the bare decision gives.

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::Arc;

use streamgate_core::admission::{Command, Edit, EraseUser, Heartbeat, SetUser, Start, Stop};
use streamgate_core::codec::{decode_ledger, encode_ledger};
use streamgate_core::{EndReason, Ledger, Policy, SessionId, UserKey, decide};

use crate::Store;
use crate::conformance::steps::{read_ledger, run, user};

const HISTORIES: u64 = 30;
const COMMANDS: u64 = 100;
const USERS: u64 = 3;
const SESSIONS: u64 = 6;

/// A store, and what the bare decision keeps of each user; both must be the same.
struct Beside {
    store: Arc<dyn Store>,
    ledgers: HashMap<UserKey, Ledger>,
}

impl Beside {
    async fn run<C>(&mut self, key: &UserKey, command: &C)
    where
        C: Command + Debug + Sync,
        C::Outcome: Debug + PartialEq + Send,
    {
        let ran = run(&*self.store, key, command)
            .await
            .expect("the store can be written");
        let ledger = self.ledgers.remove(key).unwrap_or_default();
        let bare = decide(ledger, &Policy::default(), command, ran.now);
        assert_eq!(ran.outcome, bare.outcome, "{command:?} of {key:?}");
        let kept = read_ledger(&*self.store, key).await;
        // Through bytes, because an empty ledger is no record.
        let expected =
            encode_ledger(&bare.ledger).map(|bytes| decode_ledger(&bytes).expect("whole"));
        assert_eq!(kept, expected, "after {command:?} of {key:?}");
        self.ledgers.insert(key.clone(), bare.ledger);
    }
}

/// Pseudorandom numbers, the same in every run (splitmix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides
    }

    fn session(&mut self) -> SessionId {
        match self.roll(SESSIONS) {
            // One of them is kept as the bytes of a UUID.
            0 => SessionId::from_uuid_bytes([7; 16]),
            other => SessionId::new(&format!("s{other}")).expect("a session id"),
        }
    }

    fn other_than(&mut self, session: &SessionId) -> Option<SessionId> {
        Some(self.session()).filter(|other| other != session)
    }
}

/// Starts, heartbeats, stops and changes of users, one after the other.
pub async fn long_histories_equal_the_bare_decision(store: Arc<dyn Store>) {
    let mut beside = Beside {
        store,
        ledgers: HashMap::new(),
    };
    for history in 0..HISTORIES {
        let mut dice = Dice(history);
        for _ in 0..COMMANDS {
            let key = user(&format!("h{history}-{}", dice.roll(USERS)));
            let session = dice.session();
            match dice.roll(20) {
                0..8 => {
                    let replaces = dice.other_than(&session);
                    let start = Start {
                        replaces: replaces.filter(|_| dice.roll(3) == 0),
                        terminate: dice.other_than(&session).into_iter().collect(),
                        ..Start::new(session)
                    };
                    beside.run(&key, &start).await;
                }
                8..12 => beside.run(&key, &Heartbeat { id: session }).await,
                12..16 => {
                    let (id, reason) = (session, EndReason::Stopped);
                    beside.run(&key, &Stop { id, reason }).await;
                }
                16..18 => {
                    let limit = u32::try_from(dice.roll(5)).expect("a small number");
                    let set = SetUser {
                        limit: Some(limit)
                            .filter(|it| *it < 4)
                            .map_or(Edit::Clear, Edit::Set),
                        ..SetUser::default()
                    };
                    beside.run(&key, &set).await;
                }
                18 => beside.run(&key, &SetUser::default()).await,
                _ => beside.run(&key, &EraseUser).await,
            }
        }
    }
}
