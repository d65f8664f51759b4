//! The audit log: who changed users, ended the sessions of others, minted tokens, imported users or
//! took a backup.
//!
//! An endpoint makes a [`Note`] once its caller is authorised, and closes it with the result. The
//! note travels with the answer to where the request is observed, which knows its id and its
//! status, and becomes one line of the logger [`TARGET`]. A call that is dropped on the way (its
//! client is gone, or it panicked) has a line as well. Lines go through the queue of the log, which
//! nobody waits for.
//!
//! What is *not* here: who is refused. A call that is not authorised changes nothing; the metrics
//! count it.

use std::borrow::Cow;
use std::sync::Arc;

use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use streamgate_core::{TenantId, UserKey};
use streamgate_engine::user_hash;

use crate::caller::client::AddressClass;
use crate::caller::grant::Identity;
use crate::problem::{ApiError, shortened};

/// The logger of the lines. The line itself repeats the word, for the reference of the log.
pub const TARGET: &str = "audit";

/// What is audited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditSettings {
    /// Whether anything is.
    pub enabled: bool,
    /// Whether lines have the ids of users beside their hashes.
    pub user_ids: bool,
}

impl Default for AuditSettings {
    fn default() -> Self {
        Self {
            enabled: true,
            user_ids: false,
        }
    }
}

/// What a call did: `event.action` of ECS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// Plan, limit or profile of a user was set.
    SetUser,
    /// The limit of a user became 0, which ended its sessions.
    BlockUser,
    /// A user was erased, and its sessions ended.
    EraseUser,
    /// A dialect ended all sessions of a user.
    ResetUser,
    /// A session was ended by a key that is not a player's.
    StopSession,
    /// A start ended other sessions of its user, by their names.
    TerminateSessions,
    /// A viewer token was minted.
    MintToken,
    /// Users were imported.
    ImportUsers,
    /// A backup was begun.
    TakeBackup,
}

impl Action {
    const fn as_str(self) -> &'static str {
        match self {
            Self::SetUser => "user-set",
            Self::BlockUser => "user-blocked",
            Self::EraseUser => "user-erased",
            Self::ResetUser => "user-reset",
            Self::StopSession => "session-stopped",
            Self::TerminateSessions => "sessions-terminated",
            Self::MintToken => "token-minted",
            Self::ImportUsers => "users-imported",
            Self::TakeBackup => "backup-taken",
        }
    }
}

/// A call that has a line in the audit log; nothing, if audits are off or the call needs none.
#[derive(Debug)]
#[must_use = "a note that is dropped says that its call was dropped"]
pub(crate) struct Note(Option<Box<Entry>>);

/// What the line of a call says, but for its request and its outcome.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    action: Action,
    by: Identity,
    tenant: TenantId,
    user_sha256: Option<String>,
    user_id: Option<String>,
    sessions: Option<usize>,
    users: Option<usize>,
    token: Option<(Cow<'static, str>, String)>,
}

impl AuditSettings {
    /// A call of this caller that does this.
    pub(crate) fn note(&self, action: Action, by: &Identity, tenant: &TenantId) -> Note {
        let entry = || {
            Box::new(Entry {
                action,
                by: by.clone(),
                tenant: tenant.clone(),
                user_sha256: None,
                user_id: None,
                sessions: None,
                users: None,
                token: None,
            })
        };
        Note(self.enabled.then(entry))
    }

    /// The same about one user.
    pub(crate) fn note_about(&self, action: Action, by: &Identity, user: &UserKey) -> Note {
        let tenant = TenantId::new(user.tenant()).expect("a user has a valid tenant");
        let mut note = self.note(action, by, &tenant);
        if let Some(entry) = &mut note.0 {
            entry.user_sha256 = Some(user_hash(user.user()));
            entry.user_id = self.user_ids.then(|| user.user().to_owned());
        }
        note
    }
}

impl Note {
    /// Of a call that has no line.
    pub(crate) const fn none() -> Self {
        Self(None)
    }

    /// It turned out to do something else.
    pub(crate) fn set_action(&mut self, action: Action) {
        if let Some(entry) = &mut self.0 {
            entry.action = action;
        }
    }

    /// How many sessions the call was to end.
    pub(crate) fn set_sessions(&mut self, sessions: usize) {
        if let Some(entry) = &mut self.0 {
            entry.sessions = Some(sessions);
        }
    }

    /// How many users the call took over.
    pub(crate) fn set_users(&mut self, users: usize) {
        if let Some(entry) = &mut self.0 {
            entry.users = Some(users);
        }
    }

    /// The id of the token that was minted, and when it expires.
    pub(crate) fn set_token(&mut self, id: impl Into<Cow<'static, str>>, expires_at: String) {
        if let Some(entry) = &mut self.0 {
            entry.token = Some((id.into(), expires_at));
        }
    }

    /// The call changed nothing: it has no line.
    pub(crate) fn discard(mut self) {
        self.0 = None;
    }

    /// The call has this result, which takes the note along.
    pub(crate) fn close(
        mut self,
        result: Result<Response, ApiError>,
    ) -> Result<Response, ApiError> {
        let Some(entry) = self.0.take() else {
            return result;
        };
        let entry: Arc<Entry> = Arc::from(entry);
        match result {
            Ok(mut answer) => {
                answer.extensions_mut().insert(entry);
                Ok(answer)
            }
            Err(error) => Err(error.with_audit(entry)),
        }
    }
}

impl Drop for Note {
    fn drop(&mut self) {
        if let Some(entry) = self.0.take() {
            entry.log(None, None);
        }
    }
}

impl Entry {
    /// Takes the note of an answer, if it has one, and logs it.
    pub(crate) fn log_of(answer: &mut Response, request_id: &HeaderValue) {
        if let Some(entry) = answer.extensions_mut().remove::<Arc<Self>>() {
            entry.log(Some(request_id), Some(answer.status()));
        }
    }

    /// Writes the line.
    #[cold]
    fn log(&self, request_id: Option<&HeaderValue>, status: Option<StatusCode>) {
        let by = By::of(&self.by);
        let token = self.token.as_ref();
        tracing::info!(
            target: "audit",
            action = self.action.as_str(),
            outcome = outcome(status),
            actor = by.kind,
            actor_name = by.name,
            actor_role = by.role,
            actor_domain = by.issuer,
            actor_token_id = by.token_id.as_deref(),
            address = by.address,
            tenant = self.tenant.as_str(),
            target_sha256 = self.user_sha256.as_deref(),
            target_id = self.user_id.as_deref(),
            sessions = self.sessions,
            users = self.users,
            token_id = token.map(|(id, _)| &**id),
            token_expires_at = token.map(|(_, expires_at)| &**expires_at),
            request_id = request_id.and_then(|id| id.to_str().ok()),
            status = status.map(|status| status.as_u16()),
            "audited call"
        );
    }
}

/// Whether the call did what it says: `event.outcome` of ECS. After an error of the server, or if
/// the call was dropped, it may have.
fn outcome(status: Option<StatusCode>) -> &'static str {
    match status {
        Some(status) if status.is_client_error() => "failure",
        Some(status) if !status.is_server_error() => "success",
        _ => "unknown",
    }
}

/// Who made a call, as its line says it.
#[derive(Debug, Default)]
struct By<'a> {
    kind: &'static str,
    name: Option<&'a str>,
    role: Option<&'static str>,
    issuer: Option<&'a str>,
    token_id: Option<String>,
    address: Option<&'static str>,
}

impl<'a> By<'a> {
    fn of(identity: &'a Identity) -> Self {
        match identity {
            Identity::Anonymous(class) => Self {
                kind: "anonymous",
                address: class.map(AddressClass::as_str),
                ..Self::default()
            },
            Identity::Key { name, scope, .. } => Self {
                kind: "key",
                name: Some(name),
                role: Some(scope.as_str()),
                ..Self::default()
            },
            Identity::Viewer(viewer) => Self {
                kind: "token",
                role: Some("viewer"),
                issuer: Some(&viewer.issuer),
                token_id: viewer
                    .token_id
                    .as_deref()
                    .map(|id| shortened(id.to_owned())),
                ..Self::default()
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::{fmt, io};

    use tracing_subscriber::fmt::MakeWriter;

    use super::*;

    /// What was logged.
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl<'a> MakeWriter<'a> for Lines {
        type Writer = Self;

        fn make_writer(&'a self) -> Self {
            self.clone()
        }
    }

    impl fmt::Display for Lines {
        fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
            to.write_str(&String::from_utf8_lossy(&self.0.lock().unwrap()))
        }
    }

    #[test]
    fn a_call_that_is_dropped_before_its_answer_has_a_line_of_unknown_outcome() {
        let lines = Lines::default();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(lines.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            let by = Identity::Anonymous(None);
            let tenant = TenantId::default_tenant();
            let note = || AuditSettings::default().note(Action::ImportUsers, &by, &tenant);
            drop(note());
            note().discard();
            drop(Note::none());
        });
        let text = lines.to_string();
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(
            text.contains("INFO audit: audited call action=\"users-imported\""),
            "{text}"
        );
        assert!(text.contains("outcome=\"unknown\""), "{text}");
    }
}
