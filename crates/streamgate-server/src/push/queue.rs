//! The bounded queue of one subscription.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Waker};

use parking_lot::Mutex;
use streamgate_core::admission::Refused;
use streamgate_core::bounds::{
    REFUSED_EVENT_SESSIONS_MAX, SESSION_STREAM_QUEUE_MAX, TENANT_STREAM_QUEUE_MAX,
    USER_STREAM_QUEUE_MAX,
};
use streamgate_core::{Event, SessionId, UserKey};

/// An event as the hub delivers it.
#[derive(Debug)]
pub(crate) enum PushEvent {
    /// A change of this user was committed.
    Changed(UserKey, Event),
    /// A start of this user was refused. It lists a few of the sessions only.
    Refused(UserKey, Refused),
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

/// An event in a queue.
#[derive(Debug, Clone)]
pub(crate) struct Delivery {
    /// Its number in the log of the tenant; 0 for a subscription to a user or a session.
    pub(crate) number: u64,
    pub(crate) event: Arc<PushEvent>,
}

/// What a subscription is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Interest {
    /// The endings of one session.
    Session(SessionId),
    /// All of one user.
    User,
    /// All of one tenant.
    Tenant,
}

/// What a subscription receives.
#[derive(Debug)]
pub(crate) enum Received {
    /// An event.
    Event(Delivery),
    /// Events dropped because the subscriber was too slow; `None` if the count is unknown.
    Missed(Option<u64>),
    /// Events may be missing: the record has to be read again.
    Recheck,
}

/// The queue of a subscription. It never waits for its reader: events that do not fit are counted.
#[derive(Debug)]
pub(crate) struct EventQueue {
    pub(crate) interest: Interest,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    events: VecDeque<Delivery>,
    /// Events that did not fit, behind those in `events`.
    missed: u64,
    /// Whether an unknown number of events is missing.
    has_gap: bool,
    /// Whether events may be missing that a read of the record makes up for.
    is_stale: bool,
    waker: Option<Waker>,
}

impl Interest {
    fn queue_max(&self) -> usize {
        match self {
            Self::Session(_) => SESSION_STREAM_QUEUE_MAX,
            Self::User => USER_STREAM_QUEUE_MAX,
            Self::Tenant => TENANT_STREAM_QUEUE_MAX,
        }
    }

    /// Whether a subscription with this interest receives the event; `later` are those of the same
    /// change behind it.
    pub(crate) fn covers(&self, event: &Event, later: &[Event]) -> bool {
        match self {
            Self::Session(id) => {
                let starts_again =
                    |event: &Event| matches!(event, Event::Started(new) if new.id == *id);
                matches!(event, Event::Ended(end) if end.id == *id)
                    && !later.iter().any(starts_again)
            }
            Self::User => matches!(
                event,
                Event::Started(_) | Event::Revived(_) | Event::Ended(_)
            ),
            Self::Tenant => matches!(
                event,
                Event::Started(_)
                    | Event::Revived(_)
                    | Event::Ended(_)
                    | Event::UserSet { .. }
                    | Event::UserErased
            ),
        }
    }
}

impl EventQueue {
    pub(crate) fn new(interest: Interest) -> Self {
        Self {
            interest,
            state: Mutex::default(),
        }
    }

    /// Adds an event, or counts it as missed.
    pub(crate) fn put(&self, delivery: Delivery) {
        self.change(|state| {
            if state.missed == 0 && state.events.len() < self.interest.queue_max() {
                state.events.push_back(delivery);
            } else {
                state.missed += 1;
            }
        });
    }

    /// Records that an unknown number of events is missing.
    pub(crate) fn put_gap(&self) {
        self.change(|state| state.has_gap = true);
    }

    /// Has the reader read the record again, because events may be missing.
    pub(crate) fn mark_stale(&self) {
        self.change(|state| state.is_stale = true);
    }

    /// Wakes the reader, which checks the state of the hub.
    pub(crate) fn wake(&self) {
        self.change(|_| {});
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state.lock();
        change(&mut state);
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Takes the next item; `None` if there is none, and then the task is woken once there is.
    pub(crate) fn next(&self, cx: &Context<'_>) -> Option<Received> {
        let mut state = self.state.lock();
        if let Some(delivery) = state.events.pop_front() {
            return Some(Received::Event(delivery));
        }
        // A queue that was full is not kept: most never are.
        state.events = VecDeque::new();
        if std::mem::take(&mut state.has_gap) {
            state.missed = 0;
            return Some(Received::Missed(None));
        }
        if state.missed > 0 {
            return Some(Received::Missed(Some(std::mem::take(&mut state.missed))));
        }
        if std::mem::take(&mut state.is_stale) {
            return Some(Received::Recheck);
        }
        match &mut state.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        None
    }
}
