//! Push: event streams, which tell clients at once what was committed.
//!
//! [`Hub`] is an observer of the engine. It hands each event to the subscriptions of its user
//! and its tenant, and never waits: a subscription has a bounded queue ([`queue`]). [`stream`] is
//! the body of an answer that reads one. What is *not* here: the wire form of events
//! ([`crate::v1`]), and any promise: leases decide, streams tell.

use axum::http::HeaderName;

mod fan_out;
mod hub;
mod nodes;
mod queue;
mod stream;
mod subscription;
mod tenant;

pub use hub::Hub;
pub(crate) use hub::Joined;
pub(crate) use queue::{Delivery, Interest, PushEvent, shortened};
pub(crate) use stream::{
    Bye, ByeEvent, EventStream, Out, Topic, between, check_supported, response,
};
use subscription::Subscription;
pub(crate) use tenant::Resume;

/// The header of a client that goes on where its stream broke.
pub(crate) const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
