//! A user as this dialect shows it.

use serde::Serialize;
use streamgate_core::admission::{UserView, Watching};
use streamgate_core::ids::Name;
use utoipa::ToSchema;

use super::{NAME, SUBSCRIPTION, stream_session};
use crate::wire::schema::SessionIdSchema;

/// A user, without its id.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct User<'a> {
    /// Its name; null where it was not created here.
    #[schema(required, example = "Van Persie")]
    name: Option<&'a str>,
    /// What it pays for; null where it was not created here.
    #[schema(required, example = "basic plan")]
    subscription: Option<&'a str>,
    /// What it does now.
    status: Status,
}

/// What a user does now.
#[derive(Debug, Serialize, ToSchema)]
struct Status {
    /// What it watches.
    #[serde(rename = "Online")]
    online: Online,
    /// When it did not.
    offline: Offline,
}

/// What a user watches.
#[derive(Debug, Serialize, ToSchema)]
struct Online {
    /// The streams that hold a slot.
    #[serde(rename = "Streams")]
    streams: Streams,
}

/// Streams that hold a slot.
#[derive(Debug, Serialize, ToSchema)]
struct Streams {
    /// How many they are.
    #[serde(rename = "activeStreams")]
    #[schema(example = 1)]
    active_streams: usize,
    /// Their names, in the order in which they started.
    #[schema(value_type = Vec<SessionIdSchema>, example = json!(["stream_1"]))]
    watching: Vec<String>,
}

/// When a user watched last.
#[derive(Debug, Serialize, ToSchema)]
struct Offline {
    /// Always null: the original never said it.
    #[serde(rename = "lastOnline")]
    #[schema(value_type = Option<String>, required)]
    last_online: (),
}

/// The name of the stream of a session, in its first spelling.
fn stream_of(session: &Watching) -> String {
    let id = session.id.to_string();
    match session.content_id.as_ref().map(Name::as_str) {
        Some(written) if stream_session(written) == id => written.to_owned(),
        _ => id,
    }
}

impl<'a> User<'a> {
    /// The user with this view, watching this.
    pub(super) fn new(user: &'a UserView, watching: &[Watching]) -> Self {
        let watching: Vec<String> = watching.iter().map(stream_of).collect();
        Self {
            name: user.profile.get(NAME),
            subscription: user.profile.get(SUBSCRIPTION),
            status: Status {
                online: Online {
                    streams: Streams {
                        active_streams: watching.len(),
                        watching,
                    },
                },
                offline: Offline { last_online: () },
            },
        }
    }
}
