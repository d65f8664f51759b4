//! `GET /admin/backup`: a backup of the embedded store, as a stream.
//!
//! What is *not* here: what the bytes mean, and how they become a directory again
//! (`streamgate-store-embedded`).

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use futures_util::stream;
use streamgate_clock::Stopwatch;
use streamgate_core::TenantId;
use streamgate_store::{Backup, BackupError};

use crate::caller::access::{AdminByGet, Caller};
use crate::problem::{ApiError, Code};
use crate::problem_docs::BackupErrors;
use crate::state::App;
use crate::telemetry::audit::Action;
use crate::wire::answer::with_body;

const MEDIA_TYPE: HeaderValue = HeaderValue::from_static("application/vnd.streamgate.backup");

/// How long a client may take, beside the time that its bytes take.
const GRACE: Duration = Duration::from_secs(60);

/// A client that reads more slowly is cut off, in bytes a second: the files that it reads stay on
/// disk until it is done.
const BYTES_PER_SECOND_MIN: u64 = 256 << 10;

/// A backup of all data
///
/// For `streamgate store backup`, which checks and writes it. It holds every call that was answered
/// before the backup began, heartbeats excepted, of all tenants, so the key must be of scope
/// `admin` and of the default tenant. One backup at a time; a client that reads less than 256 KiB a
/// second is cut off. Only the embedded store has one. Scope: `admin`.
#[utoipa::path(
    get,
    path = "/admin/backup",
    extensions(("x-streamgate-scope" = json!("admin"))),
    tag = "ops",
    responses(
        (status = 200, description = "The backup. Only a body of the length that `Content-Length` \
            says is whole.",
            body = String, content_type = "application/vnd.streamgate.backup"),
        BackupErrors,
    )
)]
pub(crate) async fn backup(
    State(app): State<Arc<App>>,
    // It takes the one place of a backup.
    caller: Caller<AdminByGet>,
) -> Result<Response, ApiError> {
    let note = app
        .audit
        .note(Action::TakeBackup, &caller.identity, &caller.tenant);
    note.close(begin(&app, &caller.tenant).await)
}

/// Begins to send a backup to a caller of this tenant.
async fn begin(app: &App, tenant: &TenantId) -> Result<Response, ApiError> {
    if *tenant != app.default_tenant {
        let detail = "a backup holds the data of all tenants: it needs an admin key of the default \
                      tenant";
        return Err(ApiError::new(Code::Forbidden, detail));
    }
    let backup = app.engine.backup().await.map_err(refused)?;
    let bytes = backup.total_bytes();
    tracing::info!(bytes, "a backup begins");
    let sending = Sending {
        backup: Some(backup),
        watch: Stopwatch::start(),
        bytes,
        sent: 0,
    };
    let body = Body::from_stream(stream::try_unfold(sending, Sending::next));
    let mut response = with_body(StatusCode::OK, MEDIA_TYPE, body);
    response
        .headers_mut()
        .insert(header::CONTENT_LENGTH, HeaderValue::from(bytes));
    Ok(response)
}

fn refused(error: BackupError) -> ApiError {
    match error {
        BackupError::Elsewhere(advice) => ApiError::new(Code::BackupElsewhere, advice),
        BackupError::Running => ApiError::new(
            Code::BackupRunning,
            "another backup is under way; try again when it has ended",
        ),
        BackupError::Store(cause) => {
            let detail = "the store cannot be used now; send the same request again";
            ApiError::retry_after(Code::StoreUnavailable, detail, 1).with_cause(cause)
        }
        error @ BackupError::Io { .. } => {
            ApiError::new(Code::Internal, "the backup could not be begun").with_cause(error)
        }
    }
}

/// A backup that is being sent.
#[derive(Debug)]
struct Sending {
    /// `None` while a piece is being read.
    backup: Option<Box<dyn Backup>>,
    watch: Stopwatch,
    bytes: u64,
    sent: u64,
}

impl Sending {
    /// The next piece. It is read when the client has taken those before it, so the server holds
    /// few of them.
    async fn next(mut self) -> io::Result<Option<(Vec<u8>, Self)>> {
        let allowed = GRACE + Duration::from_secs(self.bytes / BYTES_PER_SECOND_MIN);
        if self.watch.elapsed() > allowed {
            return Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "the client reads too slowly",
            ));
        }
        let mut backup = self.backup.take().expect("no piece is being read");
        let read = tokio::task::spawn_blocking(move || (backup.next_piece(), backup));
        let (piece, backup) = read.await.map_err(io::Error::other)?;
        let piece = piece.inspect_err(|error| {
            tracing::error!(%error, "a file of the store cannot be read: the backup is given up");
        })?;
        self.backup = Some(backup);
        Ok(piece.map(|piece| {
            self.sent += piece.len() as u64;
            (piece, self)
        }))
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        let (bytes, sent) = (self.bytes, self.sent);
        let duration_us = self.watch.elapsed().as_micros();
        if sent == bytes {
            tracing::info!(bytes, duration_us, "the backup was sent");
        } else {
            tracing::warn!(
                bytes,
                sent,
                duration_us,
                "the backup was not sent to its end: the client went away, was cut off because it \
                 reads too slowly, or the server stops"
            );
        }
    }
}
