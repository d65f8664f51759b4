//! An engine on a store with a clock that stands, and an observer that remembers.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use streamgate_clock::ManualClock;
use streamgate_core::admission::{Heartbeat, SessionsQuery, Start, Stop};
use streamgate_core::{
    Durability, EndReason, Event, Ledger, Policy, SessionId, TenantId, Timestamp, UserId, UserKey,
};
use streamgate_engine::{Engine, EngineObserver, EngineSettings, RandomIds};
use streamgate_store::faults::{Fault, FaultyStore};
use streamgate_store::{Change, MemoryStore, Store, View};
use tokio::net::UnixStream;

/// Remembers what was committed.
#[derive(Debug, Default)]
pub(crate) struct Memo {
    events: Mutex<Vec<Event>>,
    unknown: Mutex<u32>,
    reconciled: Mutex<Vec<bool>>,
    damaged: Mutex<usize>,
    failed: Mutex<Vec<String>>,
}

impl Memo {
    /// The sessions that started, revived or ended, as short words in order.
    pub(crate) fn words(&self) -> Vec<String> {
        self.events
            .lock()
            .unwrap()
            .iter()
            .filter_map(|event| match event {
                Event::Started(session) => Some(format!("started {}", session.id)),
                Event::Revived(session) => Some(format!("revived {}", session.id)),
                Event::Ended(end) => Some(format!("{} {}", end.reason.as_str(), end.id)),
                _ => None,
            })
            .collect()
    }

    /// Starts and revivals of each session minus its endings, if that is not 0. Reports of
    /// concurrent calls may come in any order.
    pub(crate) fn balance(&self) -> BTreeMap<String, i32> {
        let mut balance = BTreeMap::<String, i32>::new();
        for event in self.events.lock().unwrap().iter() {
            let (id, by) = match event {
                Event::Started(session) | Event::Revived(session) => (&session.id, 1),
                Event::Ended(end) => (&end.id, -1),
                _ => continue,
            };
            *balance.entry(id.to_string()).or_default() += by;
        }
        balance.retain(|_, count| *count != 0);
        balance
    }

    /// Whether the plan, limit and profile of the only user, by what was committed, are those of a
    /// ledger.
    pub(crate) fn has_settings_of(&self, ledger: &Ledger) -> bool {
        let mut told = Ledger::default();
        for event in self.events.lock().unwrap().iter() {
            if let Event::UserSet { .. } | Event::UserErased = event {
                told.apply(event);
            }
        }
        (&told.limit, &told.plan, &told.profile) == (&ledger.limit, &ledger.plan, &ledger.profile)
    }

    /// The sessions of a user that are live, by what was committed.
    pub(crate) fn live(&self) -> Vec<String> {
        let balance = self.balance();
        assert!(balance.values().all(|count| *count == 1), "{balance:?}");
        balance.into_keys().collect()
    }

    /// The number of live sessions, by what was committed. Of concurrent calls, the one that ended
    /// a session may report before the one that started it.
    pub(crate) fn gauge(&self) -> usize {
        let events = self.events.lock().unwrap();
        let count = |kind: fn(&Event) -> bool| events.iter().filter(|event| kind(event)).count();
        let entered = count(|event| matches!(event, Event::Started(_) | Event::Revived(_)));
        let left = count(|event| matches!(event, Event::Ended(_)));
        entered.checked_sub(left).expect("none ends twice")
    }

    /// For each reconciled session, in order, whether it holds a slot.
    pub(crate) fn reconciled(&self) -> Vec<bool> {
        self.reconciled.lock().unwrap().clone()
    }

    /// How often a damaged record was read.
    pub(crate) fn damaged(&self) -> usize {
        *self.damaged.lock().unwrap()
    }

    /// The users of calls that failed, in order; from here on they are forgotten.
    pub(crate) fn take_failed(&self) -> Vec<String> {
        std::mem::take(&mut *self.failed.lock().unwrap())
    }

    pub(crate) fn unknown(&self) -> u32 {
        *self.unknown.lock().unwrap()
    }
}

impl EngineObserver for Memo {
    fn committed(&self, _user: &UserKey, events: &[Event]) {
        self.events.lock().unwrap().extend_from_slice(events);
    }

    fn reconciled(&self, holds_slot: bool) {
        self.reconciled.lock().unwrap().push(holds_slot);
    }

    fn outcome_unknown(&self) {
        *self.unknown.lock().unwrap() += 1;
    }

    fn damaged(&self, records: usize) {
        *self.damaged.lock().unwrap() += records;
    }

    fn failed(&self, user: &UserKey) {
        self.failed.lock().unwrap().push(user.user().to_owned());
    }
}

pub(crate) struct World {
    pub(crate) engine: Arc<Engine>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) memo: Arc<Memo>,
}

impl World {
    /// The live sessions of the user `u`, as the engine answers, in the order of their starts.
    pub(crate) async fn live(&self) -> Vec<String> {
        let query = SessionsQuery::default();
        let view = self.engine.sessions(&user("u"), &query).await.unwrap();
        let sessions = view.sessions.iter();
        sessions.map(|it| it.id.to_string()).collect()
    }
}

pub(crate) const START_OF_TIME: Timestamp = Timestamp::from_millis(1_800_000_000_000);

/// An engine over a memory store in front of which `plan` puts faults.
pub(crate) fn world(plan: impl FnMut() -> Fault + Send + 'static) -> World {
    let clock = Arc::new(ManualClock::at(START_OF_TIME));
    let store = FaultyStore::new(MemoryStore::new(clock.clone()), plan);
    world_over(Arc::new(store), clock, Policy::default())
}

pub(crate) fn world_over(store: Arc<dyn Store>, clock: Arc<ManualClock>, policy: Policy) -> World {
    let memo = Arc::new(Memo::default());
    let engine = Engine::new(
        store,
        Arc::new(policy),
        Arc::new(RandomIds),
        memo.clone(),
        EngineSettings::default(),
    );
    World {
        engine: Arc::new(engine),
        clock,
        memo,
    }
}

/// An engine over a memory store in which this user has a record of these bytes.
pub(crate) async fn world_with_record(name: &str, record: Vec<u8>) -> World {
    let clock = Arc::new(ManualClock::at(START_OF_TIME));
    let store = Arc::new(MemoryStore::new(clock.clone()));
    let mut put = |_: View<'_>| {
        Some(Change {
            record: Some(record.clone()),
            delta: Vec::new(),
            durability: Durability::Durable,
            garbage_at: None,
            needs_room: true,
        })
    };
    store.transact(&user(name), &mut put).await.unwrap();
    world_over(store, clock, Policy::default())
}

/// Faults in this order, then none.
pub(crate) fn faults(
    plan: impl IntoIterator<Item = Fault>,
) -> impl FnMut() -> Fault + Send + 'static {
    let plan: Vec<Fault> = plan.into_iter().collect();
    let mut plan = plan.into_iter();
    move || plan.next().unwrap_or(Fault::None)
}

pub(crate) fn user(name: &str) -> UserKey {
    UserKey::new(&TenantId::default_tenant(), &UserId::new(name).unwrap())
}

pub(crate) fn id(text: &str) -> SessionId {
    SessionId::new(text).unwrap()
}

pub(crate) fn start(session: &str) -> Start {
    Start::new(id(session))
}

pub(crate) fn heartbeat(session: &str) -> Heartbeat {
    Heartbeat { id: id(session) }
}

pub(crate) fn stop(session: &str) -> Stop {
    Stop {
        id: id(session),
        reason: EndReason::Stopped,
    }
}

/// How many calls are made from a byte that is written to a socket until it is seen at the other
/// end.
pub(crate) async fn calls_until_seen(
    (client, server): &(UnixStream, UnixStream),
    calls: &AtomicUsize,
) -> usize {
    // Nothing is there yet, so that the thread has to poll the socket again.
    assert!(server.try_read(&mut [0]).is_err());
    client.writable().await.unwrap();
    assert_eq!(client.try_write(b"x").unwrap(), 1);
    let before = calls.load(Ordering::Relaxed);
    server.readable().await.unwrap();
    assert_eq!(server.try_read(&mut [0]).unwrap(), 1);
    calls.load(Ordering::Relaxed) - before
}
