//! Verifying: whose token is it, is its signature right, what do its claims say, and was it seen
//! before.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::dangerous::insecure_decode_claims;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{decode, decode_header};
use serde::Deserialize;
use streamgate_clock::{Stopwatch, wall_ms};
use streamgate_core::TenantId;

use crate::TOKEN_MAX_BYTES;
use crate::algorithm::Algorithm;
use crate::cache::TokenCache;
use crate::claims::{self, Claims};
use crate::issuer::{Issuer, IssuerKeys, Location, Source, Trusted};
use crate::keys::KeySet;
use crate::minting::{SigningKey, VerifyingKey, verifying_set};
use crate::refused::Refused;
use crate::remote::{FetchKeys, RemoteKeys, RemoteStatus};
use crate::viewer::Viewer;

/// The name of this server among issuers, in logs.
const OWN_NAME: &str = "streamgate";

/// Whose tokens are accepted.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Settings {
    /// Those of others.
    pub issuers: Vec<Issuer>,
    /// Those that this server mints.
    pub own: OwnTokens,
}

/// Tokens that this server mints.
#[derive(Debug, Clone, PartialEq)]
pub struct OwnTokens {
    /// Their claim `iss`.
    pub issuer: String,
    /// Their claim `aud`.
    pub audience: String,
    /// The key that signs them; none are minted without it.
    pub signing: Option<Arc<SigningKey>>,
    /// The key that signed them before: its tokens are accepted until they expire.
    pub previous: Option<VerifyingKey>,
}

impl Default for OwnTokens {
    fn default() -> Self {
        Self {
            issuer: OWN_NAME.to_owned(),
            audience: OWN_NAME.to_owned(),
            signing: None,
            previous: None,
        }
    }
}

impl OwnTokens {
    /// The keys whose tokens are accepted, the one that signs first.
    pub fn keys(&self) -> impl Iterator<Item = &VerifyingKey> {
        let signing = self.signing.as_deref().map(SigningKey::public);
        let previous = self
            .previous
            .as_ref()
            .filter(move |it| Some(*it) != signing);
        signing.into_iter().chain(previous)
    }
}

/// Why settings do not go together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// Two issuers have one name.
    #[error("two issuers have the name {0:?}")]
    Name(Arc<str>),
    /// Two issuers issue under one `iss`: a token would have two meanings.
    #[error("two issuers have the iss {0:?}")]
    Issuer(String),
}

impl Settings {
    /// Whether nobody's tokens are accepted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.issuers.is_empty() && self.own.keys().next().is_none()
    }

    /// Checks that a token has one issuer at most.
    ///
    /// # Errors
    /// [`SettingsError`].
    pub fn check(&self) -> Result<(), SettingsError> {
        let (mut names, mut texts) = (BTreeSet::new(), BTreeSet::from([&*self.own.issuer]));
        for issuer in &self.issuers {
            if !names.insert(&issuer.name) {
                return Err(SettingsError::Name(Arc::clone(&issuer.name)));
            }
            if !texts.insert(&issuer.issuer) {
                return Err(SettingsError::Issuer(issuer.issuer.clone()));
            }
        }
        Ok(())
    }
}

/// A moment, on the clocks that a verification needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// The wall clock, in seconds since 1970: what tokens are compared with.
    pub wall_s: i64,
    /// The time that has passed, for the age of keys.
    pub passed: Duration,
}

/// Verifies tokens.
pub struct Verifier {
    trusted: Vec<Trusted>,
    own: OwnTokens,
    cache: TokenCache,
    watch: Stopwatch,
}

/// Accepts nobody's tokens.
impl Default for Verifier {
    fn default() -> Self {
        Self {
            trusted: Vec::new(),
            own: OwnTokens::default(),
            cache: TokenCache::new(),
            watch: Stopwatch::start(),
        }
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut issuers = f.debug_list();
        issuers.entries(self.trusted.iter().map(|it| &it.issuer.name));
        issuers.finish()
    }
}

/// The claim of a token that was not verified, which says whose keys to verify it with.
#[derive(Deserialize)]
struct Unverified {
    iss: String,
}

impl Verifier {
    /// Accepts the tokens of these settings. Keys at the same URL as those of the verifier `before`
    /// are kept, with their age; others are fetched by `fetch`, in threads that the caller
    /// [starts](RemoteKeys::start).
    ///
    /// # Errors
    /// [`SettingsError`].
    pub fn new(
        settings: Settings,
        fetch: &Arc<dyn FetchKeys>,
        before: Option<&Self>,
    ) -> Result<Self, SettingsError> {
        settings.check()?;
        let watch = before.map_or_else(Stopwatch::start, |before| before.watch);
        let own_keys = verifying_set(settings.own.keys());
        let own = Issuer {
            name: OWN_NAME.into(),
            issuer: settings.own.issuer.clone(),
            audience: settings.own.audience.clone(),
            source: Source::Set(own_keys.clone()),
            algorithms: vec![Algorithm::Es256],
            tenant: TenantId::default_tenant(),
            user_claim: "sub".to_owned(),
            plan_claim: None,
            limit_claim: None,
        };
        let own = (settings.own.keys().next().is_some())
            .then(|| Trusted::new(own, IssuerKeys::Fixed(own_keys), true));
        let others = settings.issuers.into_iter().map(|issuer| {
            let keys = match &issuer.source {
                Source::Set(keys) => IssuerKeys::Fixed(keys.clone()),
                Source::Secret(secret) => IssuerKeys::Fixed(KeySet::of_secret(secret)),
                Source::Url(at) => {
                    let kept = before.and_then(|before| before.remote_of(&issuer.name, at));
                    IssuerKeys::Remote(kept.unwrap_or_else(|| {
                        let name = Arc::clone(&issuer.name);
                        Arc::new(RemoteKeys::new(name, at.clone(), Arc::clone(fetch), watch))
                    }))
                }
            };
            Trusted::new(issuer, keys, false)
        });
        Ok(Self {
            trusted: own.into_iter().chain(others).collect(),
            own: settings.own,
            cache: TokenCache::new(),
            watch,
        })
    }

    /// Tokens that this server mints.
    #[must_use]
    pub const fn own(&self) -> &OwnTokens {
        &self.own
    }

    /// Whether tokens of others are accepted.
    #[must_use]
    pub fn has_issuers(&self) -> bool {
        self.trusted.iter().any(|it| !it.is_own)
    }

    /// Whether a token says that it is this server's own, and such tokens are accepted.
    #[must_use]
    pub fn is_own(&self, token: &[u8]) -> bool {
        let is_own = |trusted: &Trusted| trusted.is_own;
        token.len() <= TOKEN_MAX_BYTES
            && self.trusted.iter().any(is_own)
            && issuer_of(token).is_ok_and(|iss| iss == self.own.issuer)
    }

    /// The moment.
    #[must_use]
    pub fn now(&self) -> Now {
        Now {
            wall_s: wall_ms().div_euclid(1_000),
            passed: self.watch.elapsed(),
        }
    }

    /// The viewer that this token authenticates, if it is valid now.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn verify(&self, token: &[u8], now: Now) -> Result<Arc<Viewer>, Refused> {
        if let Some(viewer) = self.recall(token, now) {
            return Ok(viewer);
        }
        let viewer = Arc::new(self.verify_anew(token, now)?);
        self.cache.insert(Arc::clone(&viewer));
        Ok(viewer)
    }

    /// The viewer that this token authenticates, if it was verified lately and is still valid.
    #[must_use]
    pub fn recall(&self, token: &[u8], now: Now) -> Option<Arc<Viewer>> {
        let viewer = self.cache.get(token)?;
        if self.is_current(&viewer, now) {
            return Some(viewer);
        }
        self.cache.remove(token);
        None
    }

    /// Whether the token of a viewer that was accepted before still is: for calls that last. While
    /// the keys of its issuer cannot be had, it is until it expires.
    #[must_use]
    pub fn still_accepts(&self, viewer: &Viewer, now: Now) -> bool {
        match self.verify(&viewer.token, now) {
            Ok(_) => true,
            Err(Refused::KeysUnavailable { .. }) => now.wall_s < viewer.over_at_s,
            Err(_) => false,
        }
    }

    /// Forgets every token: the next call of each bearer verifies it anew.
    pub fn forget(&self) {
        self.cache.clear();
    }

    /// How many verified tokens are remembered.
    #[must_use]
    pub fn remembered(&self) -> usize {
        self.cache.len()
    }

    /// The keys at URLs.
    pub fn remote_keys(&self) -> impl Iterator<Item = &Arc<RemoteKeys>> {
        self.trusted.iter().filter_map(|it| match &it.keys {
            IssuerKeys::Remote(keys) => Some(keys),
            IssuerKeys::Fixed(_) => None,
        })
    }

    /// How the fetches of each issuer with a URL go.
    #[must_use]
    pub fn status(&self) -> Vec<RemoteStatus> {
        let passed = self.watch.elapsed();
        self.remote_keys().map(|keys| keys.status(passed)).collect()
    }

    fn remote_of(&self, name: &str, at: &Location) -> Option<Arc<RemoteKeys>> {
        let mut named = self.trusted.iter().filter(|it| &*it.issuer.name == name);
        named.find_map(|it| match &it.keys {
            IssuerKeys::Remote(keys) if keys.at == *at => Some(Arc::clone(keys)),
            _ => None,
        })
    }

    /// Whether a verified token would be accepted again.
    fn is_current(&self, viewer: &Viewer, now: Now) -> bool {
        now.wall_s < viewer.over_at_s
            && match &self.trusted[viewer.issued_by].keys {
                IssuerKeys::Fixed(_) => true,
                IssuerKeys::Remote(keys) => {
                    keys.is_usable(now.passed) && keys.generation() == viewer.generation
                }
            }
    }

    fn verify_anew(&self, token: &[u8], now: Now) -> Result<Viewer, Refused> {
        if token.len() > TOKEN_MAX_BYTES {
            return Err(Refused::TooLong);
        }
        if token.iter().filter(|byte| **byte == b'.').count() != 2 {
            return Err(Refused::Malformed);
        }
        let iss = issuer_of(token)?;
        let trusted = (0..).zip(&self.trusted);
        let (issued_by, trusted) = trusted
            .into_iter()
            .find(|(_, it)| it.issuer.issuer == iss)
            .ok_or(Refused::UnknownIssuer)?;
        // An algorithm that no library knows, `none` among them, does not even parse.
        let header = decode_header(token).map_err(|_| Refused::Signature)?;
        let algorithm = Algorithm::of_header(header.alg).ok_or(Refused::Signature)?;
        let how = trusted.decoding(algorithm).ok_or(Refused::Signature)?;
        let kid = header.kid.as_deref();
        let verify = |keys: &KeySet| {
            let mut refused = Refused::Signature;
            for key in keys.candidates(kid, algorithm) {
                match decode::<Claims>(token, &key.decoding, how) {
                    Ok(data) => return Ok(data),
                    Err(error) => refused = of_decoding(&error),
                }
            }
            Err(refused)
        };
        let (data, generation) = match &trusted.keys {
            IssuerKeys::Fixed(keys) => (verify(keys)?, 0),
            IssuerKeys::Remote(remote) => {
                let found = remote.find(kid, now.passed);
                let (keys, generation) = found.map_err(|fetching| Refused::KeysUnavailable {
                    issuer: Arc::clone(&trusted.issuer.name),
                    fetching,
                })?;
                (verify(&keys)?, generation)
            }
        };
        let said = claims::check(&data.claims, trusted, now.wall_s)?;
        Ok(Viewer {
            user: said.user,
            tenant: said.tenant,
            issuer: Arc::clone(&trusted.issuer.name),
            token_id: said.token_id,
            entitlement: said.entitlement,
            token: token.into(),
            issued_by,
            generation,
            over_at_s: said.over_at_s,
        })
    }
}

/// The refusal of a token that a key does not decode.
fn of_decoding(error: &jsonwebtoken::errors::Error) -> Refused {
    match error.kind() {
        ErrorKind::Base64(_) | ErrorKind::Json(_) | ErrorKind::Utf8(_) => Refused::Malformed,
        _ => Refused::Signature,
    }
}

/// What a token that was not verified says about its issuer.
fn issuer_of(token: &[u8]) -> Result<String, Refused> {
    insecure_decode_claims::<Unverified>(token)
        .map(|claims| claims.iss)
        .map_err(|_| Refused::Malformed)
}
