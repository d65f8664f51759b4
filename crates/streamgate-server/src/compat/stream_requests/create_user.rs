//! `POST /createuser`: creates a user, or resets an existing one.

use std::collections::BTreeMap;

use axum::http::{HeaderValue, header};
use axum::response::Response;
use percent_encoding::utf8_percent_encode;
use serde_json::Value;
use streamgate_core::Attributes;
use streamgate_core::admission::{Edit, ResetUser};
use streamgate_core::metadata::AttributesError;
use utoipa::ToSchema;

use super::super::{AnyJson, DialectCaller};
use super::name::{self, SubscriptionSchema, UserName};
use super::{ID, NAME, SUBSCRIPTION, StreamRequests, sentence};
use crate::caller::access::Service;
use crate::problem::ApiError;
use crate::telemetry::audit::Action;
use crate::wire::path::RESERVED;
use crate::wire::schema::NameSchema;

/// A user to be created. Whatever else is sent, as `Status`, is ignored.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its shape is used, for the document")]
pub(crate) struct NewUser {
    /// Its name.
    #[schema(rename = "Name", value_type = NameSchema, example = "Van Persie")]
    name: String,
    /// What it pays for. No limit follows from it.
    #[schema(rename = "Subscription", value_type = SubscriptionSchema, required = false)]
    subscription: String,
    /// The user; left out or null, one is made.
    #[schema(value_type = UserName, required = false)]
    id: String,
}

/// Create a user
///
/// A user that is there already begins again: its sessions end, and its profile is replaced. Plan
/// and limit stay.
#[utoipa::path(
    post,
    path = "/createuser",
    extensions(("x-streamgate-scope" = json!("service"))),
    request_body = NewUser,
    responses(
        (status = 200, description = "It is there.", body = String, content_type = "text/html",
            headers(("Location" = String, description = "Where the user is found, by its id: \
                `getuser?id=010`.")),
            example = "Van Persie created"),
        (status = 400, description = "No JSON object, or a member of it is missing or not valid.",
            body = String, content_type = "text/plain"),
        (status = 403, description = "The key's scope does not include this.",
            body = String, content_type = "text/plain"),
    )
)]
pub(super) async fn create_user(
    caller: DialectCaller<StreamRequests, Service>,
    body: AnyJson,
) -> Result<Response, ApiError> {
    let name = text(&body, NAME)?;
    let profile = profile(name, optional_text(&body, SUBSCRIPTION)?)?;
    let id = match name::optional(&body, ID)? {
        Some(id) => id,
        None => caller.engine().new_session_id_v4().to_string().into(),
    };
    let user = caller.user(ID, &id)?;
    let reset = ResetUser {
        profile: Edit::Set(profile),
    };
    let note = caller.note(Action::ResetUser, &user);
    let reset = caller.engine().reset_user(&user, &reset).await;
    let created = || {
        let mut response = sentence(format!("{name} created"));
        let headers = response.headers_mut();
        headers.insert(header::LOCATION, location(&id));
        response
    };
    note.close(reset.map(|_| created()).map_err(ApiError::from))
}

/// The text in this member of the body, which is required.
fn text<'a>(body: &'a AnyJson, field: &str) -> Result<&'a str, ApiError> {
    match optional_text(body, field)? {
        None => Err(ApiError::field(field, "must be given")),
        Some("") => Err(ApiError::field(field, "must not be empty")),
        Some(text) => Ok(text),
    }
}

/// The text in this member of the body; `None` if it is missing.
fn optional_text<'a>(body: &'a AnyJson, field: &str) -> Result<Option<&'a str>, ApiError> {
    match body.member(field) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(ApiError::field(field, "must be a text")),
    }
}

/// The profile of a user of this name and subscription.
fn profile(name: &str, subscription: Option<&str>) -> Result<Attributes, ApiError> {
    let mut entries = BTreeMap::from([(NAME.into(), name.into())]);
    if let Some(subscription) = subscription {
        entries.insert(SUBSCRIPTION.into(), subscription.into());
    }
    Attributes::new(entries).map_err(|error| match error {
        AttributesError::Value { key, error } => ApiError::field(key, error),
        other => ApiError::field("body", other),
    })
}

/// The URL of the user, relative to this call.
fn location(id: &str) -> HeaderValue {
    let uri = format!("getuser?{ID}={}", utf8_percent_encode(id, RESERVED));
    HeaderValue::from_str(&uri).expect("what is escaped is visible ASCII")
}
