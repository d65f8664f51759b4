//! Authorization of a request: key, scope, rate limits, and the ids in the path.
//!
//! An endpoint states the scope it needs in its signature, by the extractor it takes ([`Caller`] or
//! [`UserPath`]), or in its first line ([`authorize_session`]). All of them look at the head of the
//! request only, so a caller without a key never makes the server read a body.

use std::borrow::Cow;
use std::marker::PhantomData;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use streamgate_core::{SessionId, TenantId, UserKey};

use crate::caller::grant::{Grant, Identity, Viewer};
use crate::caller::keys::{ApiKey, KeyRef, Keys, Scope};
use crate::caller::rate_limit::CallerId;
use crate::caller::{browser, client};
use crate::problem::{ApiError, Code, FieldErrors};
use crate::state::App;
use crate::wire::path::{decoded, segment};

/// The header of a key; `Authorization` is the other way to present one.
static X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// A scope as a type, for signatures.
pub(crate) trait Needs: Send + Sync + 'static {
    const SCOPE: Scope;
}

/// Needs the scope `player`.
#[derive(Debug)]
pub(crate) struct Player;
/// Needs the scope `service`.
#[derive(Debug)]
pub(crate) struct Service;
/// Needs the scope `admin`.
#[derive(Debug)]
pub(crate) struct Admin;

impl Needs for Player {
    const SCOPE: Scope = Scope::Player;
}
impl Needs for Service {
    const SCOPE: Scope = Scope::Service;
}
impl Needs for Admin {
    const SCOPE: Scope = Scope::Admin;
}

/// A caller with the scope `N`, of a call that names no user. Viewers make no such calls.
#[derive(Debug)]
pub(crate) struct Caller<N> {
    /// The tenant of the caller: all users that the call names are of this tenant.
    pub(crate) tenant: TenantId,
    /// Who calls.
    pub(crate) identity: Identity,
    needs: PhantomData<N>,
}

/// The user that the path names, for a caller with the scope `N`.
#[derive(Debug)]
pub(crate) struct UserPath<N> {
    /// The user, of the caller's tenant.
    pub(crate) user: UserKey,
    /// Who calls.
    pub(crate) identity: Identity,
    needs: PhantomData<N>,
}

/// The session that a call is about.
#[derive(Debug)]
pub(crate) struct SessionTarget {
    /// The user, of the caller's tenant.
    pub(crate) user: UserKey,
    /// The session.
    pub(crate) id: SessionId,
    /// The key that calls, if it is one.
    pub(crate) key: Option<KeyRef>,
    /// The viewer that calls, if it is one.
    #[allow(dead_code, reason = "viewer tokens, which come next, read it")]
    pub(crate) viewer: Option<Arc<Viewer>>,
}

impl<N: Needs> FromRequestParts<Arc<App>> for Caller<N> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        let keys = app.keys.load();
        let grant = authorize(app, &keys, parts, N::SCOPE)?;
        grant.without_user()?;
        Ok(Self {
            tenant: grant.tenant().clone(),
            identity: grant.identity(app, parts),
            needs: PhantomData,
        })
    }
}

impl<N: Needs> FromRequestParts<Arc<App>> for UserPath<N> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        let keys = app.keys.load();
        let grant = authorize(app, &keys, parts, N::SCOPE)?;
        let mut errors = FieldErrors::default();
        let user = user_id(segment(&parts.uri, 2), grant.tenant(), &mut errors);
        errors.finish()?;
        Ok(Self {
            user: grant.about(app, user.expect(VALID))?,
            identity: grant.identity(app, parts),
            needs: PhantomData,
        })
    }
}

/// The session that these segments of the path name (user id, session id), if the caller has the
/// scope and may act for the user, and caller and user are within their rates.
pub(crate) fn authorize_session(
    app: &App,
    parts: &Parts,
    (user, session): (&str, &str),
    needed: Scope,
) -> Result<SessionTarget, ApiError> {
    let keys = app.keys.load();
    let grant = authorize(app, &keys, parts, needed)?;
    let mut errors = FieldErrors::default();
    let user = user_id(decoded(user), grant.tenant(), &mut errors);
    let id = errors
        .check("session_id", decoded(session))
        .and_then(|text| errors.check("session_id", SessionId::new(&text)));
    errors.finish()?;
    Ok(SessionTarget {
        user: grant.about(app, user.expect(VALID))?,
        id: id.expect(VALID),
        key: grant.key_ref(),
        viewer: grant.into_viewer(),
    })
}

/// What holds once [`FieldErrors::finish`] has found no error.
const VALID: &str = "no error means an id";

/// What the caller may do, if its credential is known and has the scope.
pub(crate) fn authorize<'a>(
    app: &'a App,
    keys: &'a Keys,
    parts: &Parts,
    needed: Scope,
) -> Result<Grant<'a>, ApiError> {
    let changes = !browser::is_safe(&parts.method);
    authorize_call(app, keys, parts, needed, true, changes)
}

/// [`authorize`], told whether the call needs a key, and whether it changes something: two dialects
/// start sessions by GET.
///
/// If no key is needed, one that is sent is honoured: its tenant, scope and rate apply. An unknown
/// key (it may have been revoked) is refused as everywhere.
pub(crate) fn authorize_call<'a>(
    app: &'a App,
    keys: &'a Keys,
    parts: &Parts,
    needed: Scope,
    needs_key: bool,
    changes: bool,
) -> Result<Grant<'a>, ApiError> {
    let called = recognise(app, keys, parts, needed, needs_key, changes);
    called.map_err(|error| match error.code() {
        Code::Unauthenticated => failed(app, parts, error),
        _ => error,
    })
}

/// The same, before a failed authentication is counted.
fn recognise<'a>(
    app: &'a App,
    keys: &'a Keys,
    parts: &Parts,
    needed: Scope,
    needs_key: bool,
    changes: bool,
) -> Result<Grant<'a>, ApiError> {
    // The key first, then its rate, then its scope: an unknown caller uses up no rate, and a caller
    // without the scope uses up its own.
    if keys.is_open() {
        return anonymous(app, parts, changes);
    }
    let presented = match presented_key(&parts.headers) {
        Some(presented) => presented,
        None if needs_key => return Err(unauthenticated("the request brings no API key")),
        None => return anonymous(app, parts, changes),
    };
    let (_, key) = keys
        .find(presented)
        .ok_or_else(|| unauthenticated("the API key is not known"))?;
    permitted(app, key, needed)
}

/// The grant of a known key, if it is within its rate and has the scope.
fn permitted<'a>(app: &'a App, key: &'a ApiKey, needed: Scope) -> Result<Grant<'a>, ApiError> {
    app.limits
        .check_caller(|| CallerId::Key(key.rate_id()))
        .map_err(|error| error.with_cause(format_args!("key {:?} is over its rate", key.name)))?;
    if key.scope < needed {
        let (has, needed) = (key.scope.as_str(), needed.as_str());
        return Err(ApiError::new(
            Code::Forbidden,
            format!("this needs a key of scope {needed}; the key has scope {has}"),
        )
        .with_cause(format_args!("key {:?} has scope {has}", key.name)));
    }
    Ok(Grant::key(app, key))
}

/// The grant of a caller without a key, unless a foreign web page made a browser send the call.
fn anonymous<'a>(app: &'a App, parts: &Parts, changes: bool) -> Result<Grant<'a>, ApiError> {
    app.browser_guard.check(parts, changes)?;
    let address = || client::address(&app.trusted_proxies, &parts.headers);
    app.limits
        .check_caller(|| CallerId::at(address()))
        .inspect_err(|_| warn_of_unbelieved_proxy(app, parts))?;
    Ok(Grant::anonymous(app))
}

/// The error of a failed authentication: its own, or 429 where the address has failed too often.
#[cold]
fn failed(app: &App, parts: &Parts, error: ApiError) -> ApiError {
    let address = client::address(&app.trusted_proxies, &parts.headers);
    match app.limits.check_failed(address) {
        Ok(()) => error,
        Err(limited) => {
            warn_of_unbelieved_proxy(app, parts);
            limited
        }
    }
}

/// Tells the operator that a limit by address may have met many clients as one.
#[cold]
fn warn_of_unbelieved_proxy(app: &App, parts: &Parts) {
    if client::is_unbelieved_proxy(&app.trusted_proxies, &parts.headers) {
        tracing::warn!(
            "a rate limit by address was reached by a peer that sends X-Forwarded-For and is not in \
             http.trusted_proxies: if it is a proxy, all its clients count as one"
        );
    }
}

/// The key in `x-api-key`, else in `Authorization: Bearer`.
fn presented_key(headers: &HeaderMap) -> Option<&[u8]> {
    // The first header decides: if its key is wrong, the other header is not tried.
    if let Some(key) = headers.get(&X_API_KEY) {
        return Some(key.as_bytes());
    }
    let (scheme, token) = headers
        .get(header::AUTHORIZATION)?
        .as_bytes()
        .split_at_checked("Bearer ".len())?;
    scheme
        .eq_ignore_ascii_case(b"Bearer ")
        .then(|| token.trim_ascii())
}

fn unauthenticated(detail: &'static str) -> ApiError {
    ApiError::new(Code::Unauthenticated, detail)
        .with_header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
}

/// The user of this tenant with the id in this decoded segment of the path.
fn user_id(
    segment: Result<Cow<'_, str>, &'static str>,
    tenant: &TenantId,
    errors: &mut FieldErrors,
) -> Option<UserKey> {
    let text = errors.check("user_id", segment)?;
    errors.check("user_id", UserKey::of_text(tenant, &text))
}
