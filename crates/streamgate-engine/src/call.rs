//! One call: a command about one user, run until its outcome is known.

use std::sync::Arc;

use streamgate_core::admission::Command;
use streamgate_core::codec::{CodecError, decode_ledger};
use streamgate_core::{Decision, Durability, Ledger, UserKey, decide};
use streamgate_store::{Change, CommitCallback, StepFn, Store, StoreError, View};

use crate::doubt::{Doubt, is_reported};
use crate::engine::{ATTEMPTS_MAX, Engine, change_of, decided};
use crate::error::EngineError;

/// What was decided on a record, if it could be read.
pub(crate) type Decided<T> = Result<Decision<T>, CodecError>;

/// A command about a user, and the runs of it.
///
/// What it committed is reported once: by its caller, if there is an answer; else by the callback
/// of its last run, or by whoever resolves the runs in doubt that it leaves behind when dropped.
pub(crate) struct Call<'a, C: Command> {
    engine: &'a Engine,
    user: &'a UserKey,
    command: &'a C,
    /// What the last run decided.
    last: Option<Decided<C::Outcome>>,
    doubt: Doubt<C::Outcome>,
    /// Whether a run that changes nothing still writes the record. A commit that is on its way with
    /// the version before cannot land behind it.
    always_writes: bool,
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
            doubt: Doubt::none(),
            always_writes: false,
        }
    }

    /// A call that also finds out what became of runs of an earlier one.
    pub(crate) const fn resolving(
        engine: &'a Engine,
        user: &'a UserKey,
        command: &'a C,
        doubt: Doubt<C::Outcome>,
    ) -> Self {
        Self {
            engine,
            user,
            command,
            last: None,
            doubt,
            always_writes: true,
        }
    }

    /// Runs the command until its outcome is known.
    ///
    /// Where the store does not know whether the change was made, the command is run again: every
    /// command is idempotent by the ids in it, so the second run either does what the first did
    /// not, or finds it done. In the latter case the outcome of the run in doubt is the true one;
    /// which case it is, [`Command::confirms`] says.
    pub(crate) async fn run_until_known(mut self) -> Result<Decision<C::Outcome>, EngineError> {
        for _ in 1..ATTEMPTS_MAX {
            match self.attempt().await {
                Ok(()) => return self.settled(),
                Err(StoreError::OutcomeUnknown(_)) => {
                    self.engine.observer.outcome_unknown();
                    self.is_in_doubt();
                }
                Err(error) => return Err(self.failed(error)),
            }
        }
        match self.attempt().await {
            Ok(()) => self.settled(),
            Err(error) => Err(self.failed(error)),
        }
    }

    async fn attempt(&mut self) -> Result<(), StoreError> {
        self.last = None;
        let store: &Arc<dyn Store> = &self.engine.store;
        store.transact(self.user, self).await
    }

    /// The store has answered the last run.
    fn settled(&mut self) -> Result<Decision<C::Outcome>, EngineError> {
        // Nothing can be compared with a record that cannot be read, now or later.
        let doubt = self.take_doubt();
        Ok(doubt.settle::<C>(decided(self.last.take())?))
    }

    /// The store does not know what became of the last run.
    fn is_in_doubt(&mut self) {
        if let Some(Ok(decision)) = self.last.take() {
            self.doubt.add(decision.events, decision.outcome);
        }
    }

    /// A store that refuses while an earlier run is in doubt leaves the outcome unknown.
    fn failed(&mut self, error: StoreError) -> EngineError {
        match error {
            StoreError::Unavailable(why) | StoreError::Damaged(why) | StoreError::Full(why)
                if self.doubt.matters() =>
            {
                EngineError::OutcomeUnknown(why)
            }
            StoreError::Refused(refusal) if self.doubt.matters() => {
                EngineError::OutcomeUnknown(refusal.to_string())
            }
            StoreError::OutcomeUnknown(why) => {
                self.is_in_doubt();
                EngineError::OutcomeUnknown(why)
            }
            other => other.into(),
        }
    }
}

impl<C: Command> Call<'_, C> {
    fn take_doubt(&mut self) -> Doubt<C::Outcome> {
        std::mem::replace(&mut self.doubt, Doubt::none())
    }
}

impl<C> StepFn for Call<'_, C>
where
    C: Command + Sync,
    C::Outcome: Send,
{
    fn run(&mut self, view: View<'_>) -> Option<Change> {
        let policy = self.engine.policy();
        let decided = ledger_of(view).map(|ledger| {
            self.doubt.compare(&ledger);
            decide(ledger, &policy, self.command, view.now)
        });
        let decision = self.last.insert(decided).as_ref().ok()?;
        match change_of(decision, &policy) {
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

    fn detach(&mut self) -> Option<CommitCallback> {
        let decision = self.last.take()?.ok()?;
        if !is_reported(&decision.events) {
            // Runs before it that are in doubt stay so.
            return None;
        }
        let doubt = self.take_doubt().without_outcomes();
        let reports = &self.engine.reports;
        Some(reports.callback(self.user, doubt, decision.events))
    }
}

impl<C: Command> Drop for Call<'_, C> {
    /// The caller has an error, or has gone. What is in doubt is found out without it.
    fn drop(&mut self) {
        let doubt = self.take_doubt().without_outcomes();
        self.engine.reports.unresolved(self.user, doubt);
    }
}

/// The ledger in a record; an empty one where there is none.
pub(crate) fn ledger_of(view: View<'_>) -> Result<Ledger, CodecError> {
    view.record
        .map_or_else(|| Ok(Ledger::default()), decode_ledger)
}
