//! `GET /.well-known/jwks.json`: the public keys of the tokens that this server mints.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use streamgate_tokens::key_set_of;
use utoipa::ToSchema;

use crate::state::App;
use crate::wire::answer::{JSON, with_body};

/// How long others may keep the set. Verifiers that do not ask again for an unknown key need a new
/// one in the set for so long before it signs.
const CACHE: HeaderValue = HeaderValue::from_static("public, max-age=300");

/// A key set (RFC 7517).
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its shape is used, for the document")]
pub(crate) struct JsonWebKeySet {
    /// The key that signs; behind it, while one replaces the other, the one that signed before.
    #[schema(max_items = 2)]
    keys: Vec<JsonWebKey>,
}

/// A public key on P-256, for ES256.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its shape is used, for the document")]
pub(crate) struct JsonWebKey {
    /// Always `EC`.
    #[schema(example = "EC")]
    kty: String,
    /// Always `P-256`.
    #[schema(example = "P-256")]
    crv: String,
    /// The first coordinate, in base64url.
    x: String,
    /// The second coordinate, in base64url.
    y: String,
    /// Its name: the thumbprint of RFC 7638.
    kid: String,
    /// Always `ES256`.
    #[schema(example = "ES256")]
    alg: String,
    /// Always `sig`.
    #[schema(rename = "use", example = "sig")]
    usage: String,
}

/// The public keys of minted tokens
///
/// For programs that verify viewer tokens themselves, such as a CDN. Empty where the server mints
/// none.
#[utoipa::path(
    get,
    path = "/.well-known/jwks.json",
    tag = "tokens",
    security(()),
    responses((status = 200, description = "The keys.", body = JsonWebKeySet))
)]
pub(crate) async fn jwks(State(app): State<Arc<App>>) -> Response {
    let tokens = app.tokens.load();
    let mut answer = with_body(StatusCode::OK, JSON, key_set_of(tokens.own().keys()));
    answer.headers_mut().insert(header::CACHE_CONTROL, CACHE);
    answer
}
