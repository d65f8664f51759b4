//! Viewer tokens of a server: the key that signs them, and the keys of issuers.
//!
//! What is *not* here: what a token says and whether it is valid (`streamgate-tokens`).

mod fetch;
mod signing_key;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use streamgate_tokens::{FetchKeys, RemoteKeys, Settings, Verifier};

use self::fetch::Https;
use crate::exit::{Code, Failure};

/// The verifier in use, and what makes the next one.
pub(crate) struct Tokens {
    verifier: Arc<Verifier>,
    fetch: Arc<dyn FetchKeys>,
    /// Where a signing key is kept that no setting names.
    data_dir: Option<PathBuf>,
}

impl Tokens {
    /// Begins with these settings. A server with a data directory, and without a signing key, makes
    /// one there.
    pub(crate) fn start(settings: Settings, data_dir: Option<&Path>) -> Result<Self, Failure> {
        let fetch: Arc<dyn FetchKeys> = Arc::new(Https);
        let settings = with_signing_key(settings, data_dir)?;
        let verifier = Verifier::new(settings, &fetch, None)
            .map_err(|error| Failure::new(Code::Usage, error.to_string()))?;
        let tokens = Self {
            verifier: Arc::new(verifier),
            fetch,
            data_dir: data_dir.map(Path::to_owned),
        };
        tokens.verifier.remote_keys().try_for_each(start)?;
        Ok(tokens)
    }

    /// What verifies tokens now.
    pub(crate) fn verifier(&self) -> Arc<Verifier> {
        Arc::clone(&self.verifier)
    }

    /// Goes on with these settings. The keys of issuers that stay are not fetched again.
    pub(crate) fn replace(&mut self, settings: Settings) -> Result<Arc<Verifier>, Failure> {
        let settings = with_signing_key(settings, self.data_dir.as_deref())?;
        let old = self.verifier();
        let new = Verifier::new(settings, &self.fetch, Some(&old))
            .map_err(|error| Failure::new(Code::Usage, error.to_string()))?;
        let is_in = |verifier: &Verifier, keys: &Arc<RemoteKeys>| {
            verifier.remote_keys().any(|other| Arc::ptr_eq(other, keys))
        };
        let added = new.remote_keys().filter(|keys| !is_in(&old, keys));
        added.into_iter().try_for_each(start)?;
        let removed = old.remote_keys().filter(|keys| !is_in(&new, keys));
        removed.for_each(|keys| keys.stop());
        self.verifier = Arc::new(new);
        Ok(self.verifier())
    }
}

/// Their threads fetch nothing more.
impl Drop for Tokens {
    fn drop(&mut self) {
        self.verifier.remote_keys().for_each(|keys| keys.stop());
    }
}

fn start(keys: &Arc<RemoteKeys>) -> Result<(), Failure> {
    keys.start().map_err(|error| {
        let message = format!("no thread to fetch the keys of issuers: {error}");
        Failure::new(Code::Problem, message)
    })
}

fn with_signing_key(mut settings: Settings, data_dir: Option<&Path>) -> Result<Settings, Failure> {
    let own = &mut settings.own;
    if let (None, Some(dir)) = (&own.signing, data_dir) {
        own.signing = Some(Arc::new(signing_key::of_directory(dir)?));
    }
    Ok(settings)
}
