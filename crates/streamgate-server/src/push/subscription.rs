//! A subscription: its queue, for as long as somebody reads it.

use std::sync::Arc;
use std::task::Context;

use streamgate_core::{TenantId, UserKey};

use super::hub::Hub;
use super::inbox::{Heard, Inbox};

/// What is subscribed to.
#[derive(Debug)]
pub(super) enum Key {
    /// A user, or a session of it.
    User(UserKey),
    /// A tenant.
    Tenant(TenantId),
}

/// A subscription. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Subscription {
    hub: Arc<Hub>,
    key: Key,
    inbox: Arc<Inbox>,
}

impl Subscription {
    pub(super) fn new(hub: &Arc<Hub>, key: Key, inbox: Arc<Inbox>) -> Self {
        Self {
            hub: Arc::clone(hub),
            key,
            inbox,
        }
    }

    /// Where it was made.
    pub(crate) fn hub(&self) -> &Arc<Hub> {
        &self.hub
    }

    /// What it hears next; `None` if there is nothing now, and then the task is woken once there
    /// is.
    pub(super) fn next(&self, cx: &Context<'_>) -> Option<Heard> {
        self.inbox.next(cx)
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.hub.leave(&self.key, &self.inbox);
    }
}
