//! The policy in use. It can be replaced while calls are decided.
//!
//! Every step loads it once, so a decision and what is stored of it follow one policy. Every
//! heartbeat needs a load, so it takes no lock and touches no reference count that processors
//! share.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use streamgate_core::Policy;

/// The policy of an engine, replaceable.
pub(crate) struct CurrentPolicy(ArcSwap<Policy>);

impl CurrentPolicy {
    pub(crate) fn new(policy: Arc<Policy>) -> Self {
        Self(ArcSwap::new(policy))
    }

    pub(crate) fn load(&self) -> PolicyNow {
        PolicyNow(self.0.load())
    }

    pub(crate) fn replace(&self, policy: Arc<Policy>) {
        self.0.store(policy);
    }
}

/// The policy as loaded. Load it anew for each decision rather than keep it.
pub struct PolicyNow(Guard<Arc<Policy>>);

impl Deref for PolicyNow {
    type Target = Policy;

    fn deref(&self) -> &Policy {
        &self.0
    }
}

impl fmt::Debug for PolicyNow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
