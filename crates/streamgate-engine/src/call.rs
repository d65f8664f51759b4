//! One call: a command about one user, run until its outcome is known.

use std::sync::atomic::{AtomicUsize, Ordering};

use streamgate_core::admission::Command;
use streamgate_core::codec::{CodecError, encode_notice};
use streamgate_core::{Decision, Durability, Event, UserKey, decide};
use streamgate_store::{Change, CommitCallback, StepFn, StoreError, Transaction, View};

use crate::decision::{decide_on, ledger_of};
use crate::engine::{ATTEMPTS_MAX, Engine};
use crate::error::EngineError;
use crate::unresolved_runs::{UnresolvedRuns, is_reported};

impl Engine {
    /// Runs a command of the core until its outcome is known, within the deadline, and reports what
    /// it changed ([`EngineObserver::committed`](crate::EngineObserver::committed)).
    ///
    /// It is what every other operation on one user is made of, and for commands that have none. It
    /// never answers without the store, and observers do not hear of the answer
    /// ([`EngineObserver::answered`](crate::EngineObserver::answered)): calls of players are
    /// [`start`](Self::start), [`heartbeat`](Self::heartbeat) and [`stop`](Self::stop).
    ///
    /// # Errors
    /// [`EngineError`]; after a retryable one the same command may be run again.
    pub async fn run<C>(&self, user: &UserKey, command: &C) -> Result<C::Outcome, EngineError>
    where
        C: Command + Sync,
        C::Outcome: Send,
    {
        self.told(user, self.outcome(user, command).await)
    }

    /// [`run`](Self::run) as a part of another operation, or in the background: whether a caller is
    /// told of a failure is not known yet.
    pub(crate) async fn outcome<C>(
        &self,
        user: &UserKey,
        command: &C,
    ) -> Result<C::Outcome, EngineError>
    where
        C: Command + Sync,
        C::Outcome: Send,
    {
        self.finish(&mut Call::new(self, user, command)).await
    }

    /// Runs a call within the deadline, and reports what it changed.
    pub(crate) async fn finish<C>(&self, call: &mut Call<'_, C>) -> Result<C::Outcome, EngineError>
    where
        C: Command + Sync,
        C::Outcome: Send,
    {
        let user = call.user;
        if let Err(error) = self.within_deadline(call.run_until_known()).await? {
            return Err(self.failed(user, error).await);
        }
        let Decision {
            outcome, events, ..
        } = call.take_decision();
        self.reports.committed(user, &events);
        Ok(outcome)
    }
}

/// A command about a user, and the runs of it.
///
/// What it committed is reported once: by its caller, if there is an answer; else by the callback
/// of its last run, or by the task that resolves the runs it leaves unresolved when it is dropped.
pub(crate) struct Call<'a, C: Command> {
    engine: &'a Engine,
    user: &'a UserKey,
    command: &'a C,
    /// What the last run decided, if it could read the record. It stays in place until the call
    /// ends, because a decision is some hundred bytes.
    last: Option<Result<Decision<C::Outcome>, CodecError>>,
    unresolved: UnresolvedRuns<C::Outcome>,
    /// Whether a run that changes nothing still writes the record. A commit that is in flight with
    /// the version before cannot land behind it.
    always_writes: bool,
    /// Which outcomes may come from the cached record; `None` if none may.
    accepts_cached: Option<fn(&C::Outcome) -> bool>,
    /// To which the size of each record that a run decodes is added.
    read_bytes: Option<&'a AtomicUsize>,
}

impl<'a, C> Call<'a, C>
where
    C: Command + Sync,
    C::Outcome: Send,
{
    pub(crate) const fn new(engine: &'a Engine, user: &'a UserKey, command: &'a C) -> Self {
        Self {
            engine,
            user,
            command,
            last: None,
            unresolved: UnresolvedRuns::none(),
            always_writes: false,
            accepts_cached: None,
            read_bytes: None,
        }
    }

    /// A call that also finds out what became of runs of an earlier one.
    pub(crate) fn resolving(
        engine: &'a Engine,
        user: &'a UserKey,
        command: &'a C,
        unresolved: UnresolvedRuns<C::Outcome>,
    ) -> Self {
        let mut call = Self::new(engine, user, command);
        call.unresolved = unresolved;
        call.always_writes = true;
        call
    }

    /// A call that may be answered from the cached record, if the policy leaves the command
    /// unwritten there and `accepts` its outcome.
    pub(crate) fn accepting_cached(mut self, accepts: fn(&C::Outcome) -> bool) -> Self {
        self.accepts_cached = Some(accepts);
        self
    }

    /// A call that adds the size of each record that it decodes: the time a call takes grows with
    /// it. The store may run the step before it answers.
    pub(crate) const fn counting(mut self, read_bytes: Option<&'a AtomicUsize>) -> Self {
        self.read_bytes = read_bytes;
        self
    }

    /// Runs the command until its outcome is known.
    ///
    /// If the store does not know whether the change was made, the command is run again: every
    /// command is idempotent by the ids in it, so the second run either does what the first did
    /// not, or finds it done. In the latter case the outcome of the unresolved run is the true one;
    /// which case it is, [`Command::confirms`] says.
    pub(crate) async fn run_until_known(&mut self) -> Result<(), EngineError> {
        let engine = self.engine;
        let mut runs = 0;
        loop {
            runs += 1;
            self.last = None;
            let answer = match engine.store.transact(self.user, self) {
                Transaction::Done(answer) => answer,
                Transaction::Pending(answer) => answer.await,
            };
            match answer {
                Ok(()) => return self.resolve(),
                Err(StoreError::OutcomeUnknown(_)) if runs < ATTEMPTS_MAX => {
                    engine.observer.outcome_unknown();
                    self.keep_unresolved();
                }
                Err(error) => return Err(self.failed(error)),
            }
        }
    }

    /// The decision of a call whose outcome is known.
    pub(crate) fn take_decision(&mut self) -> Decision<C::Outcome> {
        let last = self.last.take().and_then(Result::ok);
        last.expect("a store that answers Ok has run the step")
    }

    /// The store has answered the last run: makes its decision the one that took effect.
    fn resolve(&mut self) -> Result<(), EngineError> {
        if let Some(Err(error)) = self.last.take_if(|last| last.is_err()) {
            let error = EngineError::from(error);
            if !error.is_retryable() {
                // Nothing can be compared with such a record, now or later.
                drop(self.take_unresolved());
            }
            return Err(error);
        }
        if !self.unresolved.is_empty() {
            let last = self.take_decision();
            self.last = Some(Ok(self.take_unresolved().resolve::<C>(last)));
        }
        Ok(())
    }

    /// The store does not know what became of the last run.
    fn keep_unresolved(&mut self) {
        if let Some(Ok(decision)) = self.last.take() {
            self.unresolved.add(decision.events, decision.outcome);
        }
    }

    /// A store that refuses while an earlier run is unresolved leaves the outcome unknown.
    fn failed(&mut self, error: StoreError) -> EngineError {
        match error {
            StoreError::Unavailable(why)
            | StoreError::Damaged(why)
            | StoreError::Full(why)
            | StoreError::TooLarge(why)
                if self.unresolved.may_have_changed() =>
            {
                EngineError::OutcomeUnknown(why)
            }
            StoreError::Refused(refusal) if self.unresolved.may_have_changed() => {
                EngineError::OutcomeUnknown(refusal.to_string())
            }
            StoreError::OutcomeUnknown(why) => {
                self.keep_unresolved();
                EngineError::OutcomeUnknown(why)
            }
            other => other.into(),
        }
    }
}

impl<C: Command> Call<'_, C> {
    fn take_unresolved(&mut self) -> UnresolvedRuns<C::Outcome> {
        std::mem::replace(&mut self.unresolved, UnresolvedRuns::none())
    }
}

impl<C> StepFn for Call<'_, C>
where
    C: Command + Sync,
    C::Outcome: Send,
{
    fn run(&mut self, view: View<'_>) -> Option<Change> {
        if let (Some(read_bytes), Some(record)) = (self.read_bytes, view.record) {
            read_bytes.fetch_add(record.len(), Ordering::Relaxed);
        }
        let policy = self.engine.policy();
        let decided = ledger_of(view).map(|ledger| {
            self.unresolved.compare(&ledger);
            decide(ledger, &policy, self.command, view.now)
        });
        let decision = self.last.insert(decided).as_ref().ok()?;
        match Change::of(decision, &policy) {
            None if self.always_writes => view.record.map(|record| Change {
                record: Some(record.to_vec()),
                delta: Vec::new(),
                durability: Durability::Memory,
                garbage_at: decision.ledger.garbage_at(policy.revive_window),
                needs_room: false,
            }),
            change => change,
        }
    }

    fn notice(&self) -> Option<Vec<u8>> {
        let decision = self.last.as_ref()?.as_ref().ok()?;
        let ends = |event: &Event| matches!(event, Event::Ended(_));
        let tells_more = decision.events.iter().any(ends);
        tells_more.then(|| encode_notice(&decision.events))
    }

    fn accepts_cached(&self) -> bool {
        self.accepts_cached.is_some()
            && self.unresolved.is_empty()
            && self.engine.policy().heartbeat_write_interval.0 > 0
    }

    /// This node wrote the cached record, and the lease that it wrote lasts for this call as well.
    /// If another node has ended the session meanwhile, its player learns that with the next
    /// heartbeat that is written.
    fn answer_from_cache(&mut self, cached: View<'_>) -> bool {
        let Some(accepts) = self.accepts_cached else {
            return false;
        };
        let decided = decide_on(cached, &self.engine.policy(), self.command).ok();
        let is_answer = |it: &Decision<_>| it.events.is_empty() && accepts(&it.outcome);
        self.last = decided.filter(is_answer).map(Ok);
        self.last.is_some()
    }

    fn detach(&mut self) -> Option<CommitCallback> {
        let decision = self.last.take()?.ok()?;
        if !is_reported(&decision.events) {
            // Earlier runs that are unresolved stay so.
            return None;
        }
        let unresolved = self.take_unresolved().without_outcomes();
        let reports = &self.engine.reports;
        Some(reports.callback(self.user, unresolved, decision.events))
    }
}

impl<C: Command> Drop for Call<'_, C> {
    /// The caller has an error, or has gone. What became of unresolved runs is found out without
    /// it.
    fn drop(&mut self) {
        self.engine.dropped(self.user);
        // Nearly always there is none.
        if !self.unresolved.is_empty() {
            let unresolved = self.take_unresolved().without_outcomes();
            self.engine.reports.unresolved(self.user, unresolved);
        }
    }
}
