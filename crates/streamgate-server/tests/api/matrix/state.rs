//! What a server holds of each tenant, and what must not have changed of it or have been told.

use std::collections::BTreeMap;

use axum::body::Body;
use serde_json::Value;

use super::credentials::{Credential, Tenant, USER};
use super::{Asks, SESSION, STRANGER};
use crate::support::operations::Operation;
use crate::support::{Answer, Service, request};

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

/// The tenants that the server knows.
fn tenants(asks: Asks) -> &'static [Tenant] {
    if asks == Asks::Nowhere {
        &TENANTS[..1]
    } else {
        &TENANTS
    }
}

/// Starts a session of each user of each tenant.
pub(super) async fn fill(service: &Service, asks: Asks) {
    for tenant in tenants(asks) {
        for user in [USER, STRANGER, mark(*tenant)] {
            let path = format!("/v1/users/{user}/sessions/{SESSION}");
            let answer = service.call_as(admin_of(*tenant), "PUT", &path).await;
            assert_eq!(answer.status, 201, "{}", answer.text());
        }
    }
}

impl State {
    /// What the server holds now.
    pub(super) async fn of(service: &Service, asks: Asks) -> Self {
        let mut all = Vec::new();
        for tenant in tenants(asks) {
            let mut of_users: BTreeMap<String, Vec<Value>> = BTreeMap::new();
            for list in ["users", "sessions"] {
                let mut request = request("GET", &format!("/v1/{list}"), Body::empty());
                let key = admin_of(*tenant).parse().unwrap();
                request.headers_mut().insert("x-api-key", key);
                let page = service.send(request).await.json();
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
    credential: &Credential,
    cell: &str,
) {
    let text = answer.text();
    for other in TENANTS {
        let is_own = other == tenant && credential.only_user.is_none();
        assert!(is_own || !text.contains(mark(other)), "{cell}: {text}");
    }
}
