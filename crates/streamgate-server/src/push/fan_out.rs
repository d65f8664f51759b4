//! Fan-out of a commit to the queues of its subscribers: the hub as an observer of the engine.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use streamgate_core::admission::{Refused, Start};
use streamgate_core::{Event, UserKey};
use streamgate_engine::EngineObserver;

use super::hub::Hub;
use super::nodes::publish_refusal;
use super::queue::{Delivery, Interest, PushEvent, shortened};
use super::tenant::TenantTopic;

impl Hub {
    fn has_subscribers(&self) -> bool {
        self.topics.load(Ordering::SeqCst) > 0
    }

    pub(super) fn deliver_to_user(&self, user: &UserKey, events: &[Event]) {
        let users = self.shard(user).lock();
        let Some(queues) = users.get(user) else {
            return;
        };
        for (at, event) in events.iter().enumerate() {
            let mut shared = None;
            for queue in queues {
                if queue.interest.covers(event, &events[at + 1..]) {
                    let event = shared.get_or_insert_with(|| {
                        Arc::new(PushEvent::Changed(user.clone(), event.clone()))
                    });
                    queue.put(Delivery {
                        number: 0,
                        event: Arc::clone(event),
                    });
                }
            }
        }
    }

    pub(super) fn deliver_refusal_to_user(&self, user: &UserKey, refused: &Refused) {
        let users = self.shard(user).lock();
        let Some(queues) = users.get(user) else {
            return;
        };
        let event = Arc::new(PushEvent::Refused(user.clone(), shortened(refused)));
        for queue in queues
            .iter()
            .filter(|queue| queue.interest == Interest::User)
        {
            queue.put(Delivery {
                number: 0,
                event: Arc::clone(&event),
            });
        }
    }

    pub(super) fn deliver_to_tenant(&self, user: &UserKey, events: &[Event]) {
        self.with_tenant(user, |topic| {
            for event in events {
                if Interest::Tenant.covers(event, &[]) {
                    topic.publish(Arc::new(PushEvent::Changed(user.clone(), event.clone())));
                }
            }
        });
    }

    pub(super) fn deliver_refusal_to_tenant(&self, user: &UserKey, refused: &Refused) {
        self.with_tenant(user, |topic| {
            let refused = shortened(refused);
            topic.publish(Arc::new(PushEvent::Refused(user.clone(), refused)));
        });
    }

    /// Delivers to the tenant's topic, if it has one. A topic without readers for 5 minutes is
    /// dropped.
    fn with_tenant(&self, user: &UserKey, deliver: impl FnOnce(&mut TenantTopic)) {
        let tenants = self.tenants.read();
        let Some(topic) = tenants.get(user.tenant()) else {
            return;
        };
        let mut topic = topic.lock();
        if !topic.is_abandoned() {
            return deliver(&mut topic);
        }
        drop(topic);
        drop(tenants);
        self.drop_abandoned(user.tenant());
    }
}

impl EngineObserver for Hub {
    fn committed(&self, user: &UserKey, events: &[Event]) {
        if self.has_subscribers() {
            self.deliver_to_user(user, events);
            self.deliver_to_tenant(user, events);
        }
    }

    fn refused(&self, user: &UserKey, _start: &Start, refused: &Refused) {
        if let Some(notices) = self.notices() {
            publish_refusal(notices, user, refused);
        }
        if self.has_subscribers() {
            self.deliver_refusal_to_user(user, refused);
            self.deliver_refusal_to_tenant(user, refused);
        }
    }
}
