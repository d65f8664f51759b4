//! Running one command: decode, decide, commit; and again where the outcome is unknown.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use streamgate_core::admission::Command;
use streamgate_core::codec::{CodecError, decode_ledger, encode_delta, encode_ledger};
use streamgate_core::{Decision, Ledger, Policy, SessionId, UserKey, decide};
use streamgate_store::{Change, Store, StoreError, View};
use tokio::sync::Semaphore;

use crate::doubt::Doubt;
use crate::error::EngineError;
use crate::fail_open::FailOpen;
use crate::ids::IdSource;
use crate::newer::NewerRecords;
use crate::observer::Observer;
use crate::pages::PAGES_AT_ONCE;
use crate::policy::{CurrentPolicy, PolicyNow};

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
    pub(crate) observer: Arc<dyn Observer>,
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
        observer: Arc<dyn Observer>,
        settings: EngineSettings,
    ) -> Self {
        Self {
            store,
            policy: CurrentPolicy::new(policy),
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
    ///
    /// Where the store does not know whether the change was made, the command is run again: every
    /// command is idempotent by the ids in it, so the second run either does what the first did
    /// not, or finds it done. In the latter case the outcome of the run in doubt is the true one;
    /// which case it is, [`Command::was_done`] says.
    pub(crate) async fn execute<C>(
        &self,
        user: &UserKey,
        command: &C,
    ) -> Result<C::Outcome, EngineError>
    where
        C: Command + Sync,
        C::Outcome: Send,
    {
        let decision = self
            .within_deadline(self.execute_until_known(user, command))
            .await?
            .map_err(|error| self.failed(user, error))?;
        Ok(self.counted(user, decision))
    }

    /// The outcome of a decision that was committed, once whoever counts has heard of it.
    fn counted<T>(&self, user: &UserKey, decision: Decision<T>) -> T {
        if !decision.events.is_empty() {
            self.observer.committed(user, &decision.events);
        }
        decision.outcome
    }

    /// The same, where the store answers at once: without a clock, a timer or a future.
    pub(crate) fn execute_now<C>(
        &self,
        user: &UserKey,
        command: &C,
    ) -> Option<Result<C::Outcome, EngineError>>
    where
        C: Command + Sync,
        C::Outcome: Send,
    {
        let mut last = None;
        let mut step = |view: View<'_>| self.step(view, command, &mut last);
        let result = self.store.transact_now(user, &mut step)?;
        let decided = result
            .map_err(EngineError::from)
            .and_then(|()| decided(last));
        let outcome = decided.map(|decision| self.counted(user, decision));
        Some(outcome.map_err(|error| self.failed(user, error)))
    }

    async fn execute_until_known<C>(
        &self,
        user: &UserKey,
        command: &C,
    ) -> Result<Decision<C::Outcome>, EngineError>
    where
        C: Command + Sync,
        C::Outcome: Send,
    {
        let mut doubt = Doubt::<C>::none();
        for _ in 1..ATTEMPTS_MAX {
            match self.attempt(user, command).await {
                (decision, Ok(())) => return Ok(doubt.settle(decided(decision)?)),
                (decision, Err(StoreError::OutcomeUnknown(_))) => {
                    self.observer.outcome_unknown();
                    if let Some(Ok(decision)) = decision {
                        doubt.add(decision);
                    }
                }
                (_, Err(error)) => return Err(in_doubt_error(doubt.matters(), error)),
            }
        }
        match self.attempt(user, command).await {
            (decision, Ok(())) => Ok(doubt.settle(decided(decision)?)),
            (_, Err(error)) => Err(in_doubt_error(doubt.matters(), error)),
        }
    }

    /// Runs a command once. The decision is that of the step's last run, where it ran.
    async fn attempt<C>(
        &self,
        user: &UserKey,
        command: &C,
    ) -> (Option<Decided<C::Outcome>>, Result<(), StoreError>)
    where
        C: Command + Sync,
        C::Outcome: Send,
    {
        let mut run = Run {
            user,
            last: None,
            observer: &*self.observer,
        };
        let mut step = |view: View<'_>| self.step(view, command, &mut run.last);
        let result = self.store.transact(user, &mut step).await;
        (run.last.take(), result)
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

/// What was decided on a record, if it could be read.
type Decided<T> = Result<Decision<T>, CodecError>;

/// The step of a call that is under way, and the decision of its last run.
struct Run<'a, T> {
    user: &'a UserKey,
    last: Option<Decided<T>>,
    observer: &'a dyn Observer,
}

impl<T> Drop for Run<'_, T> {
    /// A caller went away while the store was committing: the change is made all the same, so
    /// whoever counts sessions must hear of it.
    fn drop(&mut self) {
        if let Some(Ok(decision)) = &self.last {
            self.observer.committed(self.user, &decision.events);
        }
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

/// The ledger in a record; an empty one where there is none.
fn ledger_of(view: View<'_>) -> Result<Ledger, CodecError> {
    view.record
        .map_or_else(|| Ok(Ledger::default()), decode_ledger)
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
fn decided<T>(decision: Option<Decided<T>>) -> Result<Decision<T>, EngineError> {
    decision
        .expect("a store that answers Ok has run the step")
        .map_err(EngineError::from)
}

/// A store that refuses while an earlier run is in doubt leaves the outcome unknown.
fn in_doubt_error(in_doubt: bool, error: StoreError) -> EngineError {
    match error {
        StoreError::Unavailable(why) | StoreError::Damaged(why) | StoreError::Full(why)
            if in_doubt =>
        {
            EngineError::OutcomeUnknown(why)
        }
        StoreError::Refused(refusal) if in_doubt => {
            EngineError::OutcomeUnknown(refusal.to_string())
        }
        other => other.into(),
    }
}
