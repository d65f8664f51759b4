//! `GET /v1/users/{user_id}/sessions/{session_id}/events`: a session, until it ends; and with
//! `hold=true`, its heartbeats.
//!
//! What the stream is told is a hint: before it says `ended` it reads the record, which knows why.
//! The end of a lease is found by a read at that time; a heartbeat that came meanwhile moves it.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::Method;
use axum::http::request::Parts;
use axum::response::Response;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use streamgate_core::admission::{Alive, Heartbeat, HeartbeatOutcome};
use streamgate_core::{
    Ending, Event, Held, Ledger, Moment, Policy, Session as CoreSession, SessionId, UserKey,
};
use streamgate_engine::{Answered, EngineError};

use super::heartbeat::{HeartbeatAnswer, SessionEnded, session_ended};
use super::session_unknown;
use crate::caller::access::authorize_stream;
use crate::caller::keys::Scope;
use crate::caller::stream_credential::StreamCredential;
use crate::caller::tokens::once_keys_are_there;
use crate::metrics::{StreamEnd, StreamKind};
use crate::problem::ApiError;
use crate::problem_docs::{SessionUnknown, StreamErrors};
use crate::push::{self, Bye, Delivery, EventStream, Interest, Out, PushEvent, Topic};
use crate::state::App;
use crate::v1::session::Session;
use crate::wire::query::flag;
use crate::wire::schema::{SessionParam, UserParam};

/// How long behind the end of a lease it is looked for, so that no timer is too early.
pub(crate) const BEHIND_LEASE: Duration = Duration::from_millis(50);

/// How long after a check that failed the next one is made, in milliseconds, at least and at most.
const AGAIN_MS: (u64, u64) = (1_000, 3_000);

/// [`flag`] for the document.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only its shape is used, for the document")]
pub(crate) struct HoldParam {
    /// Whether the open stream is the session's heartbeat.
    #[param(default = false, required = false)]
    hold: Option<bool>,
}

/// Listen to a session
///
/// A stream of server-sent events; the data of each is JSON of the schema in brackets. `session`
/// (`Session`: the session as it is) first, then, once it has ended, `ended` (`SessionEnded`: the
/// body of the 410 of a heartbeat), and the stream ends. With `hold=true` the open stream is the
/// heartbeat: the server renews the lease every `heartbeat_interval_s` and says `renewed`
/// (`HeartbeatAnswer`) each time; when the stream breaks, the lease runs on from the last renewal.
/// `bye` (`ByeEvent`) comes before a stream that ends although the session does not: connect again
/// after `retry_ms`. A comment comes every 15 seconds. Scope: `player`.
#[utoipa::path(
    get,
    path = "/v1/users/{user_id}/sessions/{session_id}/events",
    extensions(("x-streamgate-scope" = json!("viewer"))),
    tag = "sessions",
    params(UserParam, SessionParam, HoldParam),
    responses(
        (status = 200, description = "What happens to the session, as server-sent events.",
            body = String, content_type = "text/event-stream",
            extensions(("x-streamgate-events" = json!({
                    "session": "Session", "renewed": "HeartbeatAnswer", "ended": "SessionEnded",
                    "bye": "ByeEvent",
                })))),
        SessionUnknown,
        (status = 410,
            description = "`session_ended`: the session has ended, and `reason` says why.",
            body = SessionEnded<'_>, content_type = "application/problem+json"),
        StreamErrors,
    )
)]
pub(crate) async fn listen_to_session(
    State(app): State<Arc<App>>,
    parts: Parts,
) -> Result<Response, ApiError> {
    // Also a hold that is misspelt, and refused further on, may mean a change.
    let changes = parts.uri.query().is_some_and(|query| !query.is_empty());
    let authorize = || authorize_stream(&app, &parts, Scope::Player, changes);
    let (user, id, identity) = once_keys_are_there(authorize).await?;
    let hold = flag(&parts.uri, "hold")?;
    push::check_supported(&parts)?;
    let mut topic = SessionTopic::new(user, id, hold);
    if parts.method == Method::HEAD {
        topic.hold = false;
        return Ok(match topic.begin(&app).await? {
            Begin::Live(_) => push::response(Body::empty()),
            Begin::Ended(ending) => session_ended(&app, &ending),
        });
    }
    // First the subscription, then the state: no ending falls between the two.
    let interest = Interest::Session(topic.id.clone());
    let subscription = app.hub.listen(&topic.user, interest)?;
    let session = match topic.begin(&app).await? {
        Begin::Live(session) => session,
        Begin::Ended(ending) => return Ok(session_ended(&app, &ending)),
    };
    let credential = StreamCredential::new(identity, topic.user.tenant(), Scope::Player);
    let (id, wall) = (app.hub.event_id(), app.engine.wall());
    let stream = EventStream::new(app, subscription, credential, topic, |topic, out| {
        out.event(
            id,
            "session",
            &Session::new(topic.user.user(), &session, wall),
        );
    });
    Ok(stream.into_response())
}

/// A session at the beginning of its stream.
enum Begin {
    /// It holds a slot.
    Live(CoreSession),
    /// It has ended.
    Ended(Ending),
}

/// A session as a record shows it.
#[derive(Debug)]
pub(crate) enum Seen {
    /// It holds a slot, for so many milliseconds unless it is renewed.
    Live(CoreSession, u64),
    /// It has ended.
    Ended(Ending),
    /// The user never had it, or it is forgotten.
    Unknown,
}

/// What a check of the stream finds.
pub(crate) enum Found {
    /// Of a stream whose player sends heartbeats.
    Seen(Result<Seen, EngineError>),
    /// Of a stream that is the heartbeat.
    Beat(Result<Answered<HeartbeatOutcome>, EngineError>),
}

/// A session whose stream is open.
struct SessionTopic {
    user: UserKey,
    id: SessionId,
    hold: bool,
    /// The ending that it was told of, until the record confirms it.
    told: Option<Ending>,
    next_check: Option<Duration>,
}

/// The session in this ledger.
fn seen(ledger: &Ledger, now: Moment, id: &SessionId) -> Seen {
    if let Some(session) = ledger.find(id) {
        let left_ms = session.expires_at.millis_since(now.time);
        return Seen::Live(session.clone(), left_ms);
    }
    match ledger.ending_of(id) {
        Some(ending) => Seen::Ended(ending.clone()),
        None => Seen::Unknown,
    }
}

impl SessionTopic {
    fn new(user: UserKey, id: SessionId, hold: bool) -> Self {
        Self {
            user,
            id,
            hold,
            told: None,
            next_check: None,
        }
    }

    /// The session now. A stream that is the heartbeat begins with one.
    async fn begin(&mut self, app: &App) -> Result<Begin, ApiError> {
        let id = &self.id;
        let beat = if self.hold {
            let heartbeat = Heartbeat { id: id.clone() };
            match app.engine.heartbeat(&self.user, &heartbeat).await?.outcome {
                HeartbeatOutcome::Renewed(alive) | HeartbeatOutcome::Revived(alive) => {
                    Some(alive.session)
                }
                HeartbeatOutcome::Ended(ending) => return Ok(Begin::Ended(ending)),
                HeartbeatOutcome::Unknown => return Err(session_unknown()),
            }
        } else {
            None
        };
        let look = |ledger: &Ledger, _: &Policy, now: Moment| seen(ledger, now, id);
        match (app.engine.look(&self.user, look).await, beat) {
            (Ok(Seen::Live(session, left_ms)), None) => {
                self.next_check = Some(self.at_lease_end(app, Duration::ZERO, left_ms));
                Ok(Begin::Live(session))
            }
            (Ok(Seen::Live(session, _)), Some(held)) => {
                self.next_check = Some(spread(interval(app, &held)));
                Ok(Begin::Live(session))
            }
            (Ok(Seen::Ended(ending)), _) => Ok(Begin::Ended(ending)),
            (Ok(Seen::Unknown), None) => Err(session_unknown()),
            (Err(error), None) => Err(error.into()),
            // Answered without the store (fail open), which does not show the session.
            (Ok(Seen::Unknown) | Err(_), Some(held)) => {
                self.next_check = Some(spread(interval(app, &held)));
                Ok(Begin::Live(CoreSession {
                    id: self.id.clone(),
                    started_at: held.started_at,
                    last_seen_at: held.last_seen_at,
                    expires_at: held.expires_at,
                    lease: held.lease,
                    metadata: None,
                }))
            }
        }
    }

    /// When to look next: behind the end of the lease; without notices from other nodes also by the
    /// next heartbeat.
    fn at_lease_end(&self, app: &App, now: Duration, left_ms: u64) -> Duration {
        now + reread_after(app, Duration::from_millis(left_ms) + BEHIND_LEASE)
    }

    fn ended(&self, ending: &Ending, app: &App, out: &mut Out) {
        let ended = SessionEnded::told(ending, app.engine.wall());
        out.event(app.hub.event_id(), "ended", &ended);
        out.end(StreamEnd::Ended);
    }

    /// The record shows nothing of the session.
    fn unknown(&self, app: &App, out: &mut Out) {
        match &self.told {
            Some(ending) => self.ended(ending, app, out),
            None => out.bye(app.hub.event_id(), Bye::SessionUnknown),
        }
    }

    fn seen(&mut self, seen: Result<Seen, EngineError>, app: &App, out: &mut Out) {
        match seen {
            Ok(Seen::Live(_, left_ms)) => {
                self.told = None;
                self.next_check = Some(self.at_lease_end(app, out.now(), left_ms));
            }
            Ok(Seen::Ended(ending)) => self.ended(&ending, app, out),
            Ok(Seen::Unknown) => self.unknown(app, out),
            // What was told was committed.
            Err(_) if self.told.is_some() => self.unknown(app, out),
            Err(_) => self.next_check = Some(out.now() + again()),
        }
    }

    fn beaten(
        &mut self,
        beaten: Result<Answered<HeartbeatOutcome>, EngineError>,
        app: &App,
        out: &mut Out,
    ) {
        let Ok(answered) = beaten else {
            // The lease runs on from the last renewal: nothing is said.
            self.next_check = Some(out.now() + again());
            return;
        };
        let is_revived = matches!(answered.outcome, HeartbeatOutcome::Revived { .. });
        match answered.outcome {
            HeartbeatOutcome::Renewed(alive) | HeartbeatOutcome::Revived(alive) => {
                self.told = None;
                let Alive {
                    session,
                    limit,
                    active,
                } = alive;
                let seats = (!answered.is_degraded).then_some((limit, active));
                let renewed = HeartbeatAnswer::new(app, &self.id, &session, seats, is_revived);
                out.event(app.hub.event_id(), "renewed", &renewed);
                self.next_check = Some(out.now() + interval(app, &session));
            }
            HeartbeatOutcome::Ended(ending) => self.ended(&ending, app, out),
            HeartbeatOutcome::Unknown => self.unknown(app, out),
        }
    }
}

impl Topic for SessionTopic {
    type Found = Found;

    fn kind(&self) -> StreamKind {
        if self.hold {
            StreamKind::Hold
        } else {
            StreamKind::Session
        }
    }

    fn on_event(&mut self, delivery: &Delivery, _app: &App, out: &mut Out) {
        if let PushEvent::Changed(_, Event::Ended(end)) = &*delivery.event {
            self.told = Some(end.clone());
            self.next_check = Some(out.now());
        }
    }

    /// The check that follows knows better.
    fn missed(&mut self, _count: Option<u64>, _app: &App, _out: &mut Out) {}

    fn next_check(&self) -> Option<Duration> {
        self.next_check
    }

    fn check(&mut self, app: Arc<App>) -> BoxFuture<'static, Found> {
        let (user, id) = (self.user.clone(), self.id.clone());
        self.next_check = None;
        if self.hold {
            return async move {
                let heartbeat = Heartbeat { id };
                Found::Beat(app.engine.heartbeat(&user, &heartbeat).await)
            }
            .boxed();
        }
        async move {
            let _permit = app.hub.checks().acquire().await;
            let view = |ledger: &Ledger, _: &Policy, now: Moment| seen(ledger, now, &id);
            Found::Seen(app.engine.settle(&user, view).await)
        }
        .boxed()
    }

    fn found(&mut self, found: Found, app: &App, out: &mut Out) {
        match found {
            Found::Seen(seen) => self.seen(seen, app, out),
            Found::Beat(beaten) => self.beaten(beaten, app, out),
        }
    }
}

/// How long after a renewal the next one is due.
fn interval(app: &App, held: &Held) -> Duration {
    let of_lease = (held.lease.0 / 3).max(1);
    let interval = app.engine.policy().heartbeat_interval.0.min(of_lease);
    Duration::from_secs(interval.into())
}

/// A random time in the second half of the interval: clients that reconnect at once do not renew
/// at once for ever.
fn spread(interval: Duration) -> Duration {
    let ms = u64::try_from(interval.as_millis()).unwrap_or(u64::MAX);
    Duration::from_millis(push::between((ms / 2, ms)))
}

/// How long to wait after a check that failed.
pub(crate) fn again() -> Duration {
    Duration::from_millis(push::between(AGAIN_MS))
}

/// After how long a record is read again that does not change by itself before `behind`: sooner if
/// other nodes may change it, without notices from other nodes.
pub(crate) fn reread_after(app: &App, behind: Duration) -> Duration {
    let is_told = !app.engine.shares_store() || app.hub.notices_are_up() == Some(true);
    if is_told {
        return behind;
    }
    let interval = app.engine.policy().heartbeat_interval.0;
    behind.min(Duration::from_secs(interval.into()))
}
