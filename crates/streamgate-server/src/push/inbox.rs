//! The bounded queue of one subscription.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Waker};

use parking_lot::Mutex;
use streamgate_core::admission::Refused;
use streamgate_core::bounds::{
    SESSION_STREAM_QUEUE_MAX, TENANT_STREAM_QUEUE_MAX, USER_STREAM_QUEUE_MAX,
};
use streamgate_core::{Event, SessionId, UserKey};

/// What is told.
#[derive(Debug)]
pub(crate) enum Said {
    /// A change of this user was committed.
    Changed(UserKey, Event),
    /// A start of this user was refused. It lists a few of the sessions only.
    Refused(UserKey, Refused),
}

/// What is told to a subscription, and its number among what is told of the tenant.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    pub(crate) number: u64,
    pub(crate) said: Arc<Said>,
}

/// What a subscription is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum About {
    /// The endings of one session.
    Session(SessionId),
    /// All of one user.
    User,
    /// All of one tenant.
    Tenant,
}

/// What a subscription hears.
#[derive(Debug)]
pub(crate) enum Heard {
    /// Something was told.
    Told(Told),
    /// So many events were not told, because the reader was too slow; `None` if the number is not
    /// known.
    Missed(Option<u64>),
    /// Something may have been missed: the record tells.
    Recheck,
}

/// The queue of a subscription. It never waits for its reader: what does not fit is counted.
#[derive(Debug)]
pub(crate) struct Inbox {
    pub(crate) about: About,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<Told>,
    /// Events that did not fit, behind those in the queue.
    missed: u64,
    /// Whether more were missed, nobody knows how many.
    has_gap: bool,
    is_doubtful: bool,
    waker: Option<Waker>,
}

impl About {
    fn queue_max(&self) -> usize {
        match self {
            Self::Session(_) => SESSION_STREAM_QUEUE_MAX,
            Self::User => USER_STREAM_QUEUE_MAX,
            Self::Tenant => TENANT_STREAM_QUEUE_MAX,
        }
    }

    /// Whether a subscription about this is told this event; `later` are those of the same change
    /// behind it.
    pub(crate) fn hears(&self, event: &Event, later: &[Event]) -> bool {
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

impl Inbox {
    pub(crate) fn new(about: About) -> Self {
        Self {
            about,
            state: Mutex::default(),
        }
    }

    /// Tells it something.
    pub(crate) fn put(&self, told: Told) {
        self.change(|state| {
            if state.missed == 0 && state.queue.len() < self.about.queue_max() {
                state.queue.push_back(told);
            } else {
                state.missed += 1;
            }
        });
    }

    /// Tells it that events were missed, nobody knows how many.
    pub(crate) fn put_gap(&self) {
        self.change(|state| state.has_gap = true);
    }

    /// Tells it that something may have been missed that the record tells.
    pub(crate) fn doubt(&self) {
        self.change(|state| state.is_doubtful = true);
    }

    /// Wakes its reader, which looks at the hub.
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

    /// What it was told next; `None` if there is nothing, and then the task is woken once there is.
    pub(crate) fn next(&self, cx: &Context<'_>) -> Option<Heard> {
        let mut state = self.state.lock();
        if let Some(told) = state.queue.pop_front() {
            return Some(Heard::Told(told));
        }
        // A queue that was full is not kept: most never are.
        state.queue = VecDeque::new();
        if std::mem::take(&mut state.has_gap) {
            state.missed = 0;
            return Some(Heard::Missed(None));
        }
        if state.missed > 0 {
            return Some(Heard::Missed(Some(std::mem::take(&mut state.missed))));
        }
        if std::mem::take(&mut state.is_doubtful) {
            return Some(Heard::Recheck);
        }
        match &mut state.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        None
    }
}
