//! SIGHUP: reads the settings again and applies those that a running server can change: API keys,
//! viewer tokens and their issuers, plans, the policy, and certificates: that of the server, and
//! those for Redis by TLS.
//!
//! If any setting is wrong, nothing changes. Changed settings that need a restart are logged.

use std::collections::BTreeSet;
use std::sync::Arc;

use streamgate_clock::{StallRule, SystemClock};
use streamgate_core::Policy;
use streamgate_engine::Engine;
use streamgate_server::{Endpoints, Metrics, Tls, TlsFile};
use streamgate_store_redis::{CurrentCertificates, CurrentStallRule};
use tokio::signal::unix::Signal;

use super::exposure;
use super::systemd::Manager;
use super::tokens::Tokens;
use crate::config::sections::store::StoreSettings;
use crate::config::{self, Loaded, Problem, Settings, Sources};
use crate::exit::Failure;

/// The sources of settings, and those in use.
pub(super) struct Reloads {
    /// Where the settings come from, as at the start.
    pub(super) sources: Sources,
    /// The settings in use.
    pub(super) in_use: Loaded,
    /// Viewer tokens.
    pub(super) tokens: Tokens,
    /// The certificates of connections to the store, if they use TLS.
    pub(super) certificates: Option<CurrentCertificates>,
    /// The certificate of the server, if it speaks TLS.
    pub(super) tls: Option<Tls>,
    /// How long an interruption of this process must be to be a stall, by the policy.
    pub(super) clock: Arc<SystemClock>,
    /// The same of the servers that have the clock, if there are any.
    pub(super) stall_rule: Option<CurrentStallRule>,
    pub(super) metrics: Arc<Metrics>,
    /// SIGHUP.
    pub(super) hangup: Signal,
    /// It is told of reloads.
    pub(super) manager: Manager,
}

impl Reloads {
    /// Reloads at every SIGHUP.
    pub(super) async fn forever(mut self, engine: Arc<Engine>, endpoints: Endpoints) {
        while self.hangup.recv().await.is_some() {
            self.manager.reloading();
            let sources = self.sources.clone();
            // A file can be on a file system that does not answer.
            let taken = match tokio::task::spawn_blocking(move || config::load(sources)).await {
                Ok(read) => self.apply(read, &engine, &endpoints),
                Err(error) => self.refuse(&error.to_string()),
            };
            self.manager.reloaded(taken);
        }
    }

    /// Returns whether the settings were taken.
    fn apply(
        &mut self,
        read: Result<Loaded, Vec<Problem>>,
        engine: &Engine,
        endpoints: &Endpoints,
    ) -> bool {
        let new = match read {
            Ok(new) => new,
            Err(problems) => {
                let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
                return self.refuse(&problems.join("; "));
            }
        };
        if let Err(failure) = exposure::check(&new.settings) {
            return self.refuse(failure.message());
        }
        let opens = exposure::is_open(&new.settings) && !exposure::is_open(&self.in_use.settings);
        let tokens = match self.replace_tokens(&new.settings, opens, endpoints) {
            Ok(tokens) => tokens,
            Err(failure) => return self.refuse(failure.message()),
        };
        let mut changed = config::changed(&self.in_use, &new);
        let takes_certificates = self.replace_certificates(&new.settings.store);
        let takes_certificate = self.replace_certificate(&new.settings, &mut changed);
        let is_reloadable = |name: &str| {
            is_reloadable(name)
                || takes_certificates && name.starts_with(TLS_FILES)
                || takes_certificate && SERVER_FILES.contains(&name)
        };
        let (mut taken, mut waiting): (BTreeSet<String>, BTreeSet<String>) =
            changed.into_iter().partition(|name| is_reloadable(name));
        let keys = &new.settings.server.keys;
        // A file that is being written may have none yet, and must not open the server.
        if opens {
            for list in config::LISTS {
                if taken.remove(list) {
                    waiting.insert(format!("{list} (from some to none)"));
                }
            }
        } else {
            endpoints.set_keys(keys.clone());
            self.in_use.settings.server.keys = keys.clone();
        }
        self.in_use.settings.tokens = tokens;
        self.replace_policy(&new.settings.policy, engine);
        self.in_use.take(&new, is_reloadable);
        endpoints.set_changed_settings(config::not_default(&self.in_use));
        self.metrics.set_settings_refused(false);
        tracing::info!(
            changed = list(&taken),
            "SIGHUP: the settings were read again, and these changes are in use"
        );
        if !waiting.is_empty() {
            tracing::warn!(
                settings = list(&waiting),
                "SIGHUP: these settings have changed and need a restart; the old ones stay in use"
            );
        }
        exposure::warn_of_open_dialects(&self.in_use.settings);
        true
    }

    /// Puts a policy in use wherever one is: in the engine, and in the clocks of node and store.
    fn replace_policy(&mut self, new: &Policy, engine: &Engine) {
        let policy = Policy {
            // It belongs to the store, which stays.
            clock_skew: self.in_use.settings.policy.clock_skew,
            ..new.clone()
        };
        engine.set_policy(Arc::new(policy.clone()));
        self.clock.set_policy(&policy);
        if let Some(rule) = &self.stall_rule {
            rule.replace(StallRule::of(&policy));
        }
        self.in_use.settings.policy = policy;
    }

    /// Accepts the tokens of these settings from here on, and returns which they are.
    fn replace_tokens(
        &mut self,
        new: &Settings,
        opens: bool,
        endpoints: &Endpoints,
    ) -> Result<streamgate_tokens::Settings, Failure> {
        let mut tokens = new.tokens.clone();
        if opens {
            // A file that is being written may have no issuers yet.
            tokens
                .issuers
                .clone_from(&self.in_use.settings.tokens.issuers);
        }
        endpoints.set_tokens(self.tokens.replace(tokens.clone())?);
        Ok(tokens)
    }

    /// Keeps the settings in use: `false`, the new ones were not taken.
    fn refuse(&self, why: &str) -> bool {
        self.metrics.set_settings_refused(true);
        tracing::error!(
            reason = why,
            "SIGHUP: the settings are wrong and were not taken; the old ones stay in use"
        );
        false
    }

    /// Gives new connections of clients the certificate of these settings. Returns whether it is
    /// used: the server speaks TLS now, and would after a restart.
    fn replace_certificate(&mut self, new: &Settings, changed: &mut BTreeSet<String>) -> bool {
        let (Some(tls), Some(in_use), Some(new)) =
            (&self.tls, &mut self.in_use.settings.tls, &new.tls)
        else {
            return false;
        };
        in_use.credentials = new.credentials.clone();
        // The same files can have other contents, which a look may have found already.
        if tls.replace(new.credentials.clone()) {
            changed.insert(TlsFile::Certificate.setting().to_owned());
        }
        true
    }

    /// Gives new connections the certificates of these settings. Returns whether they are used: the
    /// store is on TLS now, and would be after a restart.
    fn replace_certificates(&mut self, new: &StoreSettings) -> bool {
        let in_use = &mut self.in_use.settings.store;
        let (StoreSettings::Redis(new), StoreSettings::Redis(in_use)) = (new, in_use) else {
            return false;
        };
        let Some(certificates) = self.certificates.as_ref().filter(|_| new.wants_tls()) else {
            return false;
        };
        certificates.replace(new.tls.clone());
        in_use.tls = new.tls.clone();
        true
    }
}

/// The settings of the server's certificate.
const SERVER_FILES: [&str; 3] = [
    TlsFile::Certificate.setting(),
    TlsFile::Key.setting(),
    TlsFile::ClientAuthorities.setting(),
];

/// The prefix of the settings of certificates for Redis.
const TLS_FILES: &str = "store.redis.tls_";

/// Whether a running server can change this setting.
fn is_reloadable(name: &str) -> bool {
    let sections = ["policy.", "plans.", "tokens."];
    sections.iter().any(|section| name.starts_with(section)) || config::list_of(name).is_some()
}

fn list(names: &BTreeSet<String>) -> String {
    if names.is_empty() {
        return "none".to_owned();
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    names.join(", ")
}
