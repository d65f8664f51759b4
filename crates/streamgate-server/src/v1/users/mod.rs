//! Users: the paying units that limits apply to.

pub(crate) mod delete;
pub(crate) mod events;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod put;
pub(crate) mod refusals;
pub(crate) mod sessions;
pub(crate) mod tokens;

use serde::Serialize;
use streamgate_core::LimitSource;
use streamgate_core::admission::UserView;
use utoipa::ToSchema;

use crate::v1::session::AttributesMap;
use crate::wire::schema::{LimitSchema, NameSchema, UserIdSchema, schema, words};
use crate::wire::text_map::TextMap;

/// A user: what limits it, and how much of the limit is taken.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct User<'a> {
    /// The user.
    #[schema(value_type = UserIdSchema)]
    user_id: &'a str,
    /// The user's plan; null if it has none.
    #[schema(value_type = Option<NameSchema>, required)]
    plan: Option<&'a str>,
    /// The limit that applies: most concurrent sessions.
    #[schema(value_type = LimitSchema)]
    limit: u32,
    /// Where that limit comes from: the user's own, its plan's, or the default.
    #[schema(value_type = LimitSourceSchema)]
    limit_source: &'static str,
    /// What the platform keeps about the user.
    #[schema(value_type = TextMap)]
    profile: AttributesMap<'a>,
    /// The number of slots taken.
    #[schema(example = 2)]
    active: u32,
}

schema!(LimitSourceSchema is "LimitSource": words(["user", "plan", "default"])
    .description(Some("Where a limit comes from.")));

impl<'a> User<'a> {
    /// The user with this id and view.
    pub(crate) fn new(user_id: &'a str, view: &'a UserView) -> Self {
        Self {
            user_id,
            plan: view.plan.as_ref().map(|plan| plan.as_str()),
            limit: view.limit,
            limit_source: match view.limit_source {
                LimitSource::User => "user",
                LimitSource::Plan => "plan",
                LimitSource::Default => "default",
            },
            profile: AttributesMap(&view.profile),
            active: view.active,
        }
    }
}
