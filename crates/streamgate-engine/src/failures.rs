//! Failures of calls about a user, reported to the observer: errors that are not the caller's, and
//! panics.
//!
//! What is *not* here: errors of work that no caller waits for (reconciliation, resolving), which
//! the callers of [`Engine::outcome`] keep to themselves.

use std::thread::panicking;

use streamgate_core::UserKey;

use crate::engine::Engine;
use crate::error::EngineError;

impl Engine {
    /// The result of a call about this user, which its caller is told.
    pub(crate) fn told<T>(
        &self,
        user: &UserKey,
        result: Result<T, EngineError>,
    ) -> Result<T, EngineError> {
        if let Err(error) = &result
            && error.is_failure()
        {
            self.observer.failed(user);
        }
        result
    }

    /// Reports a call about this user that a panic ends. To be called when the call is dropped.
    pub(crate) fn dropped(&self, user: &UserKey) {
        if panicking() {
            self.observer.failed(user);
        }
    }
}

/// Reports a panic of a call that reads a user.
pub(crate) struct ReportsPanic<'a>(pub(crate) &'a Engine, pub(crate) &'a UserKey);

impl Drop for ReportsPanic<'_> {
    fn drop(&mut self) {
        self.0.dropped(self.1);
    }
}
