//! The settings of the store, and their validation.

use std::fmt;
use std::time::Duration;

use streamgate_clock::StallRule;
use streamgate_core::Policy;
use streamgate_store::versioned::NotUsable;

use crate::connection::{CertificateError, Certificates};
use crate::url::{self, Credentials, Servers, UrlError};

/// The longest prefix of names, in bytes.
const KEY_PREFIX_MAX_BYTES: usize = 64;

/// How to reach the servers.
#[derive(Clone)]
pub struct RedisSettings {
    /// `redis://…`, `redis+sentinel://…`, `redis+cluster://…`, each also as `rediss…` for TLS. It
    /// may hold a password, so it is never shown.
    pub url: String,
    /// What the names of all keys begin with, so that several installations can share a server.
    /// ASCII letters, digits, `-`, `_`, `.` and `:`, at most 64.
    pub key_prefix: String,
    /// The connect timeout, handshake included.
    pub connect_timeout: Duration,
    /// The response timeout, after which the outcome of a commit is unknown.
    pub response_timeout: Duration,
    /// How many replicas must have a commit before it is answered; 0 to wait for none.
    pub wait_replicas: u32,
    /// The longest wait of a commit for them. Shorter than the response timeout.
    pub wait_timeout: Duration,
    /// Whether servers may evict keys, although the limit does not hold for users whose key is
    /// gone.
    pub allow_eviction: bool,
    /// When a silence or a leap of a server's clock counts as a stall.
    pub stall_rule: StallRule,
    /// Certificates, for the `rediss…` URLs.
    pub tls: Certificates,
    /// The name and password of the sentinels, which have their own.
    pub sentinel_credentials: Credentials,
}

impl RedisSettings {
    /// The servers at this URL, with defaults for all else.
    #[must_use]
    pub fn new(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            key_prefix: "sg".to_owned(),
            connect_timeout: Duration::from_secs(1),
            response_timeout: Duration::from_secs(2),
            wait_replicas: 0,
            wait_timeout: Duration::from_secs(1),
            allow_eviction: false,
            stall_rule: StallRule::of(&Policy::default()),
            tls: Certificates::default(),
            sentinel_credentials: Credentials::default(),
        }
    }

    /// Validates what needs no server.
    ///
    /// # Errors
    /// The first that is not valid.
    pub fn check(&self) -> Result<(), SettingsError> {
        url::parse(&self.url)?;
        self.tls.check()?;
        let prefix = self.key_prefix.as_bytes();
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(byte);
        if prefix.is_empty() || prefix.len() > KEY_PREFIX_MAX_BYTES || !prefix.iter().all(plain) {
            return Err(SettingsError::KeyPrefix);
        }
        if self.connect_timeout.is_zero() || self.response_timeout.is_zero() {
            return Err(SettingsError::Timeout);
        }
        let may_wait_ms = 1..self.response_timeout.as_millis();
        if self.wait_replicas > 0 && !may_wait_ms.contains(&self.wait_timeout.as_millis()) {
            return Err(SettingsError::WaitTimeout);
        }
        Ok(())
    }
}

/// What the URL asks for; all `false` for a URL that is not valid.
impl RedisSettings {
    /// Whether connections use TLS.
    #[must_use]
    pub fn wants_tls(&self) -> bool {
        url::parse(&self.url).is_ok_and(|location| location.tls)
    }

    /// Whether sentinels are asked for the primary.
    #[must_use]
    pub fn wants_sentinels(&self) -> bool {
        url::parse(&self.url)
            .is_ok_and(|location| matches!(location.servers, Servers::Sentinel { .. }))
    }
}

impl fmt::Debug for RedisSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisSettings")
            .field("url", &"hidden")
            .field("key_prefix", &self.key_prefix)
            .field("connect_timeout", &self.connect_timeout)
            .field("response_timeout", &self.response_timeout)
            .field("wait_replicas", &self.wait_replicas)
            .field("wait_timeout", &self.wait_timeout)
            .field("allow_eviction", &self.allow_eviction)
            .field("tls", &self.tls)
            .field("sentinel_credentials", &self.sentinel_credentials)
            .finish()
    }
}

/// Why settings are not valid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// The URL cannot be understood.
    #[error("the URL of the store is not valid: {0}")]
    Url(#[from] UrlError),
    /// The prefix of names is not valid.
    #[error("the key prefix must be 1 to 64 ASCII letters, digits, '-', '_', '.' or ':'")]
    KeyPrefix,
    /// A timeout is 0.
    #[error("the connect timeout and the response timeout must be longer than nothing")]
    Timeout,
    /// The time to wait for replicas is 0, or not below the response timeout.
    #[error("the time to wait for replicas must be at least 1 ms and below the response timeout")]
    WaitTimeout,
    /// A certificate or a key cannot be read.
    #[error("a certificate or key cannot be used: {0}")]
    Certificates(#[from] CertificateError),
}

impl From<SettingsError> for NotUsable {
    fn from(error: SettingsError) -> Self {
        Self::Refused(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_checked_and_hide_what_is_secret() {
        let good = RedisSettings::new("redis://u:secret@h");
        assert_eq!(good.check(), Ok(()));
        assert!(!format!("{good:?}").contains("secret"));
        let wants = |url| {
            let settings = RedisSettings::new(url);
            (settings.wants_tls(), settings.wants_sentinels())
        };
        assert_eq!(wants("redis://h"), (false, false));
        assert_eq!(wants("rediss+cluster://h"), (true, false));
        assert_eq!(wants("rediss+sentinel://h/main"), (true, true));
        assert_eq!(wants("rediss+sentinel://h"), (false, false), "no URL");
        for prefix in ["", "a{b", "ü", &"x".repeat(65)] {
            let settings = RedisSettings {
                key_prefix: prefix.to_owned(),
                ..good.clone()
            };
            assert_eq!(settings.check(), Err(SettingsError::KeyPrefix));
        }
        let settings = RedisSettings {
            response_timeout: Duration::ZERO,
            ..good.clone()
        };
        assert_eq!(settings.check(), Err(SettingsError::Timeout));
        for wait_ms in [0, 2_000] {
            let settings = RedisSettings {
                wait_replicas: 1,
                wait_timeout: Duration::from_millis(wait_ms),
                ..good.clone()
            };
            assert_eq!(settings.check(), Err(SettingsError::WaitTimeout));
        }
    }
}
