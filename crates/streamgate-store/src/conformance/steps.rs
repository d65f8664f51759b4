//! Running commands of the core on a store, as the engine does.

use std::sync::Arc;

use streamgate_core::admission::{Command, Edit, SetUser, Start, StartOutcome};
use streamgate_core::codec::{decode_ledger, encode_notice};
use streamgate_core::{
    Decision, Event, Ledger, Moment, Policy, SessionId, TenantId, UserId, UserKey, decide,
};

use crate::{Change, StepFn, Store, StoreError, View};

/// The result of a command.
#[derive(Debug, Clone)]
pub struct Ran<T> {
    /// The outcome.
    pub outcome: T,
    /// The time at which it was decided.
    pub now: Moment,
}

/// Decides a command on what a step sees, and makes a change of it.
pub(super) fn decided<C: Command>(
    view: View<'_>,
    command: &C,
) -> (Option<Change>, Ran<C::Outcome>) {
    let ledger = ledger_in(view.record);
    let policy = Policy::default();
    let decision: Decision<C::Outcome> = decide(ledger, &policy, command, view.now);
    (
        Change::of(&decision, &policy),
        Ran {
            outcome: decision.outcome,
            now: view.now,
        },
    )
}

/// Runs a command on a store, under the default policy.
///
/// # Errors
/// Those of the store.
///
/// # Panics
/// If the store answers without having run the step, or holds bytes that are no ledger.
pub async fn run<C>(
    store: &dyn Store,
    key: &UserKey,
    command: &C,
) -> Result<Ran<C::Outcome>, StoreError>
where
    C: Command + Sync,
    C::Outcome: Send,
{
    let mut step = Running {
        command,
        last: None,
    };
    store.transact(key, &mut step).await?;
    let (outcome, _, now) = step.last.expect("a store that answers Ok has run the step");
    Ok(Ran { outcome, now })
}

/// A command, and what its last run decided: the outcome, what changed, and when.
struct Running<'a, C: Command> {
    command: &'a C,
    last: Option<(C::Outcome, Vec<Event>, Moment)>,
}

impl<C> StepFn for Running<'_, C>
where
    C: Command + Sync,
    C::Outcome: Send,
{
    fn run(&mut self, view: View<'_>) -> Option<Change> {
        let policy = Policy::default();
        let decision = decide(ledger_in(view.record), &policy, self.command, view.now);
        let change = Change::of(&decision, &policy);
        self.last = Some((decision.outcome, decision.events, view.now));
        change
    }

    fn notice(&self) -> Option<Vec<u8>> {
        let (_, events, _) = self.last.as_ref()?;
        Some(encode_notice(events))
    }
}

/// Reads the ledger of a key.
///
/// # Panics
/// If the store fails, or holds bytes that are no ledger.
pub async fn read_ledger(store: &dyn Store, key: &UserKey) -> Option<Ledger> {
    let mut seen = None;
    let mut step = |view: View<'_>| {
        assert_eq!(view.key, key, "a step sees the key of its record");
        seen = Some(view.record.map(|record| ledger_in(Some(record))));
        None
    };
    store
        .transact(key, &mut step)
        .await
        .expect("the store can be read");
    seen.expect("a store that answers Ok has run the step")
}

/// The user's own limit; 0 if there is no record. The suite uses it as a counter.
pub async fn limit_in(store: &dyn Store, key: &UserKey) -> u32 {
    read_ledger(store, key)
        .await
        .and_then(|ledger| ledger.limit)
        .unwrap_or(0)
}

/// Adds one to the limit of a user, in one step.
pub(super) async fn increment(store: &dyn Store, key: &UserKey) -> Result<(), StoreError> {
    let mut step = |view: View<'_>| {
        let limit = ledger_in(view.record).limit.unwrap_or(0) + 1;
        decided(view, &set_limit(limit)).0
    };
    store.transact(key, &mut step).await
}

pub(super) fn ledger_in(record: Option<&[u8]>) -> Ledger {
    record.map_or_else(Ledger::default, |record| {
        decode_ledger(record).expect("the store keeps bytes as they are")
    })
}

pub(super) fn set_limit(limit: u32) -> SetUser {
    SetUser {
        limit: Edit::Set(limit),
        ..SetUser::default()
    }
}

pub(super) async fn put_limit(store: &dyn Store, key: &UserKey, limit: u32) {
    run(store, key, &set_limit(limit))
        .await
        .expect("the store can be written");
}

pub(super) async fn remove(store: &dyn Store, key: &UserKey) {
    let clear = SetUser {
        limit: Edit::Clear,
        ..SetUser::default()
    };
    run(store, key, &clear)
        .await
        .expect("the store can be written");
}

/// Starts a session. `true` if it was admitted.
pub(super) async fn start(store: &dyn Store, key: &UserKey, session: &str) -> bool {
    let start = Start::new(SessionId::new(session).expect("a session id"));
    let ran = run(store, key, &start)
        .await
        .expect("the store can be written");
    matches!(ran.outcome, StartOutcome::Admitted(_))
}

pub(super) fn user(name: &str) -> UserKey {
    user_of("default", name)
}

pub(super) fn user_of(tenant: &str, name: &str) -> UserKey {
    let tenant = TenantId::new(tenant).expect("a tenant id");
    UserKey::new(&tenant, &UserId::new(name).expect("a user id"))
}

/// Runs `work` for each of 0..`count` in a task of its own and waits for all.
pub(super) async fn in_parallel<F, T>(
    store: &Arc<dyn Store>,
    count: u32,
    work: impl Fn(Arc<dyn Store>, u32) -> F,
) -> Vec<T>
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    let tasks: Vec<_> = (0..count)
        .map(|i| tokio::spawn(work(Arc::clone(store), i)))
        .collect();
    let mut results = Vec::new();
    for task in tasks {
        results.push(task.await.expect("a task of the suite panicked"));
    }
    results
}
