//! The edge: Streamgate's HTTP API over the engine, and what operators need around it.
//!
//! [`app`] makes the endpoints, [`serve`] runs them on a socket, [`Metrics`] hears what happens,
//! [`openapi`] describes the API. Under [`v1`](self) one endpoint is one file: its error cases,
//! handler, documentation and wire types stand together, and URL, module and test have one path.
//!
//! What is *not* here: rules (`streamgate-core`), configuration files and commands (`streamgate`).

mod access;
mod app;
mod browser;
mod compat;
mod cors;
mod date;
mod document;
mod express;
mod fallback;
mod heads;
mod keys;
mod metrics;
mod observe;
mod ops;
mod peers;
mod problem;
mod problem_docs;
mod rate_limit;
mod request_id;
mod serve;
mod settings;
mod stall;
mod state;
mod surround;
pub mod telemetry;
mod turn;
mod v1;
mod wire;

pub use app::{Endpoints, app, openapi, openapi_json, openapi_json_3_0};
pub use compat::{
    dialect_openapi, dialect_openapi_json, dialect_openapi_json_3_0, session_tracker_number,
    stream_requests_session,
};
pub use keys::{ApiKey, Keys, Scope, generate_key, hash_key, parse_hash};
pub use metrics::{Metrics, metric_names};
pub use serve::{Stopped, serve};
pub use settings::{
    AllowedOrigins, CompatSettings, CorsSettings, DialectName, HttpSettings, RateLimitSettings,
    ServerSettings,
};
