//! `POST /v1/users/{user_id}/tokens`: mints a viewer token.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Number;
use streamgate_core::UserKey;
use utoipa::ToSchema;

use crate::caller::access::{Service, UserPath};
use crate::problem::{ApiError, Code};
use crate::problem_docs::NeedsSigningKey;
use crate::state::App;
use crate::telemetry::audit::{Action, Note};
use crate::wire;
use crate::wire::body::JsonBody;
use crate::wire::number::whole_of;
use crate::wire::schema::{UserIdSchema, UserParam};
use crate::wire::time::rfc3339;

/// Bounds of a token's life, in seconds, and how long it lives unless the body says.
const TTL_MIN_S: u32 = 60;
const TTL_MAX_S: u32 = 86_400;
const TTL_DEFAULT_S: u32 = 3_600;

/// How long a token is valid.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TokenRequest {
    /// In seconds from now.
    #[serde(default, deserialize_with = "required_if_present")]
    #[schema(value_type = u32, required = false, minimum = 60, maximum = 86_400, default = 3_600)]
    ttl_s: Option<Number>,
}

/// A field that is there has a value: `null` is an error.
fn required_if_present<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Number>, D::Error> {
    Number::deserialize(deserializer).map(Some)
}

/// A token.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MintedToken<'a> {
    /// The token: a JWT that is signed with ES256.
    token: &'a str,
    /// Always `Bearer`.
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// The user that its bearer may act for.
    #[schema(value_type = UserIdSchema)]
    user_id: &'a str,
    /// When it expires. An app asks its backend for the next one before.
    #[schema(format = DateTime, example = "2026-11-21T06:30:00.000Z")]
    expires_at: String,
}

/// Mint a viewer token
///
/// A credential for an app: its bearer may start, renew, stop, list and listen for this user, and
/// do nothing else. Nothing is stored, so a token cannot be revoked before it expires.
/// Scope: `service`.
#[utoipa::path(
    post,
    path = "/v1/users/{user_id}/tokens",
    extensions(("x-streamgate-scope" = json!("service"))),
    tag = "tokens",
    params(UserParam),
    request_body = Option<TokenRequest>,
    responses(
        NeedsSigningKey,
        (status = 201, description = "The token.", body = MintedToken<'_>),
    )
)]
pub(crate) async fn mint_token(
    State(app): State<Arc<App>>,
    target: UserPath<Service>,
    body: JsonBody,
) -> Result<Response, ApiError> {
    let by = &target.identity;
    let mut note = app.audit.note_about(Action::MintToken, by, &target.user);
    let minted = mint(&app, &target.user, &body, &mut note);
    note.close(minted)
}

/// Mints what the body asks for.
fn mint(app: &App, user: &UserKey, body: &JsonBody, note: &mut Note) -> Result<Response, ApiError> {
    let ttl_s = body.parse::<TokenRequest>()?.ttl_s()?;
    let tokens = app.tokens.load_full();
    let own = tokens.own();
    let signing = own.signing.as_deref().ok_or_else(not_configured)?;
    let names = (own.issuer.as_str(), own.audience.as_str());
    let minted = signing
        .mint(names, user, tokens.now().wall_s, ttl_s)
        .map_err(|why| ApiError::new(Code::Internal, "no token could be made").with_cause(why))?;
    let expires_at_ms = minted.expires_at_s.saturating_mul(1_000);
    let expires_at = rfc3339(u64::try_from(expires_at_ms).unwrap_or(0));
    note.set_token(minted.token_id, expires_at.clone());
    let answer = MintedToken {
        token: &minted.token,
        token_type: "Bearer",
        user_id: user.user(),
        expires_at,
    };
    Ok(wire::json(StatusCode::CREATED, &answer))
}

impl TokenRequest {
    /// How long the token lives, in seconds.
    fn ttl_s(&self) -> Result<u32, ApiError> {
        let ttl_s = self.ttl_s.as_ref().map(|number| {
            whole_of(number, TTL_MIN_S..=TTL_MAX_S).map_err(|why| ApiError::field("ttl_s", why))
        });
        ttl_s.unwrap_or(Ok(TTL_DEFAULT_S))
    }
}

fn not_configured() -> ApiError {
    ApiError::new(
        Code::NotConfigured,
        "this server has no key to sign tokens with: set tokens.signing_key_file, the same on all \
         nodes that share a store",
    )
}
