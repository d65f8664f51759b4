//! One call of a storm: through which dialect, what it asks for, and what its answer says.

use serde_json::json;
use streamgate_testkit::Answer;

use crate::dialects::ask::Ask;
use crate::dialects::dialect::{Dialect, Told, Verdict};
use crate::dialects::recorded::is_uuid;

/// Through which API a call goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    V1,
    Dialect(Dialect),
}

impl Way {
    pub(crate) const ALL: [Self; 6] = [
        Self::V1,
        Self::Dialect(Dialect::SessionTracker),
        Self::Dialect(Dialect::ConcurrencyService),
        Self::Dialect(Dialect::StreamLog),
        Self::Dialect(Dialect::UserStreams),
        Self::Dialect(Dialect::StreamRequests),
    ];
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Call {
    /// Where the dialect does not name its sessions, the name is not sent.
    Start(Way, String),
    /// Ends a session by its name: /v1 and stream-log can.
    Stop(Way, String),
    /// `remove-session` of session-tracker.
    StopNewest,
    /// Ends all sessions of the user and forgets it: user-streams and stream-requests can.
    Forget(Dialect),
    /// `createuser` of stream-requests: begins again with a profile.
    Create,
    /// The sessions in /v1.
    List,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reply {
    Started(Verdict),
    /// A session has ended. Only session-tracker says how many are left.
    Stopped(Option<usize>),
    /// There was nothing to end.
    NoneToStop,
    /// There is no such user.
    UnknownUser,
    /// All sessions of the user have ended.
    Cleared,
    Live(Vec<String>),
}

impl Call {
    /// A call that looks random and is the same in every run. `made` are the ids that the caller
    /// was given by stream-log, which gives some of them back.
    pub(crate) fn random(way: Way, seed: u64, made: &mut Vec<String>) -> Self {
        let mixed = mix(seed);
        let name = ((mixed >> 40) % 5).to_string();
        let chance = (mixed >> 16) % 12;
        match way {
            Way::V1 if chance < 7 => Self::Start(way, name),
            Way::V1 if chance < 10 => Self::Stop(way, name),
            Way::V1 => Self::List,
            Way::Dialect(dialect) => match dialect {
                Dialect::SessionTracker if chance < 7 => Self::Start(way, name),
                Dialect::SessionTracker => Self::StopNewest,
                // It has no stop of its own; what it lacked, its clients have in /v1.
                Dialect::ConcurrencyService if chance < 8 => Self::Start(way, name),
                Dialect::ConcurrencyService => Self::Stop(Way::V1, name),
                Dialect::StreamLog if chance < 7 => Self::Start(way, name),
                Dialect::StreamLog => Self::Stop(way, made.pop().unwrap_or(name)),
                Dialect::UserStreams if chance < 11 => Self::Start(way, name),
                Dialect::StreamRequests if chance < 10 => Self::Start(way, name),
                Dialect::StreamRequests if chance < 11 => Self::Create,
                Dialect::UserStreams | Dialect::StreamRequests => Self::Forget(dialect),
            },
        }
    }

    pub(crate) fn ask(&self, user: &str) -> Ask {
        let session = |id: &str| format!("/v1/users/{user}/sessions/{id}");
        match self {
            Self::Start(Way::V1, id) => Ask::new("PUT", session(id)),
            Self::Start(Way::Dialect(dialect), id) => dialect.start(user, id),
            Self::Stop(Way::V1, id) => Ask::new("DELETE", session(id)),
            Self::Stop(Way::Dialect(dialect), id) => Ask::new("DELETE", dialect.at("/dev/stream"))
                .with(json!({ "userId": user, "streamId": id })),
            Self::StopNewest => {
                let path = format!("/remove-session?user_id={user}");
                Ask::new("POST", Dialect::SessionTracker.at(&path))
            }
            Self::Forget(Dialect::StreamRequests) => {
                Ask::new("POST", Dialect::StreamRequests.at("/removeuser"))
                    .with(json!({ "id": user }))
            }
            Self::Forget(dialect) => {
                Ask::new("DELETE", dialect.at(&format!("/user-streams/{user}")))
            }
            Self::Create => Dialect::StreamRequests
                .introduction(user)
                .expect("the dialect has introductions"),
            Self::List => Ask::new("GET", format!("/v1/users/{user}/sessions")),
        }
    }

    /// Reads the answer, which must be one that the contract allows.
    #[track_caller]
    pub(crate) fn reply(&self, answer: &Answer, user: &str, limit: usize) -> Reply {
        match (self, answer.status) {
            (Self::Start(Way::V1, _), _) => Reply::Started(v1_verdict(answer)),
            (Self::Start(Way::Dialect(dialect), id), _) => {
                Reply::Started(dialect.verdict(answer, user, id, limit))
            }
            (Self::Stop(..), 204) => Reply::Stopped(None),
            (Self::Stop(..), 404) | (Self::StopNewest, 409) => Reply::NoneToStop,
            (Self::StopNewest, 200) => removed(answer),
            (Self::Forget(_), 200 | 204) | (Self::Create, 200) => Reply::Cleared,
            (Self::Forget(_), 404) => Reply::UnknownUser,
            (Self::List, 200) => Reply::Live(ids(answer)),
            _ => panic!("{self:?}: {answer:?}"),
        }
    }
}

/// What session-tracker says of a removal that it did not refuse.
fn removed(answer: &Answer) -> Reply {
    let body = answer.json();
    let message = body["message"].as_str().unwrap();
    match message.strip_prefix("Number of active session decremented to ") {
        Some(left) => Reply::Stopped(Some(left.parse().unwrap())),
        None => Reply::UnknownUser,
    }
}

fn v1_verdict(answer: &Answer) -> Verdict {
    let active = answer.json()["active"].as_u64();
    let active = active.map(|active| usize::try_from(active).unwrap());
    let told = Told {
        active,
        ..Told::default()
    };
    match answer.status {
        status @ (200 | 201) => Verdict::Held(Told {
            is_new: Some(status == 201),
            ..told
        }),
        409 => Verdict::Refused(Told {
            ids: Some(ids(answer)),
            ..told
        }),
        _ => panic!("{answer:?}"),
    }
}

/// The ids of the `sessions` of an answer of /v1.
fn ids(answer: &Answer) -> Vec<String> {
    let body = answer.json();
    let sessions = body["sessions"].as_array().unwrap().iter();
    let ids = sessions.map(|session| session["session_id"].as_str().unwrap().to_owned());
    ids.collect()
}

/// Whether the server made this id.
pub(crate) fn is_made(id: &str) -> bool {
    is_uuid(id)
}

/// Well mixed bits.
pub(crate) fn mix(seed: u64) -> u64 {
    seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .rotate_left(29)
        .wrapping_mul(0xbf58_476d_1ce4_e5b9)
}
