//! Remote interest: which users and tenants other nodes subscribe to, so that nothing is published
//! without a subscriber.
//!
//! Only what is best effort depends on it. The changes of a user are published in any case, because
//! a listener that has just begun must miss none.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::RwLock;
use streamgate_clock::passed_ms;
use streamgate_core::TenantId;

/// How often a node says who listens to it, in milliseconds.
pub(super) const ANNOUNCED_EVERY_MS: u64 = 10_000;

/// How long that holds, in milliseconds: two announcements may get lost.
const HOLDS_MS: u64 = 3 * ANNOUNCED_EVERY_MS + 5_000;

/// Until when somebody listens. All times are since the start of this machine.
#[derive(Debug, Default)]
pub(super) struct Audience {
    users_until_ms: AtomicU64,
    /// The latest of the tenants, so that no commit takes the lock while there is none.
    tenants_until_ms: AtomicU64,
    tenants: RwLock<HashMap<Box<str>, u64>>,
}

impl Audience {
    /// Another node says that somebody listens there: to this tenant, or to users.
    pub(super) fn listens(&self, tenant: Option<TenantId>) {
        let now_ms = passed_ms();
        let until_ms = now_ms + HOLDS_MS;
        let Some(tenant) = tenant else {
            self.users_until_ms.store(until_ms, Ordering::Relaxed);
            return;
        };
        let mut tenants = self.tenants.write();
        tenants.retain(|_, until_ms| *until_ms > now_ms);
        tenants.insert(tenant.as_str().into(), until_ms);
        self.tenants_until_ms.store(until_ms, Ordering::Relaxed);
    }

    /// Whether somebody listens to users.
    pub(super) fn listens_to_users(&self) -> bool {
        self.users_until_ms.load(Ordering::Relaxed) > passed_ms()
    }

    /// Whether somebody listens to this tenant.
    pub(super) fn listens_to_tenant(&self, tenant: &str) -> bool {
        let latest_ms = self.tenants_until_ms.load(Ordering::Relaxed);
        if latest_ms == 0 {
            return false;
        }
        let now_ms = passed_ms();
        let is_listened_to = |until_ms: &u64| *until_ms > now_ms;
        latest_ms > now_ms && self.tenants.read().get(tenant).is_some_and(is_listened_to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_knows_what_others_listen_to() {
        let audience = Audience::default();
        assert!(!audience.listens_to_users());
        assert!(!audience.listens_to_tenant("default"));
        audience.listens(Some(TenantId::default_tenant()));
        assert!(audience.listens_to_tenant("default"));
        assert!(!audience.listens_to_tenant("other"));
        assert!(!audience.listens_to_users());
        audience.listens(None);
        assert!(audience.listens_to_users());
    }
}
