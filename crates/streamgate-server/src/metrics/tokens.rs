//! Metrics of credentials: viewer tokens that were not accepted, the keys of their issuers, and
//! addresses that fail too often.

use std::sync::atomic::Ordering;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use streamgate_tokens::{Refused, RemoteStatus};

use super::page::Page;

/// The label of an issuer: its name, as settings have it.
type Issuer = [(&'static str, String); 1];

/// Metrics of credentials.
#[derive(Debug)]
pub(super) struct TokenMetrics {
    refused: [Counter; Refused::CLASSES.len()],
    keys_age: Family<Issuer, Gauge>,
    fetch_failures: Family<Issuer, Counter>,
    pub(super) failed_auth_limited: Counter,
}

impl TokenMetrics {
    pub(super) fn new(page: &mut Page) -> Self {
        Self {
            refused: page.counters(
                "streamgate_tokens_refused",
                "Viewer tokens that were not accepted, by reason; keys_unavailable answers 503",
                "reason",
                Refused::CLASSES,
            ),
            keys_age: page.add(
                "streamgate_issuer_keys_age_seconds",
                "Age of the keys that were fetched from an issuer; -1 while there are none. Keys \
                 are used for a day",
                Family::default(),
            ),
            fetch_failures: page.total(
                "streamgate_issuer_fetch_failures",
                "Fetches of the keys of an issuer that have failed",
                Family::default(),
            ),
            failed_auth_limited: page.counter(
                "streamgate_failed_auth_limited",
                "Requests answered 429 because their address failed to authenticate too often \
                 (rate_limit.failed_auth_per_address_per_min)",
            ),
        }
    }

    pub(super) fn refused(&self, class: usize) {
        self.refused[class].inc();
    }

    /// Shows the issuers that there are now, and no others.
    pub(super) fn set_issuers(&self, issuers: &[RemoteStatus]) {
        self.keys_age.clear();
        self.fetch_failures.clear();
        for issuer in issuers {
            let label = [("issuer", issuer.issuer.to_string())];
            let age = issuer.age.map(|age| i64::try_from(age.as_secs()));
            let age = age.map_or(-1, |age| age.unwrap_or(i64::MAX));
            self.keys_age.get_or_create(&label).set(age);
            let failures = self.fetch_failures.get_or_create(&label);
            failures.inner().store(issuer.failures, Ordering::Relaxed);
        }
    }
}
