//! Rate limits: requests of one caller, about one user, of the viewers of one user, and failed
//! authentications of one address.
//!
//! These limits protect the service. The limit of concurrent sessions is not among them: it is the
//! core's, and exact.

use std::hash::Hash;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use streamgate_core::UserKey;

use crate::caller::client::network_of;
use crate::caller::failed_auth::{FailedAuth, TooManyFailures};
use crate::metrics::Metrics;
use crate::problem::{ApiError, Code};
use crate::settings::RateLimitSettings;

/// After this many checks a limiter drops idle entries, so that its memory is bounded by the
/// callers of the last second and this many more.
const CHECKS_PER_SWEEP: u32 = 10_000;

/// What is counted as one caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum CallerId {
    /// A key, by a part of its hash: its place among the keys can change while the server runs.
    Key(u64),
    /// An address, where no keys are asked for; a network where it is one of IPv6.
    Address(IpAddr),
}

impl CallerId {
    /// The caller at this address. Requests that came from no connection are of one caller.
    pub(crate) fn at(address: Option<IpAddr>) -> Self {
        Self::Address(network_of(address.unwrap_or(IpAddr::from([0, 0, 0, 0]))))
    }
}

/// The limits that are configured.
#[derive(Debug)]
pub(crate) struct RateLimits {
    callers: Option<Limiter<CallerId>>,
    users: Option<Limiter<UserKey>>,
    viewers: Option<Limiter<UserKey>>,
    failed_auth: Option<FailedAuth>,
    metrics: Arc<Metrics>,
}

impl RateLimits {
    /// The limits that are configured; others cost nothing.
    pub(crate) fn new(settings: RateLimitSettings, metrics: &Arc<Metrics>) -> Self {
        Self {
            callers: settings.per_key_per_s.map(Limiter::new),
            users: settings.per_user_per_s.map(Limiter::new),
            viewers: settings.viewer_per_user_per_s.map(Limiter::new),
            failed_auth: settings
                .failed_auth_per_address_per_min
                .map(FailedAuth::new),
            metrics: Arc::clone(metrics),
        }
    }

    /// Counts a request of a caller.
    pub(crate) fn check_caller(&self, caller: impl FnOnce() -> CallerId) -> Result<(), ApiError> {
        match &self.callers {
            None => Ok(()),
            Some(limiter) => limiter.check(&caller(), "the caller sends too many requests"),
        }
    }

    /// Counts a request about a user.
    pub(crate) fn check_user(&self, user: &UserKey) -> Result<(), ApiError> {
        match &self.users {
            None => Ok(()),
            Some(limiter) => limiter.check(user, "too many requests about this user"),
        }
    }

    /// Counts a request of a viewer, about its own user.
    pub(crate) fn check_viewer(&self, user: &UserKey) -> Result<(), ApiError> {
        match &self.viewers {
            None => Ok(()),
            Some(limiter) => limiter.check(user, "too many requests with tokens of this user"),
        }
    }

    /// Whether a credential of this address may be verified at a cost: not if too many were wrong.
    /// A request that came from no connection has no address to count.
    pub(crate) fn check_unverified(&self, address: Option<IpAddr>) -> Result<(), ApiError> {
        let (Some(limit), Some(address)) = (&self.failed_auth, address) else {
            return Ok(());
        };
        limit
            .check(address)
            .map_err(|over| self.failed_too_often(over))
    }

    /// Counts a failed authentication of this address.
    pub(crate) fn check_failed(&self, address: Option<IpAddr>) -> Result<(), ApiError> {
        let (Some(limit), Some(address)) = (&self.failed_auth, address) else {
            return Ok(());
        };
        limit
            .count(address)
            .map_err(|over| self.failed_too_often(over))
    }

    #[cold]
    fn failed_too_often(&self, TooManyFailures(seconds): TooManyFailures) -> ApiError {
        self.metrics.failed_auth_limited();
        ApiError::retry_after(
            Code::TooManyRequests,
            "too many requests of this address brought no valid credential",
            seconds,
        )
    }
}

/// One quota for each of many.
#[derive(Debug)]
struct Limiter<K: Hash + Eq + Clone> {
    inner: DefaultKeyedRateLimiter<K>,
    clock: DefaultClock,
    checks: AtomicU32,
}

impl<K: Hash + Eq + Clone> Limiter<K> {
    fn new(per_s: NonZeroU32) -> Self {
        Self {
            inner: RateLimiter::keyed(Quota::per_second(per_s)),
            clock: DefaultClock::default(),
            checks: AtomicU32::new(0),
        }
    }

    /// Counts one call. If it is over the quota, the error says when the next one is allowed, in
    /// whole seconds and at least one: a client would obey `Retry-After: 0` at once.
    fn check(&self, key: &K, detail: &'static str) -> Result<(), ApiError> {
        if self.checks.fetch_add(1, Ordering::Relaxed) % CHECKS_PER_SWEEP == CHECKS_PER_SWEEP - 1 {
            self.inner.retain_recent();
            self.inner.shrink_to_fit();
        }
        self.inner.check_key(key).map_err(|until| {
            let wait = until.wait_time_from(self.clock.now());
            let seconds = u32::try_from(wait.as_millis().div_ceil(1_000)).unwrap_or(u32::MAX);
            ApiError::retry_after(Code::TooManyRequests, detail, seconds.max(1))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limiter_drops_idle_callers() {
        // So fast that every entry is idle by the next check.
        let limiter = Limiter::<u32>::new(NonZeroU32::new(1_000_000_000).unwrap());
        for key in 0..CHECKS_PER_SWEEP + 10 {
            limiter.check(&key, "").unwrap();
        }
        assert!(limiter.inner.len() < 1_000, "{}", limiter.inner.len());
    }
}
