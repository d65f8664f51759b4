//! The calls of the players in a storm, and their answers.

use streamgate_testkit::{Client, session_ids};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Start(u8),
    Stop(u8),
    Heartbeat(u8),
    List,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// A start or heartbeat, with the number of slots taken.
    Held { new: bool, active: usize },
    /// A refusal, with who holds the slots.
    Refused(Vec<u8>),
    /// A stop.
    Stopped,
    /// A heartbeat of an ended session.
    Ended,
    /// A session the user never had.
    Unknown,
    /// A list.
    Live(Vec<u8>),
}

/// Makes a call. Nothing but the answers above is an answer.
pub(crate) async fn make(client: &mut Client, user: &str, call: &Call) -> Reply {
    let ids = |sessions: &serde_json::Value| -> Vec<u8> {
        session_ids(sessions)
            .iter()
            .map(|id| id.parse().unwrap())
            .collect()
    };
    let answer = match call {
        Call::Start(id) => client.start(user, &id.to_string()).await,
        Call::Stop(id) => client.stop(user, &id.to_string()).await,
        Call::Heartbeat(id) => client.heartbeat(user, &id.to_string()).await,
        Call::List => {
            client
                .send("GET", &format!("/v1/users/{user}/sessions"), None)
                .await
        }
    }
    .unwrap();
    let active = || usize::try_from(answer.json()["active"].as_u64().unwrap()).unwrap();
    match (answer.status, call) {
        (status @ (200 | 201), Call::Start(_)) => Reply::Held {
            new: status == 201,
            active: active(),
        },
        (200, Call::Heartbeat(_)) => Reply::Held {
            new: false,
            active: active(),
        },
        (409, Call::Start(_)) => Reply::Refused(ids(&answer.json()["sessions"])),
        (204, Call::Stop(_)) => Reply::Stopped,
        (410, Call::Heartbeat(_)) => Reply::Ended,
        (404, Call::Stop(_) | Call::Heartbeat(_)) => Reply::Unknown,
        (200, Call::List) => Reply::Live(ids(&answer.json()["sessions"])),
        _ => panic!("{call:?}: {answer:?}"),
    }
}

/// A call that looks random and is the same in every run.
pub(crate) fn call(seed: u64) -> Call {
    let mixed = seed
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .rotate_left(29)
        .wrapping_mul(0xbf58_476d);
    let id = u8::try_from((mixed >> 40) % 5).unwrap();
    match (mixed >> 16) % 10 {
        0..5 => Call::Start(id),
        5..7 => Call::Stop(id),
        7..9 => Call::Heartbeat(id),
        _ => Call::List,
    }
}
