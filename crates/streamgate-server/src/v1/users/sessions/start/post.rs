//! `POST /v1/users/{user_id}/sessions`: a start whose session id the server makes, unless the body
//! brings one.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use streamgate_core::{SessionId, UserKey};

use super::{REFUSED, StartAnswer, StartBody, StartRefused, start};
use crate::caller::access::{Player, UserPath};
use crate::caller::grant::{Identity, entitlement};
use crate::problem::{ApiError, FieldErrors};
use crate::problem_docs::{NeedsEntitlement, NeedsRoom};
use crate::state::App;
use crate::telemetry::audit::{Action, Note};
use crate::wire::body::JsonBody;
use crate::wire::path::path_segment;
use crate::wire::schema::UserParam;

/// Start a session
///
/// May this user start another stream? If a slot is free, the session holds it until its lease is
/// over; each heartbeat renews the lease. To be able to repeat a start whose answer was lost, bring
/// a `session_id` or use PUT: a repeated start never takes a second slot. Scope: `player`.
#[utoipa::path(
    post,
    path = "/v1/users/{user_id}/sessions",
    extensions(("x-streamgate-scope" = json!("viewer"))),
    tag = "sessions",
    params(UserParam),
    request_body = Option<StartBody>,
    responses(
        NeedsRoom,
        NeedsEntitlement,
        (status = 201, description = "The session holds a slot.", body = StartAnswer<'_>,
            headers(("Location" = String, description = "The path of the session."))),
        (status = 200, description = "The session of the body's `session_id` is live already; its \
            lease was renewed, and nothing else of it changed. If the viewer token brings a plan \
            or a limit, they are the user's from now on, as after any start.",
            body = StartAnswer<'_>),
        (status = 409, description = REFUSED,
            body = StartRefused<'_>, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn start_session(
    State(app): State<Arc<App>>,
    target: UserPath<Player>,
    body: Result<JsonBody, ApiError>,
) -> Result<Response, ApiError> {
    let body = app.told(&target.user, body)?;
    let mut body = body.parse::<StartBody>()?;
    let mut errors = FieldErrors::default();
    let id = match body.session_id.take().flatten() {
        Some(text) => errors.check("session_id", SessionId::new(&text)),
        None => Some(app.engine.new_session_id()),
    };
    let mut command = body.check(id, errors)?;
    command.sets = entitlement(target.identity.viewer())?;
    let note = || match &target.identity {
        by @ Identity::Key { .. } => {
            app.audit
                .note_about(Action::TerminateSessions, by, &target.user)
        }
        Identity::Anonymous(_) | Identity::Viewer(_) => Note::none(),
    };
    let mut response = start(&app, &target.user, &command, note).await?;
    if response.status() == StatusCode::CREATED {
        let location = location(&target.user, &command.id);
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

/// The path of a session.
fn location(user: &UserKey, id: &SessionId) -> HeaderValue {
    let user = path_segment(user.user());
    let id = id.with_str(path_segment);
    HeaderValue::try_from(format!("/v1/users/{user}/sessions/{id}"))
        .expect("percent-encoded text is a header value")
}
