//! The viewer that a token authenticates, and what the token says about the user.

use std::fmt;
use std::sync::Arc;

use streamgate_core::admission::SetUser;
use streamgate_core::{TenantId, UserKey};

/// The bearer of a token that was verified.
pub struct Viewer {
    /// The one user that it may act for.
    pub user: UserKey,
    /// The tenant of that user.
    pub tenant: TenantId,
    /// The name of the issuer, as settings have it.
    pub issuer: Arc<str>,
    /// The id of the token (`jti`), if it has one of at most 256 bytes.
    pub token_id: Option<Box<str>>,
    /// The plan and the limit of the user, if the issuer says something about them.
    pub entitlement: Result<Option<Box<SetUser>>, BadEntitlement>,
    pub(crate) token: Box<[u8]>,
    /// The place of the issuer in the verifier.
    pub(crate) issued_by: usize,
    /// Which keys of the issuer it was verified with.
    pub(crate) generation: u64,
    /// From this second on it is not valid any more, skew included.
    pub(crate) over_at_s: i64,
}

/// A claim about the user that cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadEntitlement {
    /// The plan is no text of 1 to 256 bytes.
    #[error("the token's plan is no name of a plan")]
    Plan,
    /// The limit is no whole number from 0 to 1,000.
    #[error("the token's limit is no whole number from 0 to 1000")]
    Limit,
}

/// Without the token.
impl fmt::Debug for Viewer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Viewer")
            .field("user", &self.user)
            .field("issuer", &self.issuer)
            .field("token_id", &self.token_id)
            .finish_non_exhaustive()
    }
}
