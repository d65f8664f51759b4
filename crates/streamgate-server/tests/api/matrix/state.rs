//! What a server holds of each tenant, and what must not have changed of it or have been told.

use std::collections::BTreeMap;

use serde_json::Value;
use streamgate_server::Keys;

use super::credentials::{Tenant, USER};
use super::{Asks, SESSION, STRANGER};
use crate::support::operations::Operation;
use crate::support::{Answer, Service, keys};

/// A user of one tenant only, so that its name betrays the tenant.
const fn mark(tenant: Tenant) -> &'static str {
    match tenant {
        Tenant::Default => "only-of-default",
        Tenant::Other => "only-of-other",
    }
}

const TENANTS: [Tenant; 2] = [Tenant::Default, Tenant::Other];

/// The key that sees all of a tenant.
const fn admin_of(tenant: Tenant) -> &'static str {
    match tenant {
        Tenant::Default => "admin",
        Tenant::Other => "other",
    }
}

/// All users and sessions of each tenant, as its admin sees them: by tenant, then by user.
#[derive(Debug, PartialEq)]
pub(super) struct State(Vec<BTreeMap<String, Vec<Value>>>);

/// The keys of the admins, lent to a server that has none for as long as this lives.
struct Lent<'a>(Option<&'a Service>);

impl<'a> Lent<'a> {
    fn to(service: &'a Service, asks: Asks) -> Self {
        let needy = (!asks.has_keys()).then_some(service);
        if let Some(service) = needy {
            service.set_keys(keys());
        }
        Self(needy)
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        if let Some(service) = self.0 {
            service.set_keys(Keys::default());
        }
    }
}

/// Starts a session of each user of each tenant, and has a start of one of them refused, which the
/// node remembers.
pub(super) async fn fill(service: &Service, asks: Asks) {
    let _keys = Lent::to(service, asks);
    for tenant in TENANTS {
        for user in [USER, STRANGER, mark(tenant)] {
            let path = format!("/v1/users/{user}/sessions/{SESSION}");
            let answer = service.call_as(admin_of(tenant), "PUT", &path).await;
            assert_eq!(answer.status, 201, "{}", answer.text());
        }
        for (session, status) in [("a", 201), ("b", 201), ("c", 409)] {
            let path = format!("/v1/users/{}/sessions/{session}", mark(tenant));
            let answer = service.call_as(admin_of(tenant), "PUT", &path).await;
            assert_eq!(answer.status, status, "{}", answer.text());
        }
    }
}

impl State {
    /// What the server holds now.
    pub(super) async fn of(service: &Service, asks: Asks) -> Self {
        let _keys = Lent::to(service, asks);
        let mut all = Vec::new();
        for tenant in TENANTS {
            let mut of_users: BTreeMap<String, Vec<Value>> = BTreeMap::new();
            for list in ["users", "sessions"] {
                let path = format!("/v1/{list}");
                let page = service.call_as(admin_of(tenant), "GET", &path).await.json();
                for entry in page[list].as_array().unwrap() {
                    let user = entry["user_id"].as_str().unwrap().to_owned();
                    of_users.entry(user).or_default().push(entry.clone());
                }
            }
            all.push(of_users);
        }
        Self(all)
    }

    /// Asserts that nothing changed but the user that the call named, in the tenant of its caller.
    pub(super) fn assert_others_unchanged(
        &self,
        before: &Self,
        tenant: Tenant,
        operation: &Operation,
        user: &str,
        cell: &str,
    ) {
        for ((place, after), before) in TENANTS.into_iter().zip(&self.0).zip(&before.0) {
            let may_change = |name: &str| place == tenant && name == user;
            let others = |of: &BTreeMap<String, Vec<Value>>| {
                let others = of.iter().filter(|(name, _)| !may_change(name));
                others
                    .map(|(name, of)| (name.clone(), of.clone()))
                    .collect::<Vec<_>>()
            };
            assert_eq!(others(after), others(before), "{cell}");
            if operation.scope().is_none() {
                assert_eq!(after, before, "{cell}");
            }
        }
    }
}

/// Asserts that an answer names no user of another tenant, nor one that is not a viewer's own.
pub(super) fn assert_nothing_revealed(
    answer: &Answer,
    tenant: Tenant,
    only_user: Option<&str>,
    cell: &str,
) {
    let text = answer.text();
    for other in TENANTS {
        let is_own = other == tenant && only_user.is_none();
        assert!(is_own || !text.contains(mark(other)), "{cell}: {text}");
    }
}
