//! `POST /v1/heartbeats`: up to a thousand heartbeats in one call, from a gateway or edge.

use std::borrow::Cow;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use streamgate_core::admission::{Heartbeat, HeartbeatOutcome};
use streamgate_core::bounds::BATCH_BODY_MAX_BYTES;
use streamgate_core::{EndReason, SessionId, TenantId, Timestamp, UserKey};
use streamgate_engine::{Answered, Engine};
use utoipa::ToSchema;

use crate::caller::access::{Caller, Player};
use crate::problem::{ApiError, Code, FieldErrors};
use crate::state::App;
use crate::v1::batch::{EntryError, check_len, store_failed_for_all};
use crate::wire;
use crate::wire::body::JsonBody;
use crate::wire::object::Object;
use crate::wire::schema::{EndReasonSchema, IntervalSchema};
use crate::wire::time::Time;

/// Heartbeats of many sessions.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Batch<'a> {
    /// The sessions, of any users; at most 1,000.
    #[serde(borrow)]
    #[schema(value_type = Vec<BatchEntry<'_>>, max_items = 1000)]
    heartbeats: Vec<Object<BatchEntry<'a>>>,
}

/// One heartbeat.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BatchEntry<'a> {
    /// The user.
    #[serde(borrow)]
    #[schema(value_type = String, example = "viewer-1")]
    user_id: Cow<'a, str>,
    /// The session.
    #[serde(borrow)]
    #[schema(value_type = String, example = "tv-evening")]
    session_id: Cow<'a, str>,
}

/// The results of a batch of heartbeats.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BatchAnswer<'a> {
    /// How many sessions hold their slots, revived ones included.
    #[schema(example = 998)]
    renewed: usize,
    /// When the first of those slots is free if its player does not call again; left out if there
    /// are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    expires_at: Option<Time>,
    /// When to call next, in seconds from now.
    #[schema(value_type = IntervalSchema)]
    heartbeat_interval_s: u32,
    /// How many of the renewed sessions go on although the store could not be used; left out if
    /// there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    degraded: Option<usize>,
    /// Those that did not succeed, in order.
    failed: Vec<FailedHeartbeat<'a>>,
}

/// A heartbeat that did not succeed: the error that it would have got in a call of its own.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FailedHeartbeat<'a> {
    /// Its place in the batch, counted from 0.
    index: usize,
    /// The user.
    user_id: &'a str,
    /// The session.
    session_id: &'a str,
    /// The HTTP status.
    #[schema(example = 410)]
    status: u16,
    /// The kind of the problem.
    code: Code,
    /// Why the session ended; only with `session_ended`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<EndReasonSchema>)]
    reason: Option<&'static str>,
    /// What is wrong with the ids; only with `invalid_request`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    detail: Option<String>,
}

/// Renew many leases in one call
///
/// For gateways and edges that see many players. Each entry succeeds or fails on its own; an entry
/// with an invalid id is one that fails. Entries of one user are decided together, in their order.
/// Only a body that is wrong as a whole is a 400. If the store failed for every entry, the whole
/// call is a 503. Rate limits by user do not count the entries. Scope: `player`.
#[utoipa::path(
    post,
    path = "/v1/heartbeats",
    extensions(("x-streamgate-scope" = json!("player"))),
    tag = "sessions",
    request_body = Batch<'_>,
    responses(
        (status = 200, description = "The results.", body = BatchAnswer<'_>),
    )
)]
pub(crate) async fn heartbeat_batch(
    State(app): State<Arc<App>>,
    caller: Caller<Player>,
    body: JsonBody<BATCH_BODY_MAX_BYTES>,
) -> Result<Response, ApiError> {
    let batch = body.parse::<Batch<'_>>()?;
    check_len("heartbeats", batch.heartbeats.len())?;
    let results = run(&app.engine, &caller.tenant, &batch.heartbeats).await;
    if let Some(error) = store_failed_for_all(&results) {
        return Err(error.clone().into());
    }
    let wall = app.engine.wall();
    let mut answer = BatchAnswer {
        renewed: 0,
        expires_at: None,
        heartbeat_interval_s: app.engine.policy().heartbeat_interval.0,
        degraded: None,
        failed: Vec::new(),
    };
    for (index, (Object(entry), result)) in batch.heartbeats.iter().zip(results).enumerate() {
        let (code, reason, detail) = match result {
            Ok(Beat::Renewed {
                expires_at,
                is_degraded,
            }) => {
                answer.add_renewed(Time::at(expires_at, wall), is_degraded);
                continue;
            }
            Ok(Beat::Ended(reason)) => (Code::SessionEnded, Some(reason.as_str()), None),
            Ok(Beat::Unknown) => (Code::SessionUnknown, None, None),
            Err(EntryError::Invalid(detail)) => (Code::InvalidRequest, None, Some(detail)),
            Err(EntryError::Engine(error)) => (ApiError::from(error).code(), None, None),
        };
        answer.failed.push(FailedHeartbeat {
            index,
            user_id: &entry.user_id,
            session_id: &entry.session_id,
            status: code.status().as_u16(),
            code,
            reason,
            detail,
        });
    }
    Ok(wire::json(StatusCode::OK, &answer))
}

impl BatchAnswer<'_> {
    fn add_renewed(&mut self, expires_at: Time, is_degraded: bool) {
        self.renewed += 1;
        if is_degraded {
            *self.degraded.get_or_insert(0) += 1;
        }
        let first = self.expires_at.get_or_insert(expires_at);
        *first = expires_at.min(*first);
    }
}

/// The part of an outcome that the answer needs. A thousand of them are kept until all have come.
enum Beat {
    Renewed {
        expires_at: Timestamp,
        is_degraded: bool,
    },
    Ended(EndReason),
    Unknown,
}

impl From<Answered<HeartbeatOutcome>> for Beat {
    fn from(answered: Answered<HeartbeatOutcome>) -> Self {
        match answered.outcome {
            HeartbeatOutcome::Renewed(alive) | HeartbeatOutcome::Revived(alive) => Self::Renewed {
                expires_at: alive.session.expires_at,
                is_degraded: answered.is_degraded,
            },
            HeartbeatOutcome::Ended(ending) => Self::Ended(ending.reason),
            HeartbeatOutcome::Unknown => Self::Unknown,
        }
    }
}

/// Runs the heartbeats with valid ids. The results of all are in the order of the entries.
async fn run(
    engine: &Engine,
    tenant: &TenantId,
    entries: &[Object<BatchEntry<'_>>],
) -> Vec<Result<Beat, EntryError>> {
    let mut valid = Vec::with_capacity(entries.len());
    let mut invalid = Vec::new();
    for (index, Object(entry)) in entries.iter().enumerate() {
        match checked(tenant, entry) {
            Ok(heartbeat) => valid.push(heartbeat),
            Err(error) => invalid.push((index, error)),
        }
    }
    let beats = engine.heartbeats(&valid, Beat::from).await.into_iter();
    let mut results: Vec<_> = beats
        .map(|result| result.map_err(EntryError::Engine))
        .collect();
    // In ascending order, so that each is inserted at its index.
    for (index, error) in invalid {
        results.insert(index, Err(EntryError::Invalid(error)));
    }
    results
}

/// The heartbeat of an entry, or the error of its ids.
fn checked(tenant: &TenantId, entry: &BatchEntry<'_>) -> Result<(UserKey, Heartbeat), String> {
    let mut errors = FieldErrors::default();
    let user = errors.check("user_id", UserKey::of_text(tenant, &entry.user_id));
    let id = errors.check("session_id", SessionId::new(&entry.session_id));
    match (user, id) {
        (Some(user), Some(id)) => Ok((user, Heartbeat { id })),
        _ => Err(errors.sentence()),
    }
}
