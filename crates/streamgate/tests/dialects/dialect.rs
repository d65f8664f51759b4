//! The dialects as a client sees them: how each starts a session, and what its answers may be.

use serde_json::{Value, json};
use streamgate_testkit::Answer;

use crate::dialects::ask::Ask;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Dialect {
    SessionTracker,
    ConcurrencyService,
    StreamLog,
    UserStreams,
    StreamRequests,
}

/// What the answer to a start says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    Held(Told),
    Refused(Told),
    /// stream-requests: the user was never made.
    UnknownUser,
}

/// What an answer tells besides; each dialect tells other parts of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Told {
    /// Whether the session is new.
    pub(crate) is_new: Option<bool>,
    /// The number of slots taken.
    pub(crate) active: Option<usize>,
    /// The live sessions, in the order in which they started.
    pub(crate) ids: Option<Vec<String>>,
    /// The id that the server made.
    pub(crate) made: Option<String>,
}

impl Verdict {
    pub(crate) fn is_held(&self) -> bool {
        matches!(self, Self::Held(_))
    }

    pub(crate) fn told(&self) -> Told {
        match self {
            Self::Held(told) | Self::Refused(told) => told.clone(),
            Self::UnknownUser => Told::default(),
        }
    }
}

impl Dialect {
    pub(crate) const ALL: [Self; 5] = [
        Self::SessionTracker,
        Self::ConcurrencyService,
        Self::StreamLog,
        Self::UserStreams,
        Self::StreamRequests,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::SessionTracker => "session-tracker",
            Self::ConcurrencyService => "concurrency-service",
            Self::StreamLog => "stream-log",
            Self::UserStreams => "user-streams",
            Self::StreamRequests => "stream-requests",
        }
    }

    /// Whether its clients name their sessions.
    pub(crate) const fn names_sessions(self) -> bool {
        !matches!(self, Self::SessionTracker | Self::StreamLog)
    }

    /// A path of the dialect where it is mounted by default.
    pub(crate) fn at(self, path: &str) -> String {
        format!("/compat/{}{path}", self.name())
    }

    /// What must be asked before the first start of a user, if anything.
    pub(crate) fn introduction(self, user: &str) -> Option<Ask> {
        let body = json!({ "Name": user, "Subscription": "basic plan", "id": user });
        (self == Self::StreamRequests).then(|| Ask::new("POST", self.at("/createuser")).with(body))
    }

    /// A start. The ids stand in paths as they are; two dialects do not send the session.
    pub(crate) fn start(self, user: &str, session: &str) -> Ask {
        match self {
            Self::SessionTracker => {
                Ask::new("POST", self.at(&format!("/add-session?user_id={user}")))
            }
            Self::ConcurrencyService => Ask::new(
                "GET",
                self.at(&format!(
                    "/dev/startSession/userId/{user}/sessionId/{session}"
                )),
            ),
            Self::StreamLog => {
                Ask::new("POST", self.at("/dev/stream")).with(json!({ "userId": user }))
            }
            Self::UserStreams => {
                Ask::new("GET", self.at(&format!("/user-streams/{user}/{session}")))
            }
            Self::StreamRequests => Ask::new("POST", self.at("/requeststream"))
                .with(json!({ "id": user, "stream": session })),
        }
    }

    /// Reads the answer to a start, which must be one that the contract allows, to the letter.
    #[track_caller]
    pub(crate) fn verdict(
        self,
        answer: &Answer,
        user: &str,
        session: &str,
        limit: usize,
    ) -> Verdict {
        let verdict = match self {
            Self::SessionTracker => session_tracker(answer, limit),
            Self::ConcurrencyService => concurrency_service(answer, user, limit),
            Self::StreamLog => stream_log(answer, user),
            Self::UserStreams => user_streams(answer, user, session),
            Self::StreamRequests => stream_requests(answer, user, session),
        };
        let verdict = verdict.unwrap_or_else(|| panic!("{self:?} at limit {limit}: {answer:?}"));
        let told = verdict.told();
        assert!(
            told.active.is_none_or(|active| active <= limit),
            "{answer:?}"
        );
        if let (Verdict::Refused(_), Some(active)) = (&verdict, told.active) {
            assert_eq!(active, limit, "refused although a slot is free: {answer:?}");
        }
        verdict
    }
}

fn session_tracker(answer: &Answer, limit: usize) -> Option<Verdict> {
    if answer.status == 409 {
        let said = answer.text == format!(r#"{{"message":"Max sessions of {limit} reached."}}"#);
        return said.then(|| Verdict::Refused(Told::default()));
    }
    let active = answer
        .text
        .strip_prefix(r#"{"message":"Number of active session incremented to "#)?
        .strip_suffix(r#""}"#)?;
    (answer.status == 200).then_some(Verdict::Held(Told {
        is_new: Some(true),
        active: Some(active.parse().ok()?),
        ..Told::default()
    }))
}

fn concurrency_service(answer: &Answer, user: &str, limit: usize) -> Option<Verdict> {
    if answer.status == 400 {
        let wanted = limit + 1;
        let text =
            format!("User {user} is trying to watch {wanted} streams at once, which is too many.");
        return (answer.text == text).then(|| Verdict::Refused(Told::default()));
    }
    let active = answer
        .text
        .strip_prefix(&format!(r#"{{"user":"{user}","concurrentSessions":"#))?
        .strip_suffix('}')?;
    (answer.status == 200).then_some(Verdict::Held(Told {
        active: Some(active.parse().ok()?),
        ..Told::default()
    }))
}

fn stream_log(answer: &Answer, user: &str) -> Option<Verdict> {
    const REFUSED: &str = r#"{"statusCode":403,"message":{"error":"Unable to start a new stream, maximum limit reached"}}"#;
    if answer.status == 403 {
        return (answer.text == REFUSED).then(|| Verdict::Refused(Told::default()));
    }
    let id = answer
        .text
        .strip_prefix(r#"{"statusCode":201,"message":{"streamId":""#)?
        .strip_suffix(&format!(r#"","userId":"{user}"}}}}"#))?;
    (answer.status == 201).then_some(Verdict::Held(Told {
        is_new: Some(true),
        made: Some(id.to_owned()),
        ..Told::default()
    }))
}

fn user_streams(answer: &Answer, user: &str, session: &str) -> Option<Verdict> {
    if answer.status != 200 {
        return None;
    }
    let body: Value = serde_json::from_str(&answer.text).ok()?;
    let ids: Vec<String> = serde_json::from_value(body["sessionIds"].clone()).ok()?;
    let is_allowed = body["allow"].as_bool()?;
    let list = body["sessionIds"].to_string();
    // Written out, because clients may depend on the order of the keys.
    let text = format!(
        r#"{{"userId":"{user}","noOfStreams":{},"sessionIds":{list},"allow":{is_allowed}}}"#,
        ids.len()
    );
    if answer.text != text || ids.iter().any(|id| id == session) != is_allowed {
        return None;
    }
    let told = Told {
        active: Some(ids.len()),
        ids: Some(ids),
        ..Told::default()
    };
    Some(match is_allowed {
        true => Verdict::Held(told),
        false => Verdict::Refused(told),
    })
}

fn stream_requests(answer: &Answer, user: &str, session: &str) -> Option<Verdict> {
    let is_new = |is_new| Told {
        is_new: Some(is_new),
        ..Told::default()
    };
    let text = answer.text.as_str();
    match answer.status {
        200 if text == format!("Request for {session} succesful") => {
            Some(Verdict::Held(is_new(true)))
        }
        200 if text == format!("User {user} is already watching {session}") => {
            Some(Verdict::Held(is_new(false)))
        }
        200 if text
            == format!("User - {user} has exceeded maximum concurrent streams allowed.") =>
        {
            Some(Verdict::Refused(Told::default()))
        }
        400 if text == "Bad Request" => Some(Verdict::UnknownUser),
        _ => None,
    }
}
