//! `PUT /v1/users/{user_id}`: sets plan, limit and profile of a user.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use serde_json::Number;
use streamgate_core::UserKey;
use streamgate_core::admission::{Edit, SetUser, SetUserOutcome};
use streamgate_core::bounds::LIMIT_MAX;
use streamgate_core::ids::Name;
use utoipa::ToSchema;

use super::User;
use crate::caller::access::{Service, UserPath};
use crate::problem::{ApiError, FieldErrors};
use crate::problem_docs::NeedsRoom;
use crate::state::App;
use crate::telemetry::audit::{Action, Note};
use crate::wire;
use crate::wire::body::JsonBody;
use crate::wire::double_option::double_option;
use crate::wire::number::whole_of;
use crate::wire::schema::{LimitSchema, NameSchema, UserParam};
use crate::wire::text_map::TextMap;

/// What to change of a user. A member that is left out stays as it is; null clears it.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UserChange {
    /// The name of a plan that the server's configuration knows.
    #[serde(default, deserialize_with = "double_option")]
    #[schema(value_type = Option<NameSchema>)]
    plan: Option<Option<String>>,
    /// A limit of the user's own; it goes before the plan's. 0 blocks the user.
    #[serde(default, deserialize_with = "double_option")]
    #[schema(value_type = Option<LimitSchema>)]
    limit: Option<Option<Number>>,
    /// What the platform keeps about the user, replaced as a whole.
    #[serde(default, deserialize_with = "double_option")]
    #[schema(value_type = Option<TextMap>)]
    profile: Option<Option<TextMap>>,
}

/// Set plan, limit and profile of a user
///
/// Each is optional; null clears. A user never seen is known from now on if anything is set; one of
/// which nothing is left is not. A limit of 0 ends all live sessions at once (`revoked`). Any other
/// lower limit holds from the next start; `policy.over_limit` says whether the sessions above it go
/// on or end at their next heartbeat (`evicted`). Scope: `service`.
#[utoipa::path(
    put,
    path = "/v1/users/{user_id}",
    extensions(("x-streamgate-scope" = json!("service"))),
    tag = "users",
    params(UserParam),
    request_body = Option<UserChange>,
    responses(
        NeedsRoom,
        (status = 200, description = "The user as it is now.", body = User<'_>),
    )
)]
pub(crate) async fn set_user(
    State(app): State<Arc<App>>,
    target: UserPath<Service>,
    body: Result<JsonBody, ApiError>,
) -> Result<Response, ApiError> {
    let mut note = app
        .audit
        .note_about(Action::SetUser, &target.identity, &target.user);
    let set = set(&app, &target.user, body, &mut note).await;
    note.close(set)
}

/// Sets what the body says.
async fn set(
    app: &App,
    user: &UserKey,
    body: Result<JsonBody, ApiError>,
    note: &mut Note,
) -> Result<Response, ApiError> {
    let body = app.told(user, body)?;
    let set = body.parse::<UserChange>()?.check()?;
    if matches!(set.limit, Edit::Set(0)) {
        note.set_action(Action::BlockUser);
    }
    match app.engine.run(user, &set).await? {
        SetUserOutcome::Set(view) => {
            let user = User::new(user.user(), &view);
            Ok(wire::json(StatusCode::OK, &user))
        }
        SetUserOutcome::UnknownPlan(_) => Err(ApiError::field(
            "plan",
            "is not a plan that the server's configuration knows",
        )),
    }
}

impl UserChange {
    fn check(self) -> Result<SetUser, ApiError> {
        let mut errors = FieldErrors::default();
        let set = SetUser {
            plan: edit(self.plan, |plan| errors.check("plan", Name::new(plan))),
            limit: edit(self.limit, |limit| {
                errors.check("limit", whole_of(&limit, 0..=LIMIT_MAX))
            }),
            profile: edit(self.profile, |profile| {
                profile.check("profile", &mut errors)
            }),
        };
        errors.finish()?;
        Ok(set)
    }
}

/// What to do with a member: absent, null or set. One that is wrong has been reported, and is kept.
fn edit<T, U>(member: Option<Option<T>>, check: impl FnOnce(T) -> Option<U>) -> Edit<U> {
    match member {
        None => Edit::Keep,
        Some(None) => Edit::Clear,
        Some(Some(value)) => check(value).map_or(Edit::Keep, Edit::Set),
    }
}
