//! The credential of an event stream, which is looked at again while the stream is open: it ends
//! with the credential. What is *not* here: how a caller is recognised ([`crate::caller::access`]).

use crate::caller::grant::Identity;
use crate::caller::keys::Scope;
use crate::state::App;

/// Who opened a stream, and what that needs.
#[derive(Debug)]
pub(crate) struct StreamCredential {
    identity: Identity,
    tenant: Box<str>,
    needed: Scope,
}

impl StreamCredential {
    /// Of a caller that was authorized for this scope, for users of this tenant.
    pub(crate) fn new(identity: Identity, tenant: &str, needed: Scope) -> Self {
        Self {
            identity,
            tenant: tenant.into(),
            needed,
        }
    }

    /// Whether the caller would still be authorized. Its rate does not matter.
    pub(crate) fn holds(&self, app: &App) -> bool {
        let keys = app.keys.load();
        match &self.identity {
            Identity::Anonymous(_) => keys.is_open() && !app.has_issuers(),
            Identity::Key { id, .. } => keys.entries().iter().any(|key| {
                id.is_of(key) && key.scope >= self.needed && *key.tenant.as_str() == *self.tenant
            }),
            Identity::Viewer(viewer) => {
                let tokens = app.tokens.load();
                tokens.still_accepts(viewer, tokens.now())
            }
        }
    }
}
