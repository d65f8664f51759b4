//! Who may issue tokens: the settings of one issuer, in use.

use std::sync::Arc;

use jsonwebtoken::Validation;
use streamgate_core::TenantId;

use crate::algorithm::Algorithm;
use crate::keys::{KeySet, Secret};
use crate::remote::RemoteKeys;

/// An issuer as settings have it.
#[derive(Debug, Clone, PartialEq)]
pub struct Issuer {
    /// What operators call it; appears in logs and metrics.
    pub name: Arc<str>,
    /// The claim `iss` of its tokens, exactly.
    pub issuer: String,
    /// What the claim `aud` of its tokens must be, or have in its list, exactly.
    pub audience: String,
    /// Its keys.
    pub source: Source,
    /// The algorithms that it may use; not empty.
    pub algorithms: Vec<Algorithm>,
    /// The tenant of its users.
    pub tenant: TenantId,
    /// The claim that names the user.
    pub user_claim: String,
    /// The claim that names the plan of the user, if one does.
    pub plan_claim: Option<String>,
    /// The claim with the limit of the user, if one has it.
    pub limit_claim: Option<String>,
}

/// Where the keys of an issuer come from.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// A URL, fetched again and again.
    Url(Location),
    /// A key set that was read from a file.
    Set(KeySet),
    /// A secret that was read from a file.
    Secret(Secret),
}

/// Where a key set is published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// The URL.
    pub url: String,
    /// The authorities that its certificate must come from, in PEM; `None`: those of the web.
    pub authorities: Option<Arc<[u8]>>,
}

/// The keys of an issuer, in use.
#[derive(Debug)]
pub(crate) enum IssuerKeys {
    Fixed(KeySet),
    Remote(Arc<RemoteKeys>),
}

/// An issuer, in use.
#[derive(Debug)]
pub(crate) struct Trusted {
    pub(crate) issuer: Issuer,
    pub(crate) keys: IssuerKeys,
    /// Whether the tokens are this server's own.
    pub(crate) is_own: bool,
    /// How a token is decoded, by its algorithm.
    decodings: Vec<(Algorithm, Validation)>,
}

impl Trusted {
    pub(crate) fn new(issuer: Issuer, keys: IssuerKeys, is_own: bool) -> Self {
        let algorithms = issuer.algorithms.iter();
        let decodings = algorithms.map(|it| (*it, signature_only(*it))).collect();
        Self {
            issuer,
            keys,
            is_own,
            decodings,
        }
    }

    /// How a token is decoded that uses this algorithm; `None` if the issuer may not use it.
    pub(crate) fn decoding(&self, algorithm: Algorithm) -> Option<&Validation> {
        let mut decodings = self.decodings.iter();
        decodings
            .find(|(it, _)| *it == algorithm)
            .map(|(_, how)| how)
    }
}

/// Checks header and signature by this one algorithm. Claims are checked by [`crate::claims`],
/// which takes the time as an argument.
fn signature_only(algorithm: Algorithm) -> Validation {
    let mut validation = Validation::new(algorithm.jwa());
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    validation
}
