//! Local interest: which users and tenants are watched on this node, as other nodes are told.

use std::collections::HashSet;

use streamgate_core::TenantId;

/// How many users are watched, and which tenants.
#[derive(Debug, Default)]
pub(super) struct LocalInterest {
    users: usize,
    tenants: HashSet<TenantId>,
}

impl LocalInterest {
    /// A user is watched; `true` if it is the first.
    pub(super) const fn begin_user(&mut self) -> bool {
        self.users += 1;
        self.users == 1
    }

    pub(super) const fn end_user(&mut self) {
        self.users = self.users.saturating_sub(1);
    }

    pub(super) fn begin_tenant(&mut self, tenant: &TenantId) {
        self.tenants.insert(tenant.clone());
    }

    pub(super) fn end_tenant(&mut self, tenant: &TenantId) {
        self.tenants.remove(tenant);
    }

    /// What other nodes are told: `None` for users, and each tenant.
    pub(super) fn all(&self) -> Vec<Option<TenantId>> {
        let users = (self.users > 0).then_some(None);
        let tenants = self.tenants.iter().cloned().map(Some);
        users.into_iter().chain(tenants).collect()
    }
}
