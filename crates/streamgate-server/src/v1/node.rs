//! `GET /v1/node`: this node, its store, and the settings that differ from their defaults.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use streamgate_engine::EngineError;
use utoipa::ToSchema;

use crate::activity::Instant;
use crate::caller::access::{Admin, Caller};
use crate::problem::{ApiError, store_trouble};
use crate::settings::ChangedSetting;
use crate::state::App;
use crate::wire;
use crate::wire::query::no_parameters;
use crate::wire::schema::{schema, words};
use crate::wire::time::Time;

/// A node.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NodeAnswer<'a> {
    /// The version of the program.
    #[schema(example = "0.1.0")]
    version: &'static str,
    /// When the process started.
    started_at: Time,
    /// How long it has been running, in seconds.
    uptime_s: u64,
    /// Where it keeps sessions.
    store: StoreAnswer,
    /// For whom `nodes` speaks: `all` nodes that share the store, or this `node`.
    #[schema(value_type = NodeScopeSchema)]
    scope: &'static str,
    /// The settings in use that differ from their defaults, as a file has them. Secrets are not
    /// shown; of keys and issuers, how many there are. Null for callers of another tenant than the
    /// default one: settings are the operator's.
    #[schema(required)]
    settings: Option<&'a [ChangedSetting]>,
    /// The nodes that were heard of lately, this one first.
    nodes: Vec<NodeSeen>,
}

/// The store of a node.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StoreAnswer {
    /// `embedded`, `redis` (Valkey, too), `dynamodb` or `memory`.
    #[schema(example = "embedded")]
    kind: &'static str,
    /// Whether it can be used now.
    #[schema(value_type = StoreStateSchema)]
    state: &'static str,
    /// Why it cannot be used; null if it can.
    #[schema(required)]
    detail: Option<&'static str>,
}

schema!(NodeScopeSchema is "NodeScope": words(["all", "node"])
    .description(Some("Whether all nodes are meant, or the one that answers.")));

schema!(StoreStateSchema is "StoreState": words(["ok", "unavailable"])
    .description(Some("Whether a store can be used.")));

/// A node that was heard of.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NodeSeen {
    /// Names the process, until it ends.
    #[schema(example = "9f2c41d07be8a653")]
    node: String,
    /// The version of the program.
    #[schema(example = "0.1.0")]
    version: String,
    /// When it started.
    started_at: Time,
    /// When it was heard of last.
    last_seen_at: Time,
    /// Whether it is the one that answers.
    this: bool,
}

/// The node that answers
///
/// Asks the store whether it can be used. Scope: `admin`.
#[utoipa::path(
    get,
    path = "/v1/node",
    extensions(("x-streamgate-scope" = json!("admin"))),
    tag = "node",
    responses((status = 200, description = "The node.", body = NodeAnswer<'_>))
)]
pub(crate) async fn get_node(
    State(app): State<Arc<App>>,
    caller: Caller<Admin>,
    parts: Parts,
) -> Result<Response, ApiError> {
    no_parameters(&parts.uri)?;
    let ready = app.engine.check_ready().await;
    let now = Instant::now();
    let started_at_ms = app.activity.started_at_ms();
    let is_operator = caller.tenant == app.default_tenant;
    let settings = app.node.changed_settings.load();
    let mut nodes = vec![NodeSeen::new(introduction(&app), now.wall_ms, true)];
    let peers = app.hub.peers();
    // Nodes of an embedded store are one.
    let scope = if peers.is_some() || !app.engine.shares_store() {
        "all"
    } else {
        "node"
    };
    nodes.extend(peers.into_iter().flatten().filter_map(|peer| {
        let about = serde_json::from_slice(&peer.about).ok()?;
        let ago_ms = u64::try_from(peer.ago.as_millis()).unwrap_or(u64::MAX);
        Some(NodeSeen::new(
            about,
            now.wall_ms.saturating_sub(ago_ms),
            false,
        ))
    }));
    // The order of this answer is that of the next one.
    nodes[1..].sort_by(|one, other| one.node.cmp(&other.node));
    let answer = NodeAnswer {
        version: VERSION,
        started_at: Time::of_wall(started_at_ms),
        uptime_s: app.activity.uptime_s(now),
        store: StoreAnswer::new(app.node.store, ready.err().as_ref()),
        scope,
        settings: is_operator.then_some(settings.as_slice()),
        nodes,
    };
    Ok(wire::json(StatusCode::OK, &answer))
}

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What nodes say of themselves to each other.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Introduction {
    node: String,
    version: String,
    started_at_ms: u64,
}

/// Tells other nodes of this one, if its store has notices.
pub(crate) fn introduce(app: &App) {
    let about = serde_json::to_vec(&introduction(app));
    app.hub.introduce(about.expect("text and numbers are JSON"));
}

fn introduction(app: &App) -> Introduction {
    Introduction {
        node: app.hub.node(),
        version: VERSION.to_owned(),
        started_at_ms: app.activity.started_at_ms(),
    }
}

impl NodeSeen {
    fn new(about: Introduction, last_seen_at_ms: u64, this: bool) -> Self {
        Self {
            node: about.node,
            version: about.version,
            started_at: Time::of_wall(about.started_at_ms),
            last_seen_at: Time::of_wall(last_seen_at_ms),
            this,
        }
    }
}

impl StoreAnswer {
    fn new(kind: &'static str, trouble: Option<&EngineError>) -> Self {
        let detail = trouble.map(|trouble| {
            store_trouble(trouble).unwrap_or("the store cannot be used; the log says why")
        });
        Self {
            kind,
            state: if detail.is_none() {
                "ok"
            } else {
                "unavailable"
            },
            detail,
        }
    }
}
