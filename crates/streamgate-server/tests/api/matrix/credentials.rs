//! Every kind of credential that a call can bring.

use std::fmt;
use std::sync::{Arc, LazyLock};

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use streamgate_clock::wall_ms;
use streamgate_core::{TenantId, UserKey};
use streamgate_tokens::SigningKey;

use crate::support::viewers::{login_token, own_token, signing_key, token_at};

/// The user of the viewers' tokens.
pub(super) const USER: &str = "ann";

/// Whose users a credential addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tenant {
    Default,
    Other,
}

/// A credential, and what it is good for.
#[derive(Debug)]
pub(super) struct Credential {
    /// What it is, for messages.
    name: &'static str,
    /// The header that carries it, and its value.
    header: Option<(HeaderName, String)>,
    /// Its scope, counted from `viewer`; `None` if it is not valid.
    pub(super) rank: Option<usize>,
    pub(super) tenant: Tenant,
    /// The one user that it may act for.
    pub(super) only_user: Option<&'static str>,
    /// Whether it counts as none.
    pub(super) is_absent: bool,
    /// Whether it is a token of this server, which also a server that asks for nothing looks at.
    pub(super) is_token: bool,
}

/// The key of the servers, which sign with it.
pub(super) static SIGNING: LazyLock<Arc<SigningKey>> = LazyLock::new(signing_key);

const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// One of each kind. The keys are those of [`crate::support::keys`].
pub(super) fn credentials() -> Vec<Credential> {
    presented_keys().into_iter().chain(tokens()).collect()
}

/// No credential, and each kind of key.
fn presented_keys() -> Vec<Credential> {
    let key = |value| Some((X_API_KEY, value));
    let bearer = |value| Some((header::AUTHORIZATION, value));
    vec![
        Credential {
            is_absent: true,
            ..Credential::new("nothing", None, None)
        },
        Credential::new("an unknown key", key("revoked"), None),
        Credential::new("an empty key", key(""), None),
        Credential::new("an unknown bearer", bearer("Bearer revoked"), None),
        Credential {
            is_absent: true,
            ..Credential::new("a scheme of another kind", bearer("Basic player"), None)
        },
        Credential::new("a key of scope player", key("player"), Some(1)),
        Credential::new("the same as a bearer", bearer("Bearer player"), Some(1)),
        Credential::new("a key of scope service", key("service"), Some(2)),
        Credential::new("a key of scope admin", key("admin"), Some(3)),
        Credential {
            tenant: Tenant::Other,
            ..Credential::new("an admin key of another tenant", key("other"), Some(3))
        },
    ]
}

/// One of each kind of token.
fn tokens() -> Vec<Credential> {
    vec![
        Credential::token("a viewer token", &own_token(&SIGNING, USER), Some(0)),
        Credential {
            only_user: Some("carl"),
            ..Credential::token(
                "a viewer token of another user",
                &own_token(&SIGNING, "carl"),
                Some(0),
            )
        },
        Credential {
            tenant: Tenant::Other,
            ..Credential::token(
                "a viewer token of another tenant",
                &of_tenant("other"),
                Some(0),
            )
        },
        Credential {
            is_token: false,
            ..Credential::token(
                "a token of a trusted issuer",
                &login_token(USER, &json!({})),
                Some(0),
            )
        },
        Credential {
            is_token: false,
            ..Credential::token(
                "a token of an unknown issuer",
                &by_issuer("https://elsewhere.example"),
                None,
            )
        },
        Credential::token("an unsigned viewer token", &unsigned(), None),
        Credential::new(
            "a viewer token as a key",
            Some((X_API_KEY, &*own_token(&SIGNING, USER))),
            None,
        ),
        Credential::token(
            "an expired viewer token",
            &token_at(&SIGNING, USER, 10_000),
            None,
        ),
        Credential::token(
            "a viewer token that another key signed",
            &own_token(&signing_key(), USER),
            None,
        ),
    ]
}

/// An own token for [`USER`] of this tenant.
fn of_tenant(tenant: &str) -> String {
    minted("streamgate", tenant)
}

/// A token for [`USER`] that our key signed under the name of another issuer.
fn by_issuer(issuer: &str) -> String {
    minted(issuer, "default")
}

fn minted(issuer: &str, tenant: &str) -> String {
    let user = UserKey::of_text(&TenantId::new(tenant).unwrap(), USER).unwrap();
    let minted = SIGNING.mint((issuer, "streamgate"), &user, wall_ms() / 1_000, 600);
    minted.unwrap().token
}

/// An own token whose header says that it has no signature.
fn unsigned() -> String {
    let token = own_token(&SIGNING, USER);
    let claims = token.split('.').nth(1).unwrap();
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#);
    format!("{header}.{claims}.")
}

impl Credential {
    fn new(name: &'static str, header: Option<(HeaderName, &str)>, rank: Option<usize>) -> Self {
        Self {
            name,
            header: header.map(|(name, value)| (name, value.to_owned())),
            rank,
            tenant: Tenant::Default,
            only_user: None,
            is_absent: false,
            is_token: false,
        }
    }

    /// An own token for [`USER`] of the default tenant.
    fn token(name: &'static str, token: &str, rank: Option<usize>) -> Self {
        let header = (header::AUTHORIZATION, format!("Bearer {token}"));
        Self {
            name,
            header: Some(header),
            only_user: Some(USER),
            is_token: true,
            ..Self::new(name, None, rank)
        }
    }

    /// Writes it into the head of a request.
    pub(super) fn present(&self, headers: &mut HeaderMap) {
        if let Some((name, value)) = &self.header {
            headers.insert(name, HeaderValue::from_str(value).unwrap());
        }
    }
}

impl fmt::Display for Credential {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(self.name)
    }
}
