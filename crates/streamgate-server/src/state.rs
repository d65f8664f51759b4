//! What all endpoints share, and what the connection loop adds to a request (its extensions).

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use streamgate_core::{TenantId, UserKey};
use streamgate_engine::{Engine, EngineObserver as _};
use streamgate_tokens::Verifier;

use crate::activity::Activity;
use crate::caller::browser::BrowserGuard;
use crate::caller::grant::Identity;
use crate::caller::keys::{KeyRef, Keys};
use crate::caller::rate_limit::RateLimits;
use crate::caller::trusted_proxies::TrustedProxies;
use crate::compat::CompatSettings;
use crate::metrics::Metrics;
use crate::problem::ApiError;
use crate::push::Hub;
use crate::settings::{ChangedSetting, PagesSettings};
use crate::telemetry::AuditSettings;
use crate::telemetry::audit::{Action, Note};
use crate::wire::body_bytes::BodyMemory;
use crate::wire::body_turns::BodyTurns;

/// What the endpoints share.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) engine: Arc<Engine>,
    pub(crate) metrics: Arc<Metrics>,
    /// What this node did in the past hour.
    pub(crate) activity: Arc<Activity>,
    /// Who listens to what is committed.
    pub(crate) hub: Arc<Hub>,
    /// The accepted keys. A request loads them once, without a lock, and is authorized by that set.
    pub(crate) keys: ArcSwap<Keys>,
    /// Whose tokens are accepted, and the tokens that were; replaced as the keys are.
    pub(crate) tokens: ArcSwap<Verifier>,
    /// Refuses calls of foreign web pages if no key is asked for.
    pub(crate) browser_guard: BrowserGuard,
    /// The tenant of callers without a key, if none is asked for.
    pub(crate) default_tenant: TenantId,
    pub(crate) limits: RateLimits,
    /// Which peers' `X-Forwarded-For` is trusted for the client's address.
    pub(crate) trusted_proxies: TrustedProxies,
    pub(crate) body_timeout: Duration,
    pub(crate) body_memory: Arc<BodyMemory>,
    pub(crate) body_turns: BodyTurns,
    pub(crate) metrics_require_key: bool,
    pub(crate) compat: CompatSettings,
    /// The pages that are served.
    pub(crate) pages: PagesSettings,
    pub(crate) audit: AuditSettings,
    pub(crate) node: Node,
    /// The OpenAPI document as it is served.
    pub(crate) openapi: Bytes,
}

/// What this node says about itself.
#[derive(Debug)]
pub(crate) struct Node {
    /// The kind of its store.
    pub(crate) store: &'static str,
    /// The settings in use that differ from their defaults.
    pub(crate) changed_settings: ArcSwap<Vec<ChangedSetting>>,
}

impl App {
    /// Whether tokens of others are accepted.
    pub(crate) fn has_issuers(&self) -> bool {
        self.tokens.load().has_issuers()
    }

    /// The line in the audit log of a call by this key that does this to a user. Calls of others
    /// than keys have none.
    pub(crate) fn note_by_key(&self, action: Action, key: Option<KeyRef>, user: &UserKey) -> Note {
        let Some(key) = key.filter(|_| self.audit.enabled) else {
            return Note::none();
        };
        let (name, scope) = self.keys.load().named(key);
        let by = Identity::Key {
            name,
            scope,
            id: key,
        };
        self.audit.note_about(action, &by, user)
    }

    /// The result of a part of a call about this user, before the engine hears of the call: a
    /// failure of the server counts as one that the user met.
    pub(crate) fn told<T>(
        &self,
        user: &UserKey,
        result: Result<T, ApiError>,
    ) -> Result<T, ApiError> {
        if let Err(error) = &result
            && error.code().status().is_server_error()
        {
            self.metrics.failed(user);
        }
        result
    }
}

/// What a gateway in front that calls the program itself, without a connection, says about a
/// request (AWS API Gateway and Lambda).
///
/// Such a gateway finds the program by the host of the request, so a call without a key needs no
/// check of its `Host`.
#[derive(Debug, Clone)]
pub struct Gateway {
    /// The address of the client; 0.0.0.0 if it is unknown.
    pub client: IpAddr,
    /// The stage of the gateway that the client's path began with, and the path of the request no
    /// longer does. A dialect at the root whose own paths begin with a stage gets it back.
    pub stage: Option<String>,
}

/// Added to a request that came after the server was told to stop, while it still serves (drain
/// time).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Draining;
