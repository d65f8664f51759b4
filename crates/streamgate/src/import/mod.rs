//! Moving data over from an earlier system: its file is read row by row, and its users are sent to
//! a running server in batches.
//!
//! What is *not* here: flags and help (the command), which sessions may be started (the server).

mod batch;
mod check;
mod input;
mod report;
mod send;
mod session_tracker;
mod stream_requests;
mod user_streams;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use clap::ValueEnum;
use serde_json::{Value, json};

use crate::exit::Failure;

pub(crate) use input::Input;
pub(crate) use report::Report;
pub(crate) use send::{RUN_AGAIN, ask, send};

/// The earlier systems whose files are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum System {
    /// A DynamoDB table of user_id and active_sessions: an export, a scan, or one object a line
    SessionTracker,
    /// LoopBack's db.json
    UserStreams,
    /// database.json
    StreamRequests,
}

/// A place in a file, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// A row of a table, and the line on which it ends if it is a JSON value of its own; both
    /// counted from 1.
    Row { row: u64, line: Option<u64> },
    /// The member of this name.
    Key(String),
}

/// A user to take over. Its ids and its profile are within their bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct User {
    at: Place,
    user_id: String,
    sessions: Vec<String>,
    profile: BTreeMap<String, String>,
}

/// A user, a session or a profile that is not taken over, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Skip {
    at: Place,
    user_id: Option<String>,
    session_id: Option<String>,
    /// A code for programs, of those that the server has.
    reason: Cow<'static, str>,
    /// A sentence for people.
    detail: String,
}

/// One thing found in a file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// A user to take over.
    User(User),
    /// A user that has nothing to take over.
    Nothing,
    /// A part that cannot be taken over.
    Skip(Skip),
}

/// Takes each thing that is found; a failure ends the reading.
type Each<'a> = dyn FnMut(Found) -> Result<(), Failure> + 'a;

impl System {
    /// The system whose files have a member of this name at the top, as far as it is known.
    fn with_member(name: &str) -> Option<Self> {
        match name {
            "Item" | "Items" | "user_id" => Some(Self::SessionTracker),
            "models" => Some(Self::UserStreams),
            "Users" => Some(Self::StreamRequests),
            _ => None,
        }
    }

    /// The name of the system, as `--from` takes it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::SessionTracker => "session-tracker",
            Self::UserStreams => "user-streams",
            Self::StreamRequests => "stream-requests",
        }
    }
}

impl User {
    /// The user as an entry of `POST /v1/import`.
    fn entry(&self) -> Value {
        let mut entry = json!({ "user_id": self.user_id, "sessions": self.sessions });
        if !self.profile.is_empty() {
            entry["profile"] = json!(self.profile);
        }
        entry
    }
}

impl Place {
    /// The member of this name.
    fn key(name: &str) -> Self {
        Self::Key(check::cut(name))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Row { row, line: None } => write!(f, "row {row}"),
            Self::Row {
                row,
                line: Some(line),
            } if row == line => write!(f, "line {line}"),
            Self::Row {
                row,
                line: Some(line),
            } => write!(f, "row {row}, line {line}"),
            Self::Key(key) => write!(f, "key {key:?}"),
        }
    }
}
