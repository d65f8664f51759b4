//! `POST /v1/import`: takes over users and their live sessions from another system.
//!
//! What is *not* here: the files of other systems; `streamgate import` reads them.

mod batch;

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use streamgate_core::TenantId;
use streamgate_core::admission::{ImportedSession, ImportedUser};
use streamgate_core::bounds::BATCH_BODY_MAX_BYTES;
use streamgate_engine::EngineError;
use utoipa::ToSchema;

use self::batch::{Batch, Entry};
use crate::caller::access::{Admin, Caller};
use crate::problem::{ApiError, store_trouble};
use crate::problem_docs::NeedsRoom;
use crate::state::App;
use crate::telemetry::audit::{Action, Note};
use crate::v1::batch::{EntryError, check_len, store_failed_for_all};
use crate::wire;
use crate::wire::body::JsonBody;
use crate::wire::object::Object;
use crate::wire::text_map::TextMap;

/// Users of another system.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ImportBody {
    /// The users; at most 1,000.
    #[schema(value_type = Vec<ImportEntry>, max_items = 1000)]
    users: Vec<Object<ImportEntry>>,
}

/// One user.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ImportEntry {
    /// The user. It may have several entries, with at most 1,000 sessions in all of them.
    #[schema(example = "viewer-1")]
    user_id: String,
    /// The sessions that it has there, each once, in the order in which they shall get slots. A
    /// user with more than 1,000 is skipped.
    #[serde(default)]
    #[schema(example = json!(["tv-evening"]))]
    sessions: Vec<String>,
    /// Its profile, for a user that has none here; one that is out of bounds is skipped.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, String>)]
    profile: TextMap,
}

/// The result of an import.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct ImportAnswer<'a> {
    /// How many users were taken over, whole or in part.
    #[schema(example = 998)]
    users: usize,
    /// How many sessions hold a slot now that held none before.
    #[schema(example = 1204)]
    started: usize,
    /// How many sessions held one already; their leases were renewed.
    #[schema(example = 0)]
    already_live: usize,
    /// Everything that was not taken over, in order.
    skipped: Vec<Skipped<'a>>,
}

/// A user, a session or a profile that was not taken over.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Skipped<'a> {
    /// The place of the user in the call, counted from 0.
    index: usize,
    /// The user.
    user_id: &'a str,
    /// The session; left out where it is the whole user or its profile.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    session_id: Option<&'a str>,
    /// The kind of the reason.
    reason: SkipReason,
    /// The reason, in a sentence.
    #[schema(example = "every slot is taken; the limit is 3")]
    detail: String,
}

/// Reasons for which something is not taken over.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SkipReason {
    /// Every slot of the user is taken.
    NoSlot,
    /// The session has ended here, and stays so.
    Ended,
    /// The user has another profile here, and keeps it.
    ProfileKept,
    /// It is not valid; `detail` names the field.
    Invalid,
    /// The store could not be used for this user. Send it again.
    StoreUnavailable,
    /// The store has no room for this user. Send it again later.
    StoreFull,
    /// Something is wrong inside; the log says more.
    Internal,
}

/// Take over users from another system
///
/// Starts the sessions that users have elsewhere, as far as slots are free. It ends no live
/// session, starts none again that has ended here, and sets a profile only for a user without one.
/// So the call is safe to repeat, and to run while players call. A session holds its slot for the
/// lease of callers without heartbeats (`compat.lease_s`). Each user succeeds or fails on its own,
/// and so does each of its sessions. The
/// entries of one user are one step of its store, in their order. Only a body that is wrong as a whole is a 400. If the store
/// failed for every user, the whole call is a 503. Rate limits by user do not count the entries.
/// Scope: `admin`.
#[utoipa::path(
    post,
    path = "/v1/import",
    extensions(("x-streamgate-scope" = json!("admin"))),
    tag = "users",
    request_body = ImportBody,
    responses(
        NeedsRoom,
        (status = 200, description = "The result.", body = ImportAnswer<'_>),
    )
)]
pub(crate) async fn import_users(
    State(app): State<Arc<App>>,
    caller: Caller<Admin>,
    body: JsonBody<BATCH_BODY_MAX_BYTES>,
) -> Result<Response, ApiError> {
    let mut note = app
        .audit
        .note(Action::ImportUsers, &caller.identity, &caller.tenant);
    let imported = import(&app, &caller.tenant, &body, &mut note).await;
    note.close(imported)
}

/// Takes over what the body has.
async fn import(
    app: &App,
    tenant: &TenantId,
    body: &JsonBody<BATCH_BODY_MAX_BYTES>,
    note: &mut Note,
) -> Result<Response, ApiError> {
    let import = body.parse::<ImportBody>()?;
    check_len("users", import.users.len())?;
    let mut batch = Batch::default();
    let entries = import.users.into_iter();
    let entries: Vec<Entry> = entries
        .map(|Object(entry)| batch.add(entry, tenant, app.compat.lease))
        .collect();
    let mut answer = ImportAnswer::default();
    let results = batch.run(app, &mut answer).await;
    if let Some(error) = store_failed_for_all(&results) {
        return Err(error.clone().into());
    }
    for (index, (entry, result)) in entries.iter().zip(results).enumerate() {
        match result {
            Ok(imported) => answer.add(index, entry, &imported),
            Err(error) => answer.add_failed(index, entry, error),
        }
    }
    note.set_users(answer.users);
    Ok(wire::json(StatusCode::OK, &answer))
}

impl<'a> ImportAnswer<'a> {
    /// Adds a user that was taken over, and its parts that were not.
    fn add(&mut self, index: usize, entry: &'a Entry, imported: &ImportedUser) {
        let mut skip = |session_id, reason, detail| {
            self.skipped.push(Skipped {
                index,
                user_id: &entry.user_id,
                session_id,
                reason,
                detail,
            });
        };
        let mut outcomes = imported.sessions.iter();
        for (id, fault) in &entry.sessions {
            if let Some(fault) = fault {
                skip(Some(id.as_str()), SkipReason::Invalid, fault.clone());
                continue;
            }
            let outcome = outcomes.next().expect("every valid session has an outcome");
            match outcome {
                ImportedSession::Started => self.started += 1,
                ImportedSession::AlreadyLive => self.already_live += 1,
                ImportedSession::Ended(reason) => {
                    let detail = format!("it has ended here: {}", reason.as_str());
                    skip(Some(id), SkipReason::Ended, detail);
                }
                ImportedSession::NoSlot => {
                    let limit = imported.limit;
                    let detail = format!("every slot is taken; the limit is {limit}");
                    skip(Some(id), SkipReason::NoSlot, detail);
                }
            }
        }
        if let Some(fault) = &entry.profile_error {
            skip(None, SkipReason::Invalid, fault.clone());
        } else if !imported.has_profile {
            let detail = "the user has another profile here, and keeps it".to_owned();
            skip(None, SkipReason::ProfileKept, detail);
        }
    }

    /// Adds a user that was not taken over.
    fn add_failed(&mut self, index: usize, entry: &'a Entry, error: EntryError) {
        let (reason, detail) = match error {
            EntryError::Invalid(fault) => (SkipReason::Invalid, fault),
            EntryError::Engine(error) => {
                let reason = match error {
                    EngineError::StoreFull(_) => SkipReason::StoreFull,
                    _ => SkipReason::StoreUnavailable,
                };
                match store_trouble(&error) {
                    Some(cause) => (reason, format!("{cause}; send this user again")),
                    None => {
                        let detail = "the user could not be taken over";
                        // The answer does not say what is wrong, so the log must.
                        tracing::error!(%error, "a user could not be taken over");
                        (SkipReason::Internal, detail.to_owned())
                    }
                }
            }
        };
        self.skipped.push(Skipped {
            index,
            user_id: &entry.user_id,
            session_id: None,
            reason,
            detail,
        });
    }
}
