//! `GET /v1/users/{user_id}/events`: the sessions of a user, and what becomes of them.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::Method;
use axum::http::request::Parts;
use axum::response::Response;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use streamgate_core::admission::{SessionsQuery, SessionsView, sessions_of};
use streamgate_core::{
    Ending, Event, Ledger, Moment, Policy, Session, SessionId, Timestamp, UserKey,
};
use streamgate_engine::EngineError;

use super::sessions::events::{BEHIND_LEASE, again, reread_after};
use super::sessions::list::UserSessions;
use crate::caller::access::{Player, UserPath};
use crate::caller::keys::Scope;
use crate::caller::stream_credential::StreamCredential;
use crate::metrics::StreamKind;
use crate::problem::ApiError;
use crate::problem_docs::StreamErrors;
use crate::push::{self, Delivery, EventStream, Interest, Out, PushEvent, Topic};
use crate::state::App;
use crate::v1::stream_events::{Ended, Gap, RefusedEvent, Started};
use crate::wire::query::no_parameters;
use crate::wire::schema::UserParam;

/// Endings that are remembered, so that the beginning of one of these sessions, told late, is not
/// taken for a later one.
const ENDINGS_MAX: usize = 64;

/// When to look again at a user without sessions.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Listen to a user
///
/// A stream of server-sent events; the data of each is JSON of the schema in brackets. `sessions`
/// (`UserSessions`: the list of live sessions, as by `GET .../sessions`) first, and again where
/// events may be missing; then `started` (`StartedEvent`), `ended` (`EndedEvent`) and `refused`
/// (`RefusedEvent`: a start was refused; at most 10 of the sessions are listed). The list may hold
/// already what the events behind it tell. `gap` (`GapEvent`) says that the client was too slow,
/// and the list follows. `bye` (`ByeEvent`) comes before a stream that the server ends: connect
/// again after `retry_ms`. A comment comes every 15 seconds. Scope: `player`.
#[utoipa::path(
    get,
    path = "/v1/users/{user_id}/events",
    extensions(("x-streamgate-scope" = json!("viewer"))),
    tag = "users",
    params(UserParam),
    responses(
        (status = 200, description = "What happens to the user's sessions, as server-sent events.",
            body = String, content_type = "text/event-stream",
            extensions(("x-streamgate-events" = json!({
                    "sessions": "UserSessions", "started": "StartedEvent", "ended": "EndedEvent",
                    "refused": "RefusedEvent", "gap": "GapEvent", "bye": "ByeEvent",
                })))),
        StreamErrors,
    )
)]
pub(crate) async fn listen_to_user(
    State(app): State<Arc<App>>,
    target: UserPath<Player>,
    parts: Parts,
) -> Result<Response, ApiError> {
    no_parameters(&parts.uri)?;
    push::check_supported(&parts)?;
    if parts.method == Method::HEAD {
        return Ok(push::response(Body::empty()));
    }
    // First the subscription, then the state: no change falls between the two.
    let subscription = app.hub.listen(&target.user, Interest::User)?;
    let listed = app.engine.look(&target.user, listed).await?;
    let credential = StreamCredential::new(target.identity, target.user.tenant(), Scope::Player);
    let topic = UserTopic {
        user: target.user,
        live: HashMap::new(),
        ended: VecDeque::new(),
        next_check: None,
    };
    let shared = Arc::clone(&app);
    let stream = EventStream::new(shared, subscription, credential, topic, |topic, out| {
        topic.look_after(listed.left_ms, &app, Duration::ZERO);
        topic.list(listed, &app, out);
    });
    Ok(stream.into_response())
}

/// The live sessions of a user as a read shows them.
#[derive(Debug)]
pub(crate) struct Listed {
    view: SessionsView,
    /// All of them; the view has a page.
    live: HashMap<SessionId, Session>,
    /// Those that ended lately.
    ended: Vec<Ending>,
    /// After how many milliseconds the first of their leases is over.
    left_ms: Option<u64>,
}

fn listed(ledger: &Ledger, policy: &Policy, now: Moment) -> Listed {
    let live = || ledger.live_at(now.time);
    let left = live().map(|session| session.expires_at.millis_since(now.time));
    Listed {
        left_ms: left.min(),
        live: live()
            .map(|session| (session.id.clone(), session.clone()))
            .collect(),
        ended: ledger.ended.clone(),
        view: sessions_of(ledger, policy, now, &SessionsQuery::default()),
    }
}

/// A user whose stream is open.
#[derive(Debug)]
struct UserTopic {
    user: UserKey,
    /// The sessions that the client was told of as live, as last read: an ending that is found in
    /// the record does not have its session.
    live: HashMap<SessionId, Session>,
    /// The sessions that ended lately.
    ended: VecDeque<(SessionId, Timestamp)>,
    next_check: Option<Duration>,
}

impl UserTopic {
    /// Writes the list.
    fn list(&mut self, listed: Listed, app: &App, out: &mut Out) {
        let list = UserSessions::new(self.user.user(), &listed.view, app.engine.wall());
        out.event(app.hub.event_id(), "sessions", &list);
        self.live = listed.live;
    }

    /// When to look next: behind the end of the first lease.
    fn look_after(&mut self, left_ms: Option<u64>, app: &App, now: Duration) {
        let left = left_ms.map_or(DAY, Duration::from_millis);
        self.next_check = Some(now + reread_after(app, left + BEHIND_LEASE));
    }

    /// A session began, with a lease that is to be looked after.
    fn began(&mut self, session: &Session, revived: bool, app: &App, out: &mut Out) {
        let is_over = |(id, ended_at): &(SessionId, Timestamp)| {
            *id == session.id && session.last_seen_at < *ended_at
        };
        let known = self.live.get(&session.id);
        let is_known = known.is_some_and(|known| known.started_at == session.started_at);
        if is_known || self.ended.iter().any(is_over) {
            return;
        }
        self.live.insert(session.id.clone(), session.clone());
        let started = Started::new(self.user.user(), session, revived, app.engine.wall());
        out.event(app.hub.event_id(), "started", &started);
        let lease = Duration::from_secs(session.lease.0.into()) + BEHIND_LEASE;
        let check = out.now() + lease;
        self.next_check = Some(self.next_check.map_or(check, |next| next.min(check)));
    }

    /// Whether these are the sessions that the client was told of.
    fn is_told_of(&self, live: &HashMap<SessionId, Session>) -> bool {
        let is_told_of = |session: &Session| {
            let told = self.live.get(&session.id);
            told.is_some_and(|told| told.started_at == session.started_at)
        };
        live.len() == self.live.len() && live.values().all(is_told_of)
    }

    /// A session ended. One that the client was never told of is left out.
    fn ended(&mut self, mut end: Ending, app: &App, out: &mut Out) {
        if self.ended.len() >= ENDINGS_MAX {
            self.ended.pop_front();
        }
        self.ended.push_back((end.id.clone(), end.ended_at));
        if let Some(session) = self.live.remove(&end.id) {
            end.session.get_or_insert_with(|| Box::new(session));
            let ended = Ended::new(self.user.user(), &end, app.engine.wall());
            out.event(app.hub.event_id(), "ended", &ended);
        }
    }

    /// Tells the endings that the client was not told of, as where a notice of another node was
    /// lost.
    fn endings(&mut self, listed: &Listed, app: &App, out: &mut Out) {
        for ending in &listed.ended {
            if self.live.contains_key(&ending.id) {
                self.ended(ending.clone(), app, out);
            }
        }
    }
}

impl Topic for UserTopic {
    type Found = Result<Listed, EngineError>;

    fn kind(&self) -> StreamKind {
        StreamKind::User
    }

    fn on_event(&mut self, delivery: &Delivery, app: &App, out: &mut Out) {
        match &*delivery.event {
            PushEvent::Changed(_, Event::Started(session)) => self.began(session, false, app, out),
            PushEvent::Changed(_, Event::Revived(session)) => self.began(session, true, app, out),
            PushEvent::Changed(_, Event::Ended(end)) => self.ended(end.clone(), app, out),
            PushEvent::Changed(..) => {}
            PushEvent::Refused(user, refused) => {
                let refused = RefusedEvent::new(user.user(), refused, app.engine.wall());
                out.event(app.hub.event_id(), "refused", &refused);
            }
        }
    }

    fn missed(&mut self, missed: Option<u64>, app: &App, out: &mut Out) {
        self.live.clear();
        out.event(app.hub.event_id(), "gap", &Gap { missed });
    }

    fn next_check(&self) -> Option<Duration> {
        self.next_check
    }

    fn check(&mut self, app: Arc<App>) -> BoxFuture<'static, Self::Found> {
        let user = self.user.clone();
        self.next_check = None;
        async move {
            let _permit = app.hub.checks().acquire().await;
            app.engine.settle(&user, listed).await
        }
        .boxed()
    }

    /// What the check committed was told before. The list is written if the client was told less.
    fn found(&mut self, found: Self::Found, app: &App, out: &mut Out) {
        let Ok(listed) = found else {
            self.next_check = Some(out.now() + again());
            return;
        };
        self.look_after(listed.left_ms, app, out.now());
        self.endings(&listed, app, out);
        if self.is_told_of(&listed.live) {
            self.live = listed.live;
        } else {
            self.list(listed, app, out);
        }
    }
}
