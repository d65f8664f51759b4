//! Operations on one user that read, or do more than run one command.

use streamgate_core::admission::{
    EraseUser, Erased, ResetUser, SessionsQuery, SessionsView, Settle, SettledView, Start,
    StartOutcome, Stop, StopNewest, StopNewestOutcome, StopOutcome, sessions_of,
};
use streamgate_core::{Ledger, Moment, Policy, SessionMetadata, UserKey};
use streamgate_store::{Step, StoreError, View};

use crate::decision::decide_on;
use crate::engine::{ATTEMPTS_MAX, Engine};
use crate::error::EngineError;
use crate::fail_open::Answered;
use crate::failures::ReportsPanic;
use crate::observer::Answer;
use crate::starts::Starts;

/// The answer to [`Engine::stop_newest`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NewestStopped {
    /// A session gave its slot back.
    Stopped {
        /// The number of slots still taken.
        active: u32,
    },
    /// No session was live.
    NoneLive {
        /// Whether the user is known.
        is_known: bool,
    },
}

impl Engine {
    /// Starts a session, or says why not: by a [`Start`], or by a command around one that does more
    /// in the same step.
    ///
    /// If the store cannot be used and the engine fails open, the session is admitted without the
    /// store.
    ///
    /// # Errors
    /// [`EngineError`]; after a retryable one the same start may be sent again.
    pub async fn start<C>(
        &self,
        user: &UserKey,
        command: &C,
    ) -> Result<Answered<C::Outcome>, EngineError>
    where
        C: Starts + Sync,
        C::Outcome: Send,
    {
        self.check_format(command.start())?;
        if let Some(open) = &self.fail_open
            && open.is_taken(user, command.start())
        {
            self.observer.answered(Answer::Start(&StartOutcome::Taken));
            return Ok(Answered::degraded(
                command.without_store(StartOutcome::Taken),
            ));
        }
        match (self.outcome(user, command).await, &self.fail_open) {
            (Ok(outcome), open) => {
                if let Some(open) = open {
                    open.memory.forget(user, &command.start().id);
                }
                if let Some(outcome) = C::start_outcome(&outcome) {
                    self.observer.answered(Answer::Start(outcome));
                    if let StartOutcome::Refused(refused) = outcome {
                        self.observer.refused(user, command.start(), refused);
                    }
                }
                Ok(outcome.into())
            }
            (Err(error), Some(open)) if error.is_retryable() => {
                let (policy, wall) = (self.policy(), self.wall());
                let admitted = open.admit(user, command.start(), &policy, wall, &error);
                self.observer.answered(match admitted {
                    StartOutcome::Taken => Answer::Start(&StartOutcome::Taken),
                    _ => Answer::DegradedStart,
                });
                Ok(Answered::degraded(command.without_store(admitted)))
            }
            (Err(error), _) => self.told(user, Err(error)),
        }
    }

    /// Whether the store takes what the start brings. Asked before the store is, so that a node that
    /// knows the store's format admits nothing without the store that it could not write later.
    fn check_format(&self, start: &Start) -> Result<(), EngineError> {
        let needed = start.metadata.as_deref().map(SessionMetadata::format);
        match needed.filter(|needed| *needed > self.store.format()) {
            Some(needed) => Err(EngineError::NeedsFormat(needed)),
            None => Ok(()),
        }
    }

    /// Stops a session.
    ///
    /// # Errors
    /// [`EngineError`].
    pub async fn stop(&self, user: &UserKey, stop: &Stop) -> Result<StopOutcome, EngineError> {
        // Whatever the store answers, reconciliation does not write the session to it any more.
        let open = self.fail_open.as_ref();
        let was_degraded = open.is_some_and(|open| open.memory.forget(user, &stop.id));
        let outcome = match self.run(user, stop).await? {
            StopOutcome::Unknown if was_degraded => StopOutcome::Stopped,
            outcome => outcome,
        };
        self.observer.answered(Answer::Stop(&outcome));
        Ok(outcome)
    }

    /// Stops the session that started last, and says how many are left.
    ///
    /// # Errors
    /// [`EngineError`]. A caller that does not know the outcome must not repeat the call: each call
    /// ends one session more.
    pub async fn stop_newest(&self, user: &UserKey) -> Result<NewestStopped, EngineError> {
        let stopped = self.within_deadline(async {
            let mut stop = StopNewest::default();
            loop {
                match self.outcome(user, &stop).await? {
                    // The next run names it; and again, if a session started or ended meanwhile.
                    StopNewestOutcome::NewestIs { newest, .. } => stop.expected = Some(newest),
                    StopNewestOutcome::NoneLive { is_known, .. } => {
                        return Ok(NewestStopped::NoneLive { is_known });
                    }
                    StopNewestOutcome::Stopped { active } => {
                        self.observer.answered(Answer::Stop(&StopOutcome::Stopped));
                        return Ok(NewestStopped::Stopped { active });
                    }
                }
            }
        });
        self.told(user, stopped.await.and_then(|known| known))
    }

    /// Ends all sessions of a user and erases it.
    ///
    /// # Errors
    /// [`EngineError`].
    pub async fn erase_user(&self, user: &UserKey) -> Result<Erased, EngineError> {
        self.forget_admitted(user);
        self.run(user, &EraseUser).await
    }

    /// Ends all sessions of a user and forgets its history; plan and limit stay.
    ///
    /// # Errors
    /// [`EngineError`].
    pub async fn reset_user(
        &self,
        user: &UserKey,
        reset: &ResetUser,
    ) -> Result<Erased, EngineError> {
        self.forget_admitted(user);
        self.run(user, reset).await
    }

    /// A page of the live sessions of a user.
    ///
    /// # Errors
    /// [`EngineError`].
    pub async fn sessions(
        &self,
        user: &UserKey,
        query: &SessionsQuery,
    ) -> Result<SessionsView, EngineError> {
        self.look(user, |ledger, policy, now| {
            sessions_of(ledger, policy, now, query)
        })
        .await
    }

    /// A user as `view` shows it, such as
    /// [`user_of`](streamgate_core::admission::user_of); `None` if the user was never seen, or is
    /// forgotten.
    ///
    /// # Errors
    /// [`EngineError`].
    pub async fn user<T: Send>(
        &self,
        user: &UserKey,
        view: impl Fn(&Ledger, &Policy, Moment) -> T + Send + Sync,
    ) -> Result<Option<T>, EngineError> {
        self.look(user, |ledger, policy, now| {
            ledger.is_known().then(|| view(ledger, policy, now))
        })
        .await
    }

    /// Forgets what was admitted without the store: an operator ends all sessions of a user.
    fn forget_admitted(&self, user: &UserKey) {
        if let Some(open) = &self.fail_open {
            open.memory.forget_user(user);
        }
    }

    /// What `view` shows of a user, once the sessions whose lease is over are ended: now, rather
    /// than with the user's next call. Reports no failure to the observer, because no call waits.
    ///
    /// # Errors
    /// [`EngineError`].
    pub async fn settle<T: Send>(
        &self,
        user: &UserKey,
        view: impl Fn(&Ledger, &Policy, Moment) -> T + Send + Sync,
    ) -> Result<T, EngineError> {
        self.outcome(user, &SettledView(view)).await
    }

    /// Reads a user's ledger, brought up to the present, and stores nothing.
    ///
    /// # Errors
    /// [`EngineError`].
    pub async fn look<T: Send>(
        &self,
        user: &UserKey,
        look: impl Fn(&Ledger, &Policy, Moment) -> T + Send + Sync,
    ) -> Result<T, EngineError> {
        self.told(user, self.seen(user, look).await)
    }

    /// The same without a report of the failure: the caller may not be told of it.
    async fn seen<T: Send>(
        &self,
        user: &UserKey,
        look: impl Fn(&Ledger, &Policy, Moment) -> T + Send + Sync,
    ) -> Result<T, EngineError> {
        let _reports = ReportsPanic(self, user);
        let mut seen = None;
        let mut step = |view: View<'_>| {
            let policy = self.policy();
            let decided = decide_on(view, &policy, &Settle);
            seen = Some(decided.map(|decision| look(&decision.ledger, &policy, view.now)));
            None
        };
        if let Err(error) = self.within_deadline(self.read(user, &mut step)).await? {
            return Err(self.failed(user, error).await);
        }
        match seen.expect("a store that answers Ok has run the step") {
            Ok(seen) => Ok(seen),
            Err(error) => Err(self.failed(user, error).await),
        }
    }

    /// Runs a step that changes nothing. If its answer is lost, it is read again.
    async fn read(&self, user: &UserKey, step: Step<'_>) -> Result<(), StoreError> {
        for _ in 1..ATTEMPTS_MAX {
            match self.store.transact(user, step).await {
                Err(StoreError::OutcomeUnknown(_)) => {}
                known => return known,
            }
        }
        self.store.transact(user, step).await
    }
}
