//! `GET /v1/stats`: what this node did lately, a value a second.

use std::sync::Arc;

use axum::extract::{FromRequestParts, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use serde::Serialize;
use streamgate_core::EndReason;
use streamgate_core::bounds::{STATS_WINDOW_DEFAULT_S, STATS_WINDOW_MAX_S, STATS_WINDOW_MIN_S};
use utoipa::ToSchema;

use crate::activity::{Instant, Point, RefusedUser, Window};
use crate::caller::access::{Admin, Caller};
use crate::problem::{ApiError, FieldErrors};
use crate::state::App;
use crate::wire;
use crate::wire::query::{parameters, whole_number};
use crate::wire::time::{Time, parse_rfc3339};

/// What a node did. Every array has a value for each step, oldest first; null where the node did
/// not run.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Stats {
    /// The time on this node.
    now: Time,
    /// `node`: other nodes have numbers of their own.
    #[schema(example = "node")]
    scope: &'static str,
    /// Seconds from value to value: 1, or 10 for a window of more than 600 s.
    #[schema(example = 1)]
    step_s: u64,
    /// The time of the first value, or of the next one to come where there is none. A value is of
    /// the step that ends at its time.
    from: Time,
    /// Sessions that hold a slot, at the end of the step; null over a store that nodes share.
    live_sessions: Vec<Option<u32>>,
    /// Users with such a session, at the end of the step: exact up to 65536 users, beyond that an
    /// estimate (to about 1 %); null over a store that nodes share.
    watching_users: Vec<Option<u32>>,
    /// Sessions that started, a second.
    starts: Vec<Option<f64>>,
    /// Starts that were refused because of a limit, a second.
    refusals: Vec<Option<f64>>,
    /// Heartbeats that renewed a lease, a second.
    heartbeats: Vec<Option<f64>>,
    /// Sessions that ended, a second, by reason.
    ended: EndedSeries,
    /// Median time of session calls (start, heartbeat, stop) in the server, in milliseconds; of ten
    /// seconds the mean. Null where there was no call.
    p50_ms: Vec<Option<f64>>,
    /// The 99th percentile of the same; of ten seconds the highest.
    p99_ms: Vec<Option<f64>>,
    /// The users of the caller's tenant that were refused most often in the window, rounded up to
    /// minutes; most often first, at most 10.
    #[schema(max_items = 10)]
    top_refused: Vec<RefusedUser>,
}

/// Sessions that ended, a second, by reason.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EndedSeries {
    /// Stopped by their players.
    stopped: Vec<Option<f64>>,
    /// Their lease ran out; counted when that is found.
    expired: Vec<Option<f64>>,
    /// Ended by the policy for a newer session, or for a lowered limit.
    evicted: Vec<Option<f64>>,
    /// Ended by viewers for another start.
    terminated: Vec<Option<f64>>,
    /// Ended by operators.
    revoked: Vec<Option<f64>>,
}

/// The window that a request asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct StatsQuery {
    window_s: u32,
    after_ms: Option<u64>,
}

/// [`StatsQuery`] for the document.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only its shape is used, for the document")]
pub(crate) struct StatsParams {
    /// How far back, in seconds.
    #[param(minimum = 10, maximum = 3600, default = 300, required = false)]
    window_s: Option<u32>,
    /// The time of the last value that the client has: only those behind it are answered.
    #[param(value_type = Option<String>, format = DateTime, required = false)]
    after: Option<String>,
}

/// What this node did lately
///
/// In fixed memory for the past hour. Counts are those of `/metrics`, of all tenants; users are
/// named of the caller's tenant only. To follow, ask each second with `after`: the time of the last
/// value is `from` plus `step_s` for each value behind the first. Scope: `admin`.
#[utoipa::path(
    get,
    path = "/v1/stats",
    extensions(("x-streamgate-scope" = json!("admin"))),
    tag = "node",
    params(StatsParams),
    responses((status = 200, description = "The series.", body = Stats))
)]
pub(crate) async fn get_stats(
    State(app): State<Arc<App>>,
    caller: Caller<Admin>,
    query: StatsQuery,
) -> Response {
    let (now, window_s) = (Instant::now(), query.window_s.into());
    let activity = &app.activity;
    let window = activity.window(window_s, query.after_ms, now);
    let top = activity.top_refused(&caller.tenant, window_s, now);
    let stats = Stats::new(&window, now, app.engine.shares_store(), top);
    wire::json(StatusCode::OK, &stats)
}

impl Stats {
    fn new(window: &Window, now: Instant, shares_store: bool, top: Vec<RefusedUser>) -> Self {
        let series = |value: &dyn Fn(&Point) -> f64| {
            let points = window.points.iter();
            points
                .map(|point| point.as_ref().map(|point| rounded(value(point), 2)))
                .collect()
        };
        let level = |value: &dyn Fn(&Point) -> u32| {
            let points = window.points.iter();
            let known = |point: &Option<Point>| point.as_ref().filter(|_| !shares_store).map(value);
            points.map(known).collect()
        };
        let ms = |value: &dyn Fn(&Point) -> Option<f64>| {
            let points = window.points.iter();
            let value = |point: &Option<Point>| Some(rounded(value(point.as_ref()?)?, 3));
            points.map(value).collect()
        };
        let ended = |reason: EndReason| series(&|point| point.ended[reason as usize]);
        Self {
            now: Time::of_wall(now.wall_ms),
            scope: "node",
            step_s: window.step_s,
            from: Time::of_wall(now.wall_ms_of(window.first)),
            live_sessions: level(&|point| point.live_sessions),
            watching_users: level(&|point| point.watching_users),
            starts: series(&|point| point.starts),
            refusals: series(&|point| point.refusals),
            heartbeats: series(&|point| point.heartbeats),
            ended: EndedSeries {
                stopped: ended(EndReason::Stopped),
                expired: ended(EndReason::Expired),
                evicted: ended(EndReason::Evicted),
                terminated: ended(EndReason::Terminated),
                revoked: ended(EndReason::Revoked),
            },
            p50_ms: ms(&|point| point.p50_ms),
            p99_ms: ms(&|point| point.p99_ms),
            top_refused: top,
        }
    }
}

/// Rounded to `decimals`.
fn rounded(value: f64, decimals: i32) -> f64 {
    let scale = 10_f64.powi(decimals);
    (value * scale).round() / scale
}

impl<S: Sync> FromRequestParts<S> for StatsQuery {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        let mut errors = FieldErrors::default();
        let query = parts.uri.query().unwrap_or_default();
        let [window_s, after] = parameters(query, ["window_s", "after"], &mut errors);
        let bounds = STATS_WINDOW_MIN_S..=STATS_WINDOW_MAX_S;
        let window_s = window_s.and_then(|text| {
            let number = whole_number(&text, bounds);
            errors.check("window_s", number)
        });
        let after_ms = after.and_then(|text| {
            let time =
                parse_rfc3339(&text).ok_or("must be a time such as 2026-11-21T06:30:00.000Z");
            errors.check("after", time)
        });
        errors.finish()?;
        Ok(Self {
            window_s: window_s.unwrap_or(STATS_WINDOW_DEFAULT_S),
            after_ms,
        })
    }
}
