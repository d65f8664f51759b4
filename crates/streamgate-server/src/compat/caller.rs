//! A caller that speaks a dialect: its tenant, and the ids that it names.

use std::marker::PhantomData;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use streamgate_core::admission::Start;
use streamgate_core::{SessionId, TenantId, UserId, UserKey};
use streamgate_engine::Engine;

use super::dialect::Dialect;
use super::error::DialectError;
use crate::caller::access::{self, Needs};
use crate::caller::browser;
use crate::problem::{ApiError, Code};
use crate::state::App;

/// A caller that speaks the dialect `D` and, where a key is asked for, has one of the scope `N`.
pub(crate) struct DialectCaller<D, N> {
    app: Arc<App>,
    tenant: TenantId,
    speaks: PhantomData<fn() -> (D, N)>,
}

impl<D: Dialect, N: Needs> FromRequestParts<Arc<App>> for DialectCaller<D, N> {
    type Rejection = DialectError<D>;

    async fn from_request_parts(
        parts: &mut Parts,
        app: &Arc<App>,
    ) -> Result<Self, DialectError<D>> {
        let keys = app.keys.load();
        let changes = D::CHANGES_BY_GET || !browser::is_safe(&parts.method);
        let tenant = if D::ALWAYS_ASKS_FOR_KEY || app.compat.require_key {
            access::authorize_call(app, &keys, parts, N::SCOPE, changes)
        } else {
            access::authorize_if_presented(app, &keys, parts, N::SCOPE, changes)
        };
        Ok(Self {
            tenant: tenant?.clone(),
            app: Arc::clone(app),
            speaks: PhantomData,
        })
    }
}

impl<D, N> DialectCaller<D, N> {
    /// What does the work.
    pub(crate) fn engine(&self) -> &Engine {
        &self.app.engine
    }

    /// Whose users the caller speaks of.
    pub(crate) fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// The user of this name, unless too many ask about it. `field` is what the dialect calls it.
    pub(crate) fn user(&self, field: &str, name: &str) -> Result<UserKey, ApiError> {
        let user = UserId::new(name).map_err(|error| ApiError::field(field, error))?;
        let user = UserKey::new(&self.tenant, &user);
        self.app.limits.check_user(&user)?;
        Ok(user)
    }

    /// A start of the session `id`: it lasts for as long as sessions without heartbeats do.
    pub(crate) fn start(&self, id: SessionId) -> Start {
        Start {
            lease: Some(self.app.compat.lease),
            ..Start::new(id)
        }
    }
}

/// The problem of a start whose session is another device's. Dialects name no devices, so none of
/// their starts meets it; it is said as any other problem.
pub(crate) fn session_taken() -> ApiError {
    ApiError::new(Code::SessionTaken, "the session is live on another device")
}

/// The session of this name. `field` is what the dialect calls it.
pub(crate) fn session_id(field: &str, name: &str) -> Result<SessionId, ApiError> {
    SessionId::new(name).map_err(|error| ApiError::field(field, error))
}
