//! `GET /user-streams/{userId}/{sessionId}`: starts a session, and lists who is watching.

use axum::http::{HeaderValue, StatusCode, Uri};
use axum::response::Response;
use serde::Serialize;
use streamgate_core::admission::{StartOutcome, WithSessions};
use utoipa::ToSchema;

use super::super::{DialectCaller, answer, segment, session_id};
use super::{Failed, SESSION, SESSION_PLACE, USER, USER_PLACE, UserStreams};
use crate::caller::access::Player;
use crate::caller::grant::unknown_plan;
use crate::problem::ApiError;
use crate::wire::schema::{SessionIdSchema, UserIdSchema};

/// The media type of this response; unlike the others it has no charset.
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Who is watching, and whether the session is among them.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Streams<'a> {
    /// The user.
    #[schema(value_type = UserIdSchema)]
    user_id: &'a str,
    /// How many sessions hold a slot.
    #[schema(example = 1)]
    no_of_streams: usize,
    /// These sessions, in the order in which they started.
    #[schema(value_type = Vec<SessionIdSchema>, example = json!(["1"]))]
    session_ids: Vec<String>,
    /// Whether the session that was asked for holds a slot.
    allow: bool,
}

/// Start a session
///
/// A session that is live already takes no second slot; its lease begins anew.
#[utoipa::path(
    get,
    path = "/user-streams/{userId}/{sessionId}",
    extensions(("x-streamgate-scope" = json!("viewer"))),
    params(
        ("userId" = UserIdSchema, Path,
            description = "The user, percent-encoded. `%2F` is a slash within the id, `+` is a \
                plus."),
        ("sessionId" = SessionIdSchema, Path,
            description = "The session, percent-encoded.", example = "1"),
    ),
    responses(
        (status = 200, description = "It holds a slot where `allow` is true; else every slot is \
            taken.", body = Streams<'_>),
        (status = 400, description = "An id is not valid.", body = Failed<'_>),
    )
)]
pub(super) async fn start_session(
    caller: DialectCaller<UserStreams, Player>,
    uri: Uri,
) -> Result<Response, ApiError> {
    let name = segment(&uri, USER_PLACE, USER)?;
    let id = segment(&uri, SESSION_PLACE, SESSION)?;
    let user = caller.user(USER, &name)?;
    let start = WithSessions(caller.start_of(session_id(SESSION, &id)?)?);
    let (outcome, watching) = caller.engine().start(&user, &start).await?.outcome;
    if let StartOutcome::UnknownPlan(_) = outcome {
        return Err(unknown_plan());
    }
    let session_ids: Vec<String> = watching
        .iter()
        .map(|session| session.id.to_string())
        .collect();
    let answer = Streams {
        user_id: &name,
        no_of_streams: session_ids.len(),
        session_ids,
        allow: matches!(
            outcome,
            StartOutcome::Admitted(_) | StartOutcome::AlreadyLive(_)
        ),
    };
    let bytes = serde_json::to_vec(&answer).expect("answers have text as keys");
    Ok(answer::response(StatusCode::OK, JSON, bytes))
}
