//! The engine: one command at a time on the store, within a deadline.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use streamgate_core::admission::Command;
use streamgate_core::codec::{CodecError, encode_delta, encode_ledger};
use streamgate_core::{Decision, Policy, SessionId, UserKey, decide};
use streamgate_store::{Change, Store, View};
use tokio::sync::Semaphore;

use crate::call::{Call, Decided, ledger_of};
use crate::error::EngineError;
use crate::fail_open::FailOpen;
use crate::ids::IdSource;
use crate::newer::NewerRecords;
use crate::observer::EngineObserver;
use crate::pages::PAGES_AT_ONCE;
use crate::policy::{CurrentPolicy, PolicyNow};
use crate::report::Reports;

/// How often a command is run in all when its outcome stays unknown.
pub(crate) const ATTEMPTS_MAX: u32 = 3;

/// What the engine can be told.
#[derive(Debug, Clone, Copy)]
pub struct EngineSettings {
    /// How long a call may take in the store, repetitions included.
    pub deadline: Duration,
    /// How long one pass of the sweep over all records takes at least.
    pub sweep_interval: Duration,
}

impl Default for EngineSettings {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(5),
            sweep_interval: Duration::from_secs(30),
        }
    }
}

/// Runs commands on a store. One for all requests; share it.
pub struct Engine {
    pub(crate) store: Arc<dyn Store>,
    policy: CurrentPolicy,
    pub(crate) observer: Arc<dyn EngineObserver>,
    pub(crate) reports: Arc<Reports>,
    ids: Arc<dyn IdSource>,
    pub(crate) settings: EngineSettings,
    pub(crate) fail_open: Option<FailOpen>,
    /// Whose turn it is to make a page of a list.
    pub(crate) page_turns: Semaphore,
    pub(crate) newer: NewerRecords,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("policy", &self.policy())
            .finish_non_exhaustive()
    }
}

impl Engine {
    /// An engine over a store. What the store does not answer, it does not answer either, unless it
    /// is told to [`fail_open`](Self::fail_open).
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        policy: Arc<Policy>,
        ids: Arc<dyn IdSource>,
        observer: Arc<dyn EngineObserver>,
        settings: EngineSettings,
    ) -> Self {
        Self {
            store,
            policy: CurrentPolicy::new(policy),
            reports: Arc::new(Reports::new(Arc::clone(&observer))),
            observer,
            ids,
            settings,
            fail_open: None,
            page_turns: Semaphore::new(PAGES_AT_ONCE),
            newer: NewerRecords::default(),
        }
    }

    /// The rules that apply to every user now.
    #[must_use]
    pub fn policy(&self) -> PolicyNow {
        self.policy.load()
    }

    /// Replaces the rules. Steps that have begun end by the old ones; sessions that are live keep
    /// their lease until their next heartbeat.
    pub fn set_policy(&self, policy: Arc<Policy>) {
        self.policy.replace(policy);
    }

    /// An id for a start that brings none.
    #[must_use]
    pub fn new_session_id(&self) -> SessionId {
        self.ids.session_id()
    }

    /// The same as a UUID of version 4, for dialects whose clients expect one.
    #[must_use]
    pub fn new_session_id_v4(&self) -> SessionId {
        self.ids.session_id_v4()
    }

    /// Answers when the store can be used, and no record was met lately that is newer than this
    /// program.
    ///
    /// # Errors
    /// [`EngineError::Unavailable`], [`EngineError::Refused`], [`EngineError::DeadlineExceeded`],
    /// [`EngineError::NewerRecord`].
    pub async fn check_ready(&self) -> Result<(), EngineError> {
        self.newer.check()?;
        self.within_deadline(self.store.check_ready())
            .await?
            .map_err(EngineError::from)
    }

    /// How many users have a record, where the store knows without counting.
    #[must_use]
    pub fn record_count(&self) -> Option<u64> {
        self.store.record_count()
    }

    /// Writes what is still to be written and closes the store.
    ///
    /// # Errors
    /// [`EngineError::OutcomeUnknown`] where the last writes may not be on disk.
    pub async fn close(&self) -> Result<(), EngineError> {
        Ok(self.store.close().await?)
    }

    /// Runs a command until its outcome is known, within the deadline.
    pub(crate) async fn execute<C>(
        &self,
        user: &UserKey,
        command: &C,
    ) -> Result<C::Outcome, EngineError>
    where
        C: Command + Sync,
        C::Outcome: Send,
    {
        let call = Call::new(self, user, command);
        let decision = self
            .within_deadline(call.run_until_known())
            .await?
            .map_err(|error| self.failed(user, error))?;
        Ok(self.reported(user, decision))
    }

    /// The outcome of a decision that was committed, once the observer has heard of it.
    fn reported<T>(&self, user: &UserKey, decision: Decision<T>) -> T {
        self.reports.committed(user, &decision.events);
        decision.outcome
    }

    /// The same, where the store answers at once: without a clock, a timer or a future. Adds the
    /// size of the record that was read to `read_bytes`: what a decision costs grows with it.
    pub(crate) fn execute_now<C>(
        &self,
        user: &UserKey,
        command: &C,
        read_bytes: &mut usize,
    ) -> Option<Result<C::Outcome, EngineError>>
    where
        C: Command + Sync,
        C::Outcome: Send,
    {
        let mut last = None;
        let mut step = |view: View<'_>| {
            *read_bytes += view.record.map_or(0, <[u8]>::len);
            self.step(view, command, &mut last)
        };
        let result = self.store.transact_now(user, &mut step)?;
        let decided = result
            .map_err(EngineError::from)
            .and_then(|()| decided(last));
        let outcome = decided.map(|decision| self.reported(user, decision));
        Some(outcome.map_err(|error| self.failed(user, error)))
    }

    /// Decides on a record, and says what it becomes. `last` remembers the decision.
    fn step<C: Command>(
        &self,
        view: View<'_>,
        command: &C,
        last: &mut Option<Decided<C::Outcome>>,
    ) -> Option<Change> {
        let policy = self.policy();
        let decided = last.insert(decide_on(view, &policy, command));
        let decision = decided.as_ref().ok()?;
        change_of(decision, &policy)
    }

    /// Waits for an answer of the store, at most until the deadline.
    pub(crate) async fn within_deadline<T>(
        &self,
        call: impl Future<Output = T>,
    ) -> Result<T, EngineError> {
        let deadline = self.settings.deadline;
        let mut call = pin!(call);
        // What is answered at once needs no clock and no timer: nearly all heartbeats.
        if let Poll::Ready(answer) = poll_fn(|cx| Poll::Ready(call.as_mut().poll(cx))).await {
            return Ok(answer);
        }
        tokio::time::timeout(deadline, call)
            .await
            .map_err(|_| EngineError::DeadlineExceeded(deadline.as_millis()))
    }
}

/// Decides on a record.
pub(crate) fn decide_on<C: Command>(
    view: View<'_>,
    policy: &Policy,
    command: &C,
) -> Result<Decision<C::Outcome>, CodecError> {
    Ok(decide(ledger_of(view)?, policy, command, view.now))
}

/// What a decision makes of the record; `None` where it changes nothing.
pub(crate) fn change_of<T>(decision: &Decision<T>, policy: &Policy) -> Option<Change> {
    let durability = decision.durability()?;
    let delta = encode_delta(&decision.events);
    Some(Change {
        record: encode_ledger(&decision.ledger),
        delta,
        durability,
        garbage_at: decision.ledger.garbage_at(policy.revive_window),
        needs_room: decision.needs_room(),
    })
}

/// The decision of a run that the store answered.
pub(crate) fn decided<T>(decision: Option<Decided<T>>) -> Result<Decision<T>, EngineError> {
    decision
        .expect("a store that answers Ok has run the step")
        .map_err(EngineError::from)
}
