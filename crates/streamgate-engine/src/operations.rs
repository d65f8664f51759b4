//! The operations on one user.

use streamgate_core::admission::{
    EraseUser, Erased, Heartbeat, HeartbeatOutcome, SessionsView, SetUser, SetUserOutcome, Settle,
    Start, StartOutcome, Stop, StopOutcome, UserView, sessions_of, user_of,
};
use streamgate_core::{Ledger, Timestamp, UserKey};
use streamgate_store::{Step, StoreError, View};

use crate::engine::{ATTEMPTS_MAX, Engine};
use crate::error::EngineError;
use crate::observer::Answer;

impl Engine {
    /// Starts a session, or says why not.
    ///
    /// # Errors
    /// [`EngineError`]; after a retryable one the same start may be sent again.
    pub async fn start(&self, user: &UserKey, start: &Start) -> Result<StartOutcome, EngineError> {
        let outcome = self.execute(user, start).await?;
        self.observer.answered(Answer::Start(&outcome));
        Ok(outcome)
    }

    /// Renews the lease of a session.
    ///
    /// # Errors
    /// [`EngineError`].
    pub async fn heartbeat(
        &self,
        user: &UserKey,
        heartbeat: &Heartbeat,
    ) -> Result<HeartbeatOutcome, EngineError> {
        let outcome = self.execute(user, heartbeat).await?;
        self.observer.answered(Answer::Heartbeat(&outcome));
        Ok(outcome)
    }

    /// Stops a session.
    ///
    /// # Errors
    /// [`EngineError`].
    pub async fn stop(&self, user: &UserKey, stop: &Stop) -> Result<StopOutcome, EngineError> {
        let outcome = self.execute(user, stop).await?;
        self.observer.answered(Answer::Stop(&outcome));
        Ok(outcome)
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
        self.execute(user, &EraseUser).await
    }

    /// Who of a user is watching now.
    ///
    /// # Errors
    /// [`EngineError`].
    pub async fn sessions(&self, user: &UserKey) -> Result<SessionsView, EngineError> {
        self.look(user, |ledger, now| sessions_of(ledger, &self.policy, now))
            .await
    }

    /// A user; `None` if it was never seen, or is forgotten.
    ///
    /// # Errors
    /// [`EngineError`].
    pub async fn user(&self, user: &UserKey) -> Result<Option<UserView>, EngineError> {
        self.look(user, |ledger, now| {
            ledger
                .is_known()
                .then(|| user_of(ledger, &self.policy, now))
        })
        .await
    }

    /// Looks at a user's ledger, brought up to the present, without changing what is stored.
    async fn look<T: Send>(
        &self,
        user: &UserKey,
        look: impl Fn(&Ledger, Timestamp) -> T + Send + Sync,
    ) -> Result<T, EngineError> {
        let mut seen = None;
        let mut step = |view: View<'_>| {
            let decided = self.decide_on(view, &Settle);
            seen = Some(decided.map(|decision| look(&decision.ledger, view.now)));
            None
        };
        self.within_deadline(self.read(user, &mut step)).await??;
        seen.expect("a store that answers Ok has run the step")
            .map_err(|error| EngineError::damaged(user, error))
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
