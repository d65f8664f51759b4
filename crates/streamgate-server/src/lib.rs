//! The edge: Streamgate's HTTP API over the engine, and what operators need around it.
//!
//! [`app`] makes the endpoints, [`serve`] runs them on a socket, [`Metrics`] counts what happens,
//! [`openapi_json`] describes the API. Under [`v1`](self) one endpoint is one file: its error
//! cases, handler, documentation and wire types stand together, and URL, module and test have one
//! path.
//!
//! What is *not* here: rules (`streamgate-core`), configuration files and commands (`streamgate`).

mod activity;
mod app;
mod caller;
mod compat;
mod connection;
mod document;
mod metrics;
mod observed;
mod ops;
mod problem;
mod problem_docs;
mod push;
mod routing;
mod settings;
mod site;
mod state;
pub mod telemetry;
mod v1;
mod well_known;
mod wire;

pub use activity::Activity;
pub use app::{Endpoints, app, openapi_json};
pub use caller::keys::{ApiKey, Keys, Scope, generate_key, hash_key, parse_hash};
pub use caller::trusted_proxies::{Network, TrustedProxies};
pub use compat::{
    CompatSettings, DialectName, DialectSettings, dialects_without_key, session_tracker_number,
    stream_requests_session,
};
pub use connection::{
    Stopped, Tls, TlsCredentials, TlsFile, TlsFileError, TlsFiles, certificates_in_pem,
    prepare_thread, serve,
};
pub use document::OpenApiVersion;
pub use metrics::{AskVolume, Metrics, Volume, metric_names};
pub use observed::Observed;
pub use push::Hub;
pub use settings::{
    AllowedOrigins, ChangedSetting, CorsSettings, HttpSettings, NodeSettings, PagesSettings,
    PushSettings, RateLimitSettings, ServerSettings,
};
pub use state::Gateway;
pub use wire::path::path_segment;
pub use wire::time::rfc3339;
