//! Every kind of credential that a call can bring.

use std::fmt;

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

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
}

const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// One of each kind. The keys are those of [`crate::support::keys`].
pub(super) fn credentials() -> Vec<Credential> {
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

impl Credential {
    fn new(name: &'static str, header: Option<(HeaderName, &str)>, rank: Option<usize>) -> Self {
        Self {
            name,
            header: header.map(|(name, value)| (name, value.to_owned())),
            rank,
            tenant: Tenant::Default,
            only_user: None,
            is_absent: false,
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
