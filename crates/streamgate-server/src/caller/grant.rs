//! What an authorised call may do: the tenant that it may address, and who makes it.
//!
//! A viewer is restricted to one user. [`about`] is the one place that compares the user that a
//! call names with the user that a viewer is; [`Grant::without_user`] refuses viewers where a call
//! names none. What is *not* here: how the caller was recognised ([`crate::caller::access`]).

use std::sync::Arc;

use axum::http::request::Parts;
use streamgate_core::admission::SetUser;
use streamgate_core::{TenantId, UserKey};
use streamgate_tokens::Viewer;

use crate::caller::client::AddressClass;
use crate::caller::keys::{ApiKey, KeyRef, Scope};
use crate::problem::{ApiError, Code};
use crate::state::App;

/// An authorised call. It borrows from the keys, so that authorising a key allocates nothing.
#[derive(Debug)]
pub(crate) struct Grant<'a> {
    who: Who<'a>,
    /// The tenant of callers without a credential.
    default_tenant: &'a TenantId,
}

/// Who makes a call.
#[derive(Debug)]
enum Who<'a> {
    Anonymous,
    Key(&'a ApiKey),
    Viewer(Arc<Viewer>),
}

/// A grant that is kept beyond the authorisation of the call.
#[derive(Debug)]
pub(crate) struct Permit {
    /// The tenant whose users the call may name.
    pub(crate) tenant: TenantId,
    /// Who calls.
    pub(crate) identity: Identity,
}

/// Who made a call, kept beyond its authorisation: for audits.
#[derive(Debug, Clone)]
pub(crate) enum Identity {
    /// An anonymous caller, on a server that requires no credential. Holds the class of its address,
    /// if the call came on a connection.
    Anonymous(Option<AddressClass>),
    /// An API key.
    Key {
        /// What operators call it.
        name: Arc<str>,
        /// What it may do.
        scope: Scope,
        /// Tells it from other keys.
        id: KeyRef,
    },
    /// The bearer of a viewer token.
    Viewer(Arc<Viewer>),
}

impl<'a> Grant<'a> {
    /// For a caller without a credential.
    pub(crate) fn anonymous(app: &'a App) -> Self {
        Self {
            who: Who::Anonymous,
            default_tenant: &app.default_tenant,
        }
    }

    /// For the bearer of a key.
    pub(crate) fn key(app: &'a App, key: &'a ApiKey) -> Self {
        Self {
            who: Who::Key(key),
            default_tenant: &app.default_tenant,
        }
    }

    /// For the bearer of a viewer token.
    pub(crate) fn viewer(app: &'a App, viewer: Arc<Viewer>) -> Self {
        Self {
            who: Who::Viewer(viewer),
            default_tenant: &app.default_tenant,
        }
    }

    /// The tenant whose users the call may name.
    pub(crate) fn tenant(&self) -> &TenantId {
        match &self.who {
            Who::Anonymous => self.default_tenant,
            Who::Key(key) => &key.tenant,
            Who::Viewer(viewer) => &viewer.tenant,
        }
    }

    /// Takes the user that the call names, if the caller may act for it and it is within its rate.
    ///
    /// # Errors
    /// 403 for a viewer that is another user; 429.
    pub(crate) fn about(&self, app: &App, user: UserKey) -> Result<UserKey, ApiError> {
        let viewer = match &self.who {
            Who::Anonymous | Who::Key(_) => None,
            Who::Viewer(viewer) => Some(&**viewer),
        };
        about(app, viewer, user)
    }

    /// Checks that the caller may make a call that names no user.
    ///
    /// # Errors
    /// 403 for a viewer.
    pub(crate) fn without_user(&self) -> Result<(), ApiError> {
        match &self.who {
            Who::Anonymous | Who::Key(_) => Ok(()),
            Who::Viewer(_) => Err(no_user()),
        }
    }

    /// The viewer, where it is one.
    pub(crate) fn into_viewer(self) -> Option<Arc<Viewer>> {
        match self.who {
            Who::Anonymous | Who::Key(_) => None,
            Who::Viewer(viewer) => Some(viewer),
        }
    }

    /// The key, where it is one.
    pub(crate) fn key_ref(&self) -> Option<KeyRef> {
        match &self.who {
            Who::Key(key) => Some(key.reference()),
            Who::Anonymous | Who::Viewer(_) => None,
        }
    }

    /// Who makes the call with this head, to be kept.
    pub(crate) fn identity(&self, app: &App, parts: &Parts) -> Identity {
        match &self.who {
            Who::Anonymous => {
                let class = AddressClass::of_client(&app.trusted_proxies, &parts.headers);
                Identity::Anonymous(class)
            }
            Who::Key(key) => Identity::Key {
                name: Arc::clone(&key.name),
                scope: key.scope,
                id: key.reference(),
            },
            Who::Viewer(viewer) => Identity::Viewer(Arc::clone(viewer)),
        }
    }
}

impl Permit {
    /// Of the grant of the call with this head.
    pub(crate) fn of(grant: &Grant<'_>, app: &App, parts: &Parts) -> Self {
        Self {
            tenant: grant.tenant().clone(),
            identity: grant.identity(app, parts),
        }
    }

    /// As [`Grant::about`].
    pub(crate) fn about(&self, app: &App, user: UserKey) -> Result<UserKey, ApiError> {
        about(app, self.identity.viewer().map(|viewer| &**viewer), user)
    }
}

impl Identity {
    /// The viewer, where it is one.
    pub(crate) fn viewer(&self) -> Option<&Arc<Viewer>> {
        match self {
            Self::Anonymous(_) | Self::Key { .. } => None,
            Self::Viewer(viewer) => Some(viewer),
        }
    }

    /// Whether it is the key of a service or of an operator, who act for all users.
    pub(crate) fn is_above_player(&self) -> bool {
        matches!(self, Self::Key { scope, .. } if *scope > Scope::Player)
    }
}

/// Takes the user that a call names, if it is the viewer's own and within its rate.
fn about(app: &App, viewer: Option<&Viewer>, user: UserKey) -> Result<UserKey, ApiError> {
    if let Some(viewer) = viewer {
        if viewer.user != user {
            return Err(other_user());
        }
        app.limits.check_viewer(&user)?;
    }
    app.limits.check_user(&user)?;
    Ok(user)
}

/// What the token of a viewer says about its user, for a start.
///
/// # Errors
/// 403 `entitlement_unusable`.
pub(crate) fn entitlement(viewer: Option<&Arc<Viewer>>) -> Result<Option<Box<SetUser>>, ApiError> {
    match viewer.map(|viewer| &viewer.entitlement) {
        None | Some(Ok(None)) => Ok(None),
        Some(Ok(Some(entitlement))) => Ok(Some(entitlement.clone())),
        Some(Err(why)) => Err(ApiError::new(Code::EntitlementUnusable, why.to_string())),
    }
}

/// The error of a start whose token names a plan that the policy does not have.
pub(crate) fn unknown_plan() -> ApiError {
    ApiError::new(
        Code::EntitlementUnusable,
        "the token's plan is not one that the server's configuration knows",
    )
}

#[cold]
fn other_user() -> ApiError {
    ApiError::new(
        Code::Forbidden,
        "a viewer may act for its own user only, and the request names another",
    )
}

#[cold]
fn no_user() -> ApiError {
    ApiError::new(
        Code::Forbidden,
        "a viewer may act for its own user only, and this call is about more than one",
    )
}
