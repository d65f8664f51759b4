//! From a commit to the queues of those who listen: the hub as an observer of the engine.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use streamgate_core::admission::{Refused, Start};
use streamgate_core::bounds::REFUSED_EVENT_SESSIONS_MAX;
use streamgate_core::{Event, UserKey};
use streamgate_engine::{Answer, EngineObserver};

use super::hub::Hub;
use super::inbox::{About, Said, Told};
use super::nodes::tell_refused;
use super::tenant::TenantTopic;

impl Hub {
    fn is_heard(&self) -> bool {
        self.heard.load(Ordering::SeqCst) > 0
    }

    pub(super) fn tell_user(&self, user: &UserKey, events: &[Event]) {
        let users = self.shard(user).lock();
        let Some(inboxes) = users.get(user) else {
            return;
        };
        for (at, event) in events.iter().enumerate() {
            let mut said = None;
            for inbox in inboxes {
                if inbox.about.hears(event, &events[at + 1..]) {
                    let said = said.get_or_insert_with(|| {
                        Arc::new(Said::Changed(user.clone(), event.clone()))
                    });
                    inbox.put(Told {
                        number: 0,
                        said: Arc::clone(said),
                    });
                }
            }
        }
    }

    pub(super) fn tell_user_refused(&self, user: &UserKey, refused: &Refused) {
        let users = self.shard(user).lock();
        let Some(inboxes) = users.get(user) else {
            return;
        };
        let said = Arc::new(Said::Refused(user.clone(), shortened(refused)));
        for inbox in inboxes.iter().filter(|inbox| inbox.about == About::User) {
            inbox.put(Told {
                number: 0,
                said: Arc::clone(&said),
            });
        }
    }

    pub(super) fn tell_tenant(&self, user: &UserKey, events: &[Event]) {
        self.with_tenant(user, |topic| {
            for event in events {
                if About::Tenant.hears(event, &[]) {
                    topic.tell(Arc::new(Said::Changed(user.clone(), event.clone())));
                }
            }
        });
    }

    pub(super) fn tell_tenant_refused(&self, user: &UserKey, refused: &Refused) {
        self.with_tenant(user, |topic| {
            let refused = shortened(refused);
            topic.tell(Arc::new(Said::Refused(user.clone(), refused)));
        });
    }

    /// Tells the tenant of this user, if it is heard. One that nobody has read for long is dropped.
    fn with_tenant(&self, user: &UserKey, tell: impl FnOnce(&mut TenantTopic)) {
        let tenants = self.tenants.read();
        let Some(topic) = tenants.get(user.tenant()) else {
            return;
        };
        let mut topic = topic.lock();
        if !topic.is_abandoned() {
            return tell(&mut topic);
        }
        drop(topic);
        drop(tenants);
        self.drop_abandoned(user.tenant());
    }
}

impl EngineObserver for Hub {
    fn committed(&self, user: &UserKey, events: &[Event]) {
        if self.is_heard() {
            self.tell_user(user, events);
            self.tell_tenant(user, events);
        }
    }

    fn answered(&self, _answer: Answer<'_>) {}

    fn refused(&self, user: &UserKey, _start: &Start, refused: &Refused) {
        if let Some(notices) = self.notices() {
            tell_refused(notices, user, refused);
        }
        if self.is_heard() {
            self.tell_user_refused(user, refused);
            self.tell_tenant_refused(user, refused);
        }
    }

    fn reconciled(&self, _holds_slot: bool) {}

    fn outcome_unknown(&self) {}
}

/// A refusal with a few of its sessions: buffers keep it, and there may be a hundred of them.
pub(crate) fn shortened(refused: &Refused) -> Refused {
    let conflict = refused.conflict.iter();
    Refused {
        rule: refused.rule.clone(),
        conflict: conflict.take(REFUSED_EVENT_SESSIONS_MAX).cloned().collect(),
        ..*refused
    }
}
