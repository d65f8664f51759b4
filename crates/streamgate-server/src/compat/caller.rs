//! The caller of a dialect: its tenant, and the ids that it names.

use std::marker::PhantomData;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use streamgate_core::admission::{Admitted, Refused, Start, StartOutcome};
use streamgate_core::{SessionId, TenantId, UserId, UserKey};
use streamgate_engine::Engine;

use super::dialect::Dialect;
use crate::caller::access::Needs;
use crate::caller::grant::{Permit, entitlement, unknown_plan};
use crate::caller::tokens::once_keys_are_there;
use crate::problem::{ApiError, Code};
use crate::state::App;
use crate::telemetry::audit::{Action, Note};

/// An authenticated caller of the dialect `D`, with the scope `N`.
pub(crate) struct DialectCaller<D, N> {
    app: Arc<App>,
    permit: Permit,
    dialect: PhantomData<fn() -> (D, N)>,
}

impl<D: Dialect, N: Needs> FromRequestParts<Arc<App>> for DialectCaller<D, N> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        once_keys_are_there(|| {
            Ok(Self {
                permit: D::caller(parts, app, N::SCOPE)?,
                app: Arc::clone(app),
                dialect: PhantomData,
            })
        })
        .await
    }
}

impl<D: Dialect, N> DialectCaller<D, N> {
    /// The engine that runs the commands of the dialect.
    pub(crate) fn engine(&self) -> &Engine {
        &self.app.engine
    }

    /// The tenant of the users that the caller names.
    pub(crate) fn tenant(&self) -> &TenantId {
        &self.permit.tenant
    }

    /// The line in the audit log of a call that does this to a user.
    pub(crate) fn note(&self, action: Action, user: &UserKey) -> Note {
        let by = &self.permit.identity;
        self.app.audit.note_about(action, by, user)
    }

    /// The same of a stop, which has a line only if no player makes it.
    pub(crate) fn note_of_stop(&self, user: &UserKey) -> Note {
        if self.permit.identity.is_above_player() {
            self.note(Action::StopSession, user)
        } else {
            Note::none()
        }
    }

    /// The user of this name, if the caller may act for it and it is within its rate. `field` is
    /// the dialect's word for it.
    pub(crate) fn user(&self, field: &str, name: &str) -> Result<UserKey, ApiError> {
        let user = UserId::new(name).map_err(|error| ApiError::field(field, error))?;
        let user = UserKey::new(&self.permit.tenant, &user);
        self.permit.about(&self.app, user)
    }

    /// The command that starts the session `id`, with the lease of this dialect, and with what the
    /// caller's token says about the user.
    pub(crate) fn start_of(&self, id: SessionId) -> Result<Start, ApiError> {
        Ok(Start {
            lease: Some(self.app.compat.lease_of(D::NAME)),
            sets: entitlement(self.permit.identity.viewer())?,
            ..Start::new(id)
        })
    }

    /// Starts the session `id`, or renews its lease if it is live; or says why every slot is taken.
    pub(crate) async fn start(
        &self,
        user: &UserKey,
        id: SessionId,
    ) -> Result<Result<Admitted, Refused>, ApiError> {
        let started = self.engine().start(user, &self.start_of(id)?).await?;
        match started.outcome {
            StartOutcome::Admitted(admitted) | StartOutcome::AlreadyLive(admitted) => {
                Ok(Ok(admitted))
            }
            StartOutcome::Refused(refused) => Ok(Err(refused)),
            StartOutcome::Taken => Err(session_taken()),
            StartOutcome::UnknownPlan(_) => Err(unknown_plan()),
        }
    }
}

/// The error of a start whose session is live on another device. Dialects name no devices, so their
/// starts do not meet it.
pub(crate) fn session_taken() -> ApiError {
    ApiError::new(Code::SessionTaken, "the session is live on another device")
}

/// The session of this name. `field` is the dialect's word for it.
pub(crate) fn session_id(field: &str, name: &str) -> Result<SessionId, ApiError> {
    SessionId::new(name).map_err(|error| ApiError::field(field, error))
}
