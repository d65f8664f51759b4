//! `PUT /v1/users/{user_id}`: sets plan, limit and profile of a user.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use streamgate_core::admission::{Edit, SetUser, SetUserOutcome};
use streamgate_core::bounds::LIMIT_MAX;
use streamgate_core::ids::Name;
use utoipa::ToSchema;

use super::User;
use crate::access::{Service, UserPath};
use crate::app::App;
use crate::problem::{ApiError, FieldErrors};
use crate::problem_docs::{Always, WithJsonBody};
use crate::wire;
use crate::wire::body::JsonBody;
use crate::wire::edit::present;
use crate::wire::schema::UserParam;
use crate::wire::text_map::TextMap;

/// What to change of a user. A member that is left out stays as it is; null clears it.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UserChange {
    /// The name of a plan that the server's configuration knows.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 256, example = "premium")]
    plan: Option<Option<String>>,
    /// A limit of the user's own; it goes before the plan's. 0 blocks the user.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<u32>, minimum = 0, maximum = 1000, example = 4)]
    limit: Option<Option<i64>>,
    /// What the platform keeps about the user, replaced as a whole.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<TextMap>, inline)]
    profile: Option<Option<TextMap>>,
}

/// Set plan, limit and profile of a user
///
/// Each is optional; null clears. A user never seen is made. Live sessions stay as they are, also
/// where the new limit is lower: it holds from the next start. Scope: `service`.
#[utoipa::path(
    put,
    path = "/v1/users/{user_id}",
    tag = "users",
    params(UserParam),
    request_body = Option<UserChange>,
    responses(
        Always,
        WithJsonBody,
        (status = 200, description = "The user as it is now.", body = User<'_>),
    )
)]
pub(crate) async fn set_user(
    State(app): State<Arc<App>>,
    target: UserPath<Service>,
    body: JsonBody,
) -> Result<Response, ApiError> {
    let set = body.parse::<UserChange>()?.check()?;
    match app.engine.set_user(&target.user, &set).await? {
        SetUserOutcome::Set(view) => {
            let user = User::new(target.user.user(), &view);
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
            limit: edit(self.limit, |limit| errors.check("limit", limit_of(limit))),
            profile: edit(self.profile, |profile| {
                profile.check("profile", &mut errors)
            }),
        };
        errors.finish()?;
        Ok(set)
    }
}

fn limit_of(limit: i64) -> Result<u32, String> {
    u32::try_from(limit)
        .ok()
        .filter(|limit| *limit <= LIMIT_MAX)
        .ok_or_else(|| format!("must be 0 to {LIMIT_MAX}, is {limit}"))
}

/// What to do with a member: absent, null or set. One that is wrong has been reported, and is kept.
fn edit<T, U>(member: Option<Option<T>>, check: impl FnOnce(T) -> Option<U>) -> Edit<U> {
    match member {
        None => Edit::Keep,
        Some(None) => Edit::Clear,
        Some(Some(value)) => check(value).map_or(Edit::Keep, Edit::Set),
    }
}
