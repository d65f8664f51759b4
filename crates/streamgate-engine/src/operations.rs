//! The operations on one user.

use streamgate_core::admission::{
    EraseUser, Erased, IfKnown, ImportUser, ImportedUser, ResetUser, SessionsQuery, SessionsView,
    SetUser, SetUserOutcome, Settle, Start, StartOutcome, Stop, StopNewest, StopNewestOutcome,
    StopOutcome, UserView, Watching, WithSessions, sessions_of, user_of, watching_of,
};
use streamgate_core::{Ledger, Moment, Policy, UserKey};
use streamgate_store::{Step, StoreError, View};

use crate::engine::{ATTEMPTS_MAX, Engine, decide_on};
use crate::error::EngineError;
use crate::fail_open::Answered;
use crate::observer::Answer;

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
    /// Starts a session, or says why not.
    ///
    /// # Errors
    /// [`EngineError`]; after a retryable one the same start may be sent again.
    pub async fn start(
        &self,
        user: &UserKey,
        start: &Start,
    ) -> Result<Answered<StartOutcome>, EngineError> {
        let decided = self.execute(user, start).await;
        let decided = decided.inspect(|outcome| self.observer.answered(Answer::Start(outcome)));
        self.or_admit(user, start, decided, |outcome, _| outcome)
    }

    /// Starts a session, or says why not; and who is watching after that.
    ///
    /// # Errors
    /// [`EngineError`]; after a retryable one the same start may be sent again.
    pub async fn start_and_list(
        &self,
        user: &UserKey,
        start: Start,
    ) -> Result<Answered<(StartOutcome, Vec<Watching>)>, EngineError> {
        let command = WithSessions(start);
        let decided = self.execute(user, &command).await;
        let decided =
            decided.inspect(|(outcome, _)| self.observer.answered(Answer::Start(outcome)));
        self.or_admit(user, &command.0, decided, |outcome, session| {
            let content_id = session.metadata.and_then(|metadata| metadata.content_id);
            let id = session.id;
            (outcome, vec![Watching { id, content_id }])
        })
    }

    /// Starts a session of a user that is known, or says why not; `None` if the user is not known.
    ///
    /// # Errors
    /// [`EngineError`]; after a retryable one the same start may be sent again.
    pub async fn start_if_known(
        &self,
        user: &UserKey,
        start: Start,
    ) -> Result<Answered<Option<StartOutcome>>, EngineError> {
        let command = IfKnown(start);
        let decided = self.execute(user, &command).await;
        if let Ok(Some(outcome)) = &decided {
            self.observer.answered(Answer::Start(outcome));
        }
        self.or_admit(user, &command.0, decided, |outcome, _| Some(outcome))
    }

    /// Stops a session.
    ///
    /// # Errors
    /// [`EngineError`].
    pub async fn stop(&self, user: &UserKey, stop: &Stop) -> Result<StopOutcome, EngineError> {
        let was_degraded = self.forget_degraded(user, &stop.id);
        let outcome = match self.execute(user, stop).await? {
            StopOutcome::Unknown if was_degraded => StopOutcome::Stopped,
            outcome => outcome,
        };
        self.observer.answered(Answer::Stop(&outcome));
        Ok(outcome)
    }

    /// Stops the session that started last, and says how many are left.
    ///
    /// # Errors
    /// [`EngineError`]. It is not safe to repeat by a caller that does not know whether it was
    /// done: the next call ends the next session.
    pub async fn stop_newest(&self, user: &UserKey) -> Result<NewestStopped, EngineError> {
        self.within_deadline(async {
            let mut stop = StopNewest::default();
            loop {
                match self.execute(user, &stop).await? {
                    // Named now; and again, if another started or ended meanwhile.
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
        })
        .await?
    }

    /// Changes plan, limit or profile of a user.
    ///
    /// # Errors
    /// [`EngineError`].
    pub async fn set_user(
        &self,
        user: &UserKey,
        set: &SetUser,
    ) -> Result<SetUserOutcome, EngineError> {
        self.execute(user, set).await
    }

    /// Ends all sessions of a user and erases it.
    ///
    /// # Errors
    /// [`EngineError`].
    pub async fn erase_user(&self, user: &UserKey) -> Result<Erased, EngineError> {
        self.forget_degraded_of(user);
        self.execute(user, &EraseUser).await
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
        self.forget_degraded_of(user);
        self.execute(user, reset).await
    }

    /// Takes over a user from another system: starts its sessions as far as slots are free.
    ///
    /// # Errors
    /// [`EngineError`].
    pub async fn import_user(
        &self,
        user: &UserKey,
        import: &ImportUser,
    ) -> Result<ImportedUser, EngineError> {
        self.execute(user, import).await
    }

    /// Who of a user is watching now: a page of the live sessions.
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

    /// A user; `None` if it was never seen, or is forgotten.
    ///
    /// # Errors
    /// [`EngineError`].
    pub async fn user(&self, user: &UserKey) -> Result<Option<UserView>, EngineError> {
        self.look(user, |ledger, policy, now| {
            ledger.is_known().then(|| user_of(ledger, policy, now))
        })
        .await
    }

    /// A user and what it watches now; `None` if it was never seen, or is
    /// forgotten.
    ///
    /// # Errors
    /// [`EngineError`].
    pub async fn user_and_sessions(
        &self,
        user: &UserKey,
    ) -> Result<Option<(UserView, Vec<Watching>)>, EngineError> {
        self.look(user, |ledger, policy, now| {
            let known = ledger.is_known();
            known.then(|| {
                (
                    user_of(ledger, policy, now),
                    watching_of(ledger, policy, now),
                )
            })
        })
        .await
    }

    /// Looks at a user's ledger, brought up to the present, without changing what is stored.
    async fn look<T: Send>(
        &self,
        user: &UserKey,
        look: impl Fn(&Ledger, &Policy, Moment) -> T + Send + Sync,
    ) -> Result<T, EngineError> {
        let mut seen = None;
        let mut step = |view: View<'_>| {
            let policy = self.policy();
            let decided = decide_on(view, &policy, &Settle);
            seen = Some(decided.map(|decision| look(&decision.ledger, &policy, view.now)));
            None
        };
        self.within_deadline(self.read(user, &mut step))
            .await?
            .map_err(|error| self.failed(user, error))?;
        seen.expect("a store that answers Ok has run the step")
            .map_err(|error| self.failed(user, error))
    }

    /// Runs a step that changes nothing. Where its answer is lost, reading again is all it takes.
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
