//! `GET /v1/refusals`: the last refusals of a tenant on this node.

use std::sync::Arc;

use axum::extract::{FromRequestParts, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use serde::Serialize;
use streamgate_core::SessionMetadata;
use streamgate_core::bounds::REFUSALS_LISTED_MAX;
use streamgate_core::ids::Name;
use streamgate_engine::Wall;
use utoipa::ToSchema;

use super::session::{IdText, Session};
use crate::activity::Refusal;
use crate::caller::access::{Admin, Caller};
use crate::problem::{ApiError, FieldErrors};
use crate::state::App;
use crate::wire;
use crate::wire::query::{parameters, whole_number};
use crate::wire::schema::{LimitSchema, NameSchema, SessionIdSchema, UserIdSchema};
use crate::wire::time::Time;

/// The last refusals of a tenant.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Refusals<'a> {
    /// `node`: other nodes remember their own.
    #[schema(example = "node")]
    scope: &'static str,
    /// Newest first.
    #[schema(max_items = 100)]
    refusals: Vec<RefusalOfUser<'a>>,
}

/// A start that was refused, and whose it was.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RefusalOfUser<'a> {
    /// The user.
    #[schema(value_type = UserIdSchema)]
    user_id: &'a str,
    #[serde(flatten)]
    refusal: RefusalText<'a>,
}

/// A start that was refused.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Refusal)]
pub(crate) struct RefusalText<'a> {
    /// When.
    at: Time,
    /// The name of the rule that refused the start, as in the refusal.
    #[schema(example = "limit")]
    rule: &'a str,
    /// The limit of that rule.
    #[schema(value_type = LimitSchema)]
    limit: u32,
    /// The number of slots taken then.
    #[schema(example = 3)]
    active: u32,
    /// Who held the slots then, in the order in which they started; at most 10.
    #[schema(max_items = 10)]
    sessions: Vec<Session<'a>>,
    /// How many sessions held the slots, also where fewer are listed.
    #[schema(example = 3)]
    sessions_total: u32,
    /// When a start would have been admitted at the latest, as known then. Left out for a limit of
    /// 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    next_slot_at: Option<Time>,
    /// What was to start.
    asked: Asked<'a>,
}

/// The session that was to start. Metadata that was not given is left out.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Asked<'a> {
    /// Its id.
    #[schema(value_type = SessionIdSchema)]
    session_id: IdText<'a>,
    /// The device.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = NameSchema)]
    device_id: Option<&'a str>,
    /// What its owner calls the device.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = NameSchema)]
    device_name: Option<&'a str>,
    /// What kind of device it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = NameSchema)]
    device_class: Option<&'a str>,
    /// What was to be played.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = NameSchema)]
    content_id: Option<&'a str>,
    /// What kind of content it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = NameSchema)]
    content_type: Option<&'a str>,
    /// Where it was to play, as the caller names regions.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = NameSchema)]
    region: Option<&'a str>,
}

/// How many refusals a request asks for.
#[derive(Debug)]
pub(crate) struct RefusalsQuery {
    page_size: usize,
}

/// [`RefusalsQuery`] for the document.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only its shape is used, for the document")]
pub(crate) struct RefusalsParams {
    /// Most refusals of the answer.
    #[param(minimum = 1, maximum = 100, default = 100, required = false)]
    page_size: Option<u32>,
}

/// The last refusals
///
/// Newest first, of the caller's tenant, as far as this node refused the start itself and remembers
/// it: 20 of a user, 4096 users, 8 MiB. `GET /v1/events` tells refusals as they happen. Scope:
/// `admin`.
#[utoipa::path(
    get,
    path = "/v1/refusals",
    extensions(("x-streamgate-scope" = json!("admin"))),
    tag = "node",
    params(RefusalsParams),
    responses((status = 200, description = "The refusals.", body = Refusals<'_>))
)]
pub(crate) async fn list_refusals(
    State(app): State<Arc<App>>,
    caller: Caller<Admin>,
    query: RefusalsQuery,
) -> Response {
    let latest = app
        .activity
        .latest_refusals(&caller.tenant, query.page_size);
    let wall = app.engine.wall();
    let refusals = latest.iter().map(|refusal| RefusalOfUser {
        user_id: refusal.user.user(),
        refusal: RefusalText::new(refusal, wall),
    });
    let answer = Refusals {
        scope: "node",
        refusals: refusals.collect(),
    };
    wire::json(StatusCode::OK, &answer)
}

impl<'a> RefusalText<'a> {
    /// A refusal, with its times on the wall clock.
    pub(crate) fn new(refusal: &'a Refusal, wall: Wall) -> Self {
        let Refusal {
            user,
            at_ms,
            refused,
            id,
            asked,
        } = refusal;
        Self {
            at: Time::of_wall(*at_ms),
            rule: &refused.rule,
            limit: refused.limit,
            active: refused.active,
            sessions: Session::list(user.user(), &refused.conflict, wall),
            sessions_total: refused.active,
            next_slot_at: refused.next_slot_at.map(|at| Time::at(at, wall)),
            asked: Asked::new(IdText(id), asked.as_ref()),
        }
    }
}

impl<'a> Asked<'a> {
    fn new(session_id: IdText<'a>, asked: Option<&'a SessionMetadata>) -> Self {
        let name = |pick: fn(&SessionMetadata) -> &Option<Name>| {
            asked
                .and_then(|asked| pick(asked).as_ref())
                .map(Name::as_str)
        };
        Self {
            session_id,
            device_id: name(|asked| &asked.device_id),
            device_name: name(|asked| &asked.device_name),
            device_class: name(|asked| &asked.device_class),
            content_id: name(|asked| &asked.content_id),
            content_type: name(|asked| &asked.content_type),
            region: name(|asked| &asked.region),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for RefusalsQuery {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        let mut errors = FieldErrors::default();
        let query = parts.uri.query().unwrap_or_default();
        let [page_size] = parameters(query, ["page_size"], &mut errors);
        let page_size = page_size.and_then(|text| {
            let number = whole_number(&text, 1..=REFUSALS_LISTED_MAX);
            errors.check("page_size", number)
        });
        errors.finish()?;
        Ok(Self {
            page_size: page_size.unwrap_or(REFUSALS_LISTED_MAX),
        })
    }
}
