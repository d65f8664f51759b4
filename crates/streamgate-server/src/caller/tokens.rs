//! Viewer tokens of requests: what one permits, and the errors of those that are not accepted.
//!
//! What is *not* here: verification (`streamgate-tokens`), and that a viewer acts for its own user
//! only ([`crate::caller::grant`]).

use std::time::Duration;

use axum::http::request::Parts;
use axum::http::{HeaderValue, header};
use streamgate_tokens::Refused;
use tokio::time::timeout;

use crate::caller::client;
use crate::caller::grant::Grant;
use crate::caller::keys::Scope;
use crate::problem::{ApiError, Code};
use crate::state::App;

/// How long a request waits for the keys of an issuer that are being fetched.
const KEYS_WAIT: Duration = Duration::from_secs(3);

/// `Retry-After` while the keys of an issuer cannot be had, in seconds.
const KEYS_RETRY_AFTER_S: u32 = 5;

/// The challenge of a token that is not accepted (RFC 6750).
const INVALID_TOKEN: HeaderValue = HeaderValue::from_static("Bearer error=\"invalid_token\"");

/// Whether a token says that it is this server's own.
#[cold]
pub(crate) fn is_own(app: &App, token: &[u8]) -> bool {
    app.tokens.load().is_own(token)
}

/// The grant of the bearer of this token, if it is valid and may do what is needed.
///
/// A token that was verified lately is accepted at once. Another one costs a signature, so it is
/// refused where too many of its address were wrong.
#[inline(never)]
pub(crate) fn permitted<'a>(
    app: &'a App,
    parts: &Parts,
    token: &[u8],
    needed: Scope,
) -> Result<Grant<'a>, ApiError> {
    let tokens = app.tokens.load();
    let now = tokens.now();
    let viewer = match tokens.recall(token, now) {
        Some(viewer) => viewer,
        None => {
            let address = client::address(&app.trusted_proxies, &parts.headers);
            app.limits.check_unverified(address)?;
            let verified = tokens.verify(token, now);
            verified.map_err(|refused| not_accepted(app, refused))?
        }
    };
    if needed > Scope::Player {
        let needed = needed.as_str();
        return Err(ApiError::new(
            Code::Forbidden,
            format!("this needs a key of scope {needed}; a viewer may do what players do"),
        ));
    }
    Ok(Grant::viewer(app, viewer))
}

/// The error about a token. It says whether the token has expired, and nothing else about it.
#[cold]
fn not_accepted(app: &App, refused: Refused) -> ApiError {
    app.metrics.token_refused(refused.class());
    let class = refused.as_str();
    let detail = match refused {
        Refused::KeysUnavailable { issuer, fetching } => {
            return ApiError::retry_after(
                Code::IssuerUnavailable,
                "the keys of the token's issuer cannot be fetched now",
                KEYS_RETRY_AFTER_S,
            )
            .with_cause(format_args!("no keys of the issuer {issuer:?}"))
            .with_fetching(fetching);
        }
        Refused::Expired => "the token has expired",
        _ => "the token is not valid",
    };
    ApiError::new(Code::Unauthenticated, detail)
        .with_header(header::WWW_AUTHENTICATE, INVALID_TOKEN)
        .with_cause(format_args!("token refused: {class}"))
}

/// Authorises a request; once more if the keys of the token's issuer were being fetched.
pub(crate) async fn once_keys_are_there<T>(
    authorize: impl Fn() -> Result<T, ApiError>,
) -> Result<T, ApiError> {
    let mut refused = match authorize() {
        Ok(authorized) => return Ok(authorized),
        Err(refused) => refused,
    };
    let Some(fetching) = refused.take_fetching() else {
        return Err(refused);
    };
    // Boxed, because the futures of all calls would grow by its timer.
    if Box::pin(timeout(KEYS_WAIT, fetching.ended()))
        .await
        .is_err()
    {
        return Err(refused);
    }
    authorize()
}
