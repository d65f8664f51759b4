//! The settings of the server, as plain values.
//!
//! What is *not* here: where the values come from. Flags, environment and file belong to the
//! binary, and so does naming the setting that is wrong.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderValue;
use serde::Serialize;
use streamgate_core::bounds::{
    STREAMS_DEFAULT, STREAMS_PER_TENANT_DEFAULT, STREAMS_PER_USER_DEFAULT,
};
use streamgate_tokens::Verifier;
use utoipa::ToSchema;

use crate::caller::keys::Keys;
use crate::caller::trusted_proxies::TrustedProxies;
use crate::compat::CompatSettings;
use crate::telemetry::{AuditSettings, Tracer};

/// All settings of the server. [`Default`] is what `streamgate serve` does with nothing set.
#[derive(Debug, Clone, Default)]
pub struct ServerSettings {
    /// The address that the server listens on: where no key is asked for, requests for other hosts
    /// are refused. `None` counts as a loopback address.
    pub listen: Option<IpAddr>,
    /// Who may call.
    pub keys: Keys,
    /// Accepted viewer tokens; `None` accepts none.
    pub tokens: Option<Arc<Verifier>>,
    /// Rate limits by caller and by user.
    pub rate_limit: RateLimitSettings,
    /// Which web pages of other origins may call.
    pub cors: CorsSettings,
    /// Connections and timeouts.
    pub http: HttpSettings,
    /// Bounds of event streams.
    pub push: PushSettings,
    /// Pages for people.
    pub pages: PagesSettings,
    /// Whether `/metrics` asks for a key of scope admin. Without it the page is open, as scrapers
    /// expect; it names no user.
    pub metrics_require_key: bool,
    /// Dialects: the HTTP APIs of earlier systems.
    pub compat: CompatSettings,
    /// What is audited.
    pub audit: AuditSettings,
    /// What the node says about itself.
    pub node: NodeSettings,
    /// Takes the spans of requests that are recorded; `None` if none is.
    pub tracer: Option<Arc<dyn Tracer>>,
}

/// What a node says about itself to operators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeSettings {
    /// The kind of its store: `embedded`, `redis`, `dynamodb`, `memory`.
    pub store: &'static str,
    /// The settings that differ from their defaults, without secrets.
    pub changed: Vec<ChangedSetting>,
}

/// A setting that differs from its default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = SettingAnswer)]
pub struct ChangedSetting {
    /// Its name, as a file has it.
    #[schema(example = "policy.lease_s")]
    pub name: String,
    /// Its value, as a file has it.
    // A secret is `***`.
    #[schema(example = "60")]
    pub value: String,
    /// Its default, as a file has it; null if there is none.
    #[schema(required, example = "90")]
    pub default: Option<String>,
}

impl Default for NodeSettings {
    fn default() -> Self {
        Self {
            store: "memory",
            changed: Vec::new(),
        }
    }
}

/// Connections and timeouts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpSettings {
    /// How long a client may take to send the head of its next request. An idle connection is
    /// closed after it too, so it should exceed the heartbeat interval of players that keep theirs.
    pub header_timeout: Duration,
    /// How long a client may take to send the body of a request.
    pub body_timeout: Duration,
    /// How long a client may leave an answer waiting without reading any of it, and what was sent
    /// to it unacknowledged.
    pub write_timeout: Duration,
    /// Most connections at once; the next ones wait in the listener's backlog.
    pub max_connections: usize,
    /// Most connections of one peer address at once; further ones are closed.
    pub max_connections_per_peer: Option<NonZeroU32>,
    /// Which peers' `X-Forwarded-For` is trusted for the client's address.
    pub trusted_proxies: TrustedProxies,
    /// Longest head of a request, in bytes; at least [`HttpSettings::HEAD_MIN_BYTES`].
    pub head_max_bytes: usize,
    /// Most memory for request bodies being received, in bytes; bodies of one frame do not count.
    pub bodies_max_bytes: usize,
    /// Drain time: how long the server still serves after it was told to stop, while `/readyz`
    /// answers 503, so that a load balancer can notice. Zero if there is none.
    pub drain: Duration,
    /// How long requests under way may take to finish after that.
    pub shutdown_grace: Duration,
}

impl HttpSettings {
    /// The least value of `head_max_bytes`: the buffer that a connection has at least.
    pub const HEAD_MIN_BYTES: usize = 8 * 1024;
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            header_timeout: Duration::from_secs(75),
            body_timeout: Duration::from_secs(10),
            write_timeout: Duration::from_secs(30),
            max_connections: 100_000,
            max_connections_per_peer: None,
            trusted_proxies: TrustedProxies::default(),
            head_max_bytes: 16 * 1024,
            bodies_max_bytes: 256 * 1024 * 1024,
            drain: Duration::ZERO,
            shutdown_grace: Duration::from_secs(10),
        }
    }
}

/// Cross-origin requests: which web pages may call from a browser.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CorsSettings {
    /// The origins allowed.
    pub allowed_origins: AllowedOrigins,
    /// How long a browser may remember the answer to a preflight request.
    pub max_age: Option<Duration>,
}

/// The origins whose pages may call.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum AllowedOrigins {
    /// None: no CORS header is ever sent.
    #[default]
    None,
    /// Any origin.
    Any,
    /// These, each as a browser sends it: `https://player.example.com`.
    List(Vec<String>),
}

impl AllowedOrigins {
    /// Whether pages of this origin may call.
    pub(crate) fn allows(&self, origin: &HeaderValue) -> bool {
        match self {
            Self::None => false,
            Self::Any => true,
            Self::List(origins) => origins.iter().any(|known| origin == known.as_str()),
        }
    }
}

/// Bounds of event streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PushSettings {
    /// Most streams of this process; at most three quarters of the connections.
    pub max_streams: usize,
    /// Most streams about one user, those about its sessions included.
    pub max_streams_per_user: usize,
    /// Most streams about one tenant.
    pub max_streams_per_tenant: usize,
}

impl Default for PushSettings {
    fn default() -> Self {
        Self {
            max_streams: STREAMS_DEFAULT,
            max_streams_per_user: STREAMS_PER_USER_DEFAULT,
            max_streams_per_tenant: STREAMS_PER_TENANT_DEFAULT,
        }
    }
}

/// Which pages for people are served. They hold no data: what they show comes from the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PagesSettings {
    /// The page at `/`; programs get JSON there in any case. Not where a dialect is at the root.
    pub front: bool,
    /// The demo, at `/demo/`.
    pub demo: bool,
    /// The console, at `/console/`.
    pub console: bool,
}

impl PagesSettings {
    /// No page at all.
    pub const NONE: Self = Self {
        front: false,
        demo: false,
        console: false,
    };
}

impl Default for PagesSettings {
    fn default() -> Self {
        Self {
            front: true,
            demo: true,
            console: true,
        }
    }
}

/// How often callers may call. `None` is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimitSettings {
    /// Requests a second of one API key; of one client address for callers without one.
    pub per_key_per_s: Option<NonZeroU32>,
    /// Requests a second about one user.
    pub per_user_per_s: Option<NonZeroU32>,
    /// Requests a second of the viewers of one user, counted apart from those above.
    pub viewer_per_user_per_s: Option<NonZeroU32>,
    /// Failed authentications a minute of one client address, and as many at once.
    pub failed_auth_per_address_per_min: Option<NonZeroU32>,
}

impl Default for RateLimitSettings {
    fn default() -> Self {
        Self {
            per_key_per_s: None,
            per_user_per_s: None,
            viewer_per_user_per_s: NonZeroU32::new(50),
            failed_auth_per_address_per_min: NonZeroU32::new(60),
        }
    }
}
