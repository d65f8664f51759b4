//! `GET /v1/events`: what happens to all users of a tenant.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::Method;
use axum::http::request::Parts;
use axum::response::Response;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use streamgate_core::{Attributes, Event};

use super::stream_events::{Ended, Gap, RefusedEvent, Started, StreamOpened, UserSet};
use crate::caller::access::{Admin, Caller};
use crate::caller::keys::Scope;
use crate::caller::stream_credential::StreamCredential;
use crate::metrics::StreamKind;
use crate::problem::ApiError;
use crate::problem_docs::StreamErrors;
use crate::push::{
    self, Delivery, EventStream, Joined, LAST_EVENT_ID, Out, PushEvent, Resume, Topic,
};
use crate::state::App;
use crate::wire::query::no_parameters;

/// The header for the document.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "only its shape is used, for the document")]
pub(crate) struct LastEventId {
    /// The `id` of the last event that the client has: the stream goes on behind it.
    #[param(rename = "Last-Event-ID", required = false)]
    last_event_id: Option<String>,
}

/// Listen to a tenant
///
/// A stream of server-sent events; the data of each is JSON of the schema in brackets. `stream`
/// (`StreamEvent`) first, whose `scope` says whether it tells what happens on all nodes (`all`) or
/// on this one (`node`); then `started` and `revived` (`StartedEvent`), `ended` (`EndedEvent`),
/// `refused` (`RefusedEvent`: a start was refused; at most 10 of the sessions are listed) and
/// `user_set` (`UserSetEvent`). An expired session ends here when its expiry is found. Events of
/// calls at the same time may come in another order than they were committed in. With
/// `Last-Event-ID` it goes on behind that event, from a bounded buffer of this node; `gap`
/// (`GapEvent`) says how many events are missing (`missed` is null if unknown). `bye`
/// (`ByeEvent`) comes before a stream that the server ends: connect again after `retry_ms`. A
/// comment comes every 15 seconds. Scope: `admin`.
#[utoipa::path(
    get,
    path = "/v1/events",
    extensions(("x-streamgate-scope" = json!("admin"))),
    tag = "sessions",
    params(LastEventId),
    responses(
        (status = 200, description = "What happens to the tenant's users, as server-sent events.",
            body = String, content_type = "text/event-stream",
            extensions(("x-streamgate-events" = json!({
                    "stream": "StreamEvent", "started": "StartedEvent", "revived": "StartedEvent",
                    "ended": "EndedEvent", "refused": "RefusedEvent", "user_set": "UserSetEvent",
                    "gap": "GapEvent", "bye": "ByeEvent",
                })))),
        StreamErrors,
    )
)]
pub(crate) async fn listen_to_tenant(
    State(app): State<Arc<App>>,
    caller: Caller<Admin>,
    parts: Parts,
) -> Result<Response, ApiError> {
    no_parameters(&parts.uri)?;
    push::check_supported(&parts)?;
    if parts.method == Method::HEAD {
        return Ok(push::response(Body::empty()));
    }
    let last = parts.headers.get(&LAST_EVENT_ID);
    let from = last.map_or(Resume::Anew, |id| resume(id.as_bytes()));
    let (subscription, joined) = app.hub.listen_to_tenant(&caller.tenant, from)?;
    let credential = StreamCredential::new(caller.identity, caller.tenant.as_str(), Scope::Admin);
    let is_of_all = !app.engine.shares_store() || app.hub.notices_are_up().is_some();
    let scope = if is_of_all { "all" } else { "node" };
    let topic = TenantTopic {
        buffer: joined.buffer,
        last: joined.behind,
    };
    let stream = EventStream::new(app, subscription, credential, topic, |topic, out| {
        topic.begin(&joined, scope, out);
    });
    Ok(stream.into_response())
}

/// Reads `Last-Event-ID`.
fn resume(id: &[u8]) -> Resume {
    if id.is_empty() {
        return Resume::Anew;
    }
    let parsed = std::str::from_utf8(id).ok().and_then(|text| {
        let (buffer, number) = text.split_once('-')?;
        let buffer = u64::from_str_radix(buffer, 16).ok()?;
        let number = number.parse().ok()?;
        Some(Resume::Behind { buffer, number })
    });
    parsed.unwrap_or(Resume::Lost)
}

/// A tenant whose stream is open.
#[derive(Debug)]
struct TenantTopic {
    buffer: u64,
    /// The number of the event that was written last.
    last: u64,
}

impl TenantTopic {
    fn begin(&mut self, joined: &Joined, scope: &'static str, out: &mut Out) {
        out.event((self.buffer, self.last), "stream", &StreamOpened { scope });
        if let Some(missed) = joined.missed {
            out.event((self.buffer, self.last), "gap", &Gap { missed });
        }
    }
}

impl Topic for TenantTopic {
    type Found = ();

    fn kind(&self) -> StreamKind {
        StreamKind::Tenant
    }

    fn on_event(&mut self, delivery: &Delivery, app: &App, out: &mut Out) {
        self.last = delivery.number;
        let (id, wall) = ((self.buffer, self.last), app.engine.wall());
        match &*delivery.event {
            PushEvent::Changed(user, event) => {
                let user = user.user();
                match event {
                    Event::Started(session) => {
                        out.event(id, "started", &Started::new(user, session, false, wall));
                    }
                    Event::Revived(session) => {
                        out.event(id, "revived", &Started::new(user, session, true, wall));
                    }
                    Event::Ended(end) => out.event(id, "ended", &Ended::new(user, end, wall)),
                    Event::UserSet {
                        limit,
                        plan,
                        profile,
                    } => {
                        let set = UserSet::new(user, plan.as_ref(), *limit, profile);
                        out.event(id, "user_set", &set);
                    }
                    Event::UserErased => {
                        let none = Attributes::default();
                        out.event(id, "user_set", &UserSet::erased(user, &none));
                    }
                    Event::Renewed { .. } | Event::MadeFinal(_) | Event::Forgotten { .. } => {}
                }
            }
            PushEvent::Refused(user, refused) => {
                out.event(
                    id,
                    "refused",
                    &RefusedEvent::new(user.user(), refused, wall),
                );
            }
        }
    }

    fn missed(&mut self, missed: Option<u64>, _app: &App, out: &mut Out) {
        self.last += missed.unwrap_or_default();
        out.event((self.buffer, self.last), "gap", &Gap { missed });
    }

    fn next_check(&self) -> Option<Duration> {
        None
    }

    fn check(&mut self, _app: Arc<App>) -> BoxFuture<'static, ()> {
        async {}.boxed()
    }

    fn found(&mut self, (): (), _app: &App, _out: &mut Out) {}
}
