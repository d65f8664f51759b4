//! Authorization of a request: key or token, scope, rate limits, and the ids in the path.
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
use streamgate_tokens::Viewer;

use crate::caller::grant::{Grant, Identity};
use crate::caller::keys::{ApiKey, KEY_PREFIX, KeyRef, Keys, Scope};
use crate::caller::rate_limit::CallerId;
use crate::caller::tokens::{self, once_keys_are_there};
use crate::caller::{browser, client};
use crate::problem::{ApiError, Code, FieldErrors};
use crate::state::App;
use crate::wire::path::{decoded, segment};

/// The header of a key; `Authorization` is the other way to present one.
static X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// A scope as a type, for signatures.
pub(crate) trait Needs: Send + Sync + 'static {
    const SCOPE: Scope;
    /// Whether the call changes something although its method is safe: then pages of other origins
    /// may not make a browser send it.
    const CHANGES: bool = false;
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
/// Needs the scope `admin`, for a GET that is no mere read.
#[derive(Debug)]
pub(crate) struct AdminByGet;

impl Needs for Player {
    const SCOPE: Scope = Scope::Player;
}
impl Needs for Service {
    const SCOPE: Scope = Scope::Service;
}
impl Needs for Admin {
    const SCOPE: Scope = Scope::Admin;
}
impl Needs for AdminByGet {
    const SCOPE: Scope = Scope::Admin;
    const CHANGES: bool = true;
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
    pub(crate) viewer: Option<Arc<Viewer>>,
}

impl<N: Needs> FromRequestParts<Arc<App>> for Caller<N> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        once_keys_are_there(|| {
            let keys = app.keys.load();
            let changes = N::CHANGES || !browser::is_safe(&parts.method);
            let grant = authorize_call(app, &keys, parts, N::SCOPE, true, changes)?;
            grant.without_user()?;
            Ok(Self {
                tenant: grant.tenant().clone(),
                identity: grant.identity(app, parts),
                needs: PhantomData,
            })
        })
        .await
    }
}

impl<N: Needs> FromRequestParts<Arc<App>> for UserPath<N> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        once_keys_are_there(|| {
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
        })
        .await
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

/// The session that the path of an event stream names, and who calls, under the same conditions.
/// `changes` says whether the stream renews the session's lease.
pub(crate) fn authorize_stream(
    app: &App,
    parts: &Parts,
    needed: Scope,
    changes: bool,
) -> Result<(UserKey, SessionId, Identity), ApiError> {
    let keys = app.keys.load();
    let grant = authorize_call(app, &keys, parts, needed, true, changes)?;
    let mut errors = FieldErrors::default();
    let user = user_id(segment(&parts.uri, 2), grant.tenant(), &mut errors);
    let id = errors
        .check("session_id", segment(&parts.uri, 4))
        .and_then(|text| errors.check("session_id", SessionId::new(&text)));
    errors.finish()?;
    let user = grant.about(app, user.expect(VALID))?;
    Ok((user, id.expect(VALID), grant.identity(app, parts)))
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
    // The credential first, then its rate, then its scope: an unknown caller uses up no rate, and a
    // caller without the scope uses up its own.
    if keys.is_open() {
        return without_keys(app, parts, needed, needs_key, changes);
    }
    match presented(&parts.headers) {
        Some(Presented::Key(key)) => {
            let (_, key) = keys.find(key).ok_or_else(unknown_key)?;
            permitted(app, key, needed)
        }
        Some(Presented::Token(token)) => tokens::permitted(app, parts, token, needed),
        None if needs_key => Err(unauthenticated("the request brings no API key")),
        None => anonymous(app, parts, changes),
    }
}

/// The grant of a call to a server that has no keys. It is open unless it has issuers of tokens;
/// but who brings a token of this server's own is the viewer that it names.
fn without_keys<'a>(
    app: &'a App,
    parts: &Parts,
    needed: Scope,
    needs_credential: bool,
    changes: bool,
) -> Result<Grant<'a>, ApiError> {
    let presented = presented(&parts.headers);
    if !app.has_issuers() {
        return match presented {
            Some(Presented::Token(token)) if tokens::is_own(app, token) => {
                tokens::permitted(app, parts, token, needed)
            }
            _ => anonymous(app, parts, changes),
        };
    }
    match presented {
        Some(Presented::Token(token)) => tokens::permitted(app, parts, token, needed),
        Some(Presented::Key(_)) => Err(unknown_key()),
        None if needs_credential => Err(unauthenticated("the request brings no viewer token")),
        None => anonymous(app, parts, changes),
    }
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
            "a rate limit by address was reached by a peer that sends X-Forwarded-For and is not \
             in http.trusted_proxies: if it is a proxy, all its clients count as one"
        );
    }
}

/// What a request presents.
enum Presented<'a> {
    /// The text of an API key.
    Key(&'a [u8]),
    /// A token: three parts with dots between.
    Token(&'a [u8]),
}

/// The key in `x-api-key`, else what is in `Authorization: Bearer`.
fn presented(headers: &HeaderMap) -> Option<Presented<'_>> {
    // The first header decides: if its key is wrong, the other header is not tried.
    if let Some(key) = headers.get(&X_API_KEY) {
        return Some(Presented::Key(key.as_bytes()));
    }
    let (scheme, credential) = headers
        .get(header::AUTHORIZATION)?
        .as_bytes()
        .split_at_checked("Bearer ".len())?;
    if !scheme.eq_ignore_ascii_case(b"Bearer ") {
        return None;
    }
    let credential = credential.trim_ascii();
    let is_token = !credential.starts_with(KEY_PREFIX.as_bytes())
        && memchr::memchr_iter(b'.', credential).count() == 2;
    Some(if is_token {
        Presented::Token(credential)
    } else {
        Presented::Key(credential)
    })
}

fn unauthenticated(detail: &'static str) -> ApiError {
    ApiError::new(Code::Unauthenticated, detail)
        .with_header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
}

#[cold]
fn unknown_key() -> ApiError {
    unauthenticated("the API key is not known")
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
