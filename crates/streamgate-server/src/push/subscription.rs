//! A subscription: its bounded queue, until the stream is dropped.

use std::sync::Arc;
use std::task::Context;

use streamgate_core::{TenantId, UserKey};

use super::hub::Hub;
use super::queue::{EventQueue, Received};

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
    queue: Arc<EventQueue>,
}

impl Subscription {
    pub(super) fn new(hub: &Arc<Hub>, key: Key, queue: Arc<EventQueue>) -> Self {
        Self {
            hub: Arc::clone(hub),
            key,
            queue,
        }
    }

    /// Where it was made.
    pub(crate) fn hub(&self) -> &Arc<Hub> {
        &self.hub
    }

    /// Takes the next item; `None` if there is none, and then the task is woken once there is.
    pub(super) fn next(&self, cx: &Context<'_>) -> Option<Received> {
        self.queue.next(cx)
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.hub.leave(&self.key, &self.queue);
    }
}
