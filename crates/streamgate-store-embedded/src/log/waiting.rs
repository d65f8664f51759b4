//! Who waits for what in the queue: tasks that are woken all at once when it has come about.

use std::task::{Context, Poll, Waker};

/// Tasks that wait for the same event.
#[derive(Debug, Default)]
pub(crate) struct Waiting(Vec<Waker>);

/// What a waiting task remembers between two polls.
#[derive(Debug, Default)]
pub(crate) struct Registered(Option<Waker>);

impl Waiting {
    /// Registers the task of `cx`. A task that is polled again for other reasons is registered
    /// once, so that the list stays as long as there are tasks.
    pub(crate) fn register<T>(&mut self, registered: &mut Registered, cx: &Context<'_>) -> Poll<T> {
        let known = registered
            .0
            .as_ref()
            .is_some_and(|waker| waker.will_wake(cx.waker()));
        if !known {
            self.0.push(cx.waker().clone());
            registered.0 = Some(cx.waker().clone());
        }
        Poll::Pending
    }

    /// Takes everybody out, to be woken without the lock.
    pub(crate) fn take(&mut self) -> Vec<Waker> {
        std::mem::take(&mut self.0)
    }

    /// Moves everybody over to `other`, which must be empty.
    pub(crate) fn move_to(&mut self, other: &mut Self) {
        debug_assert!(other.0.is_empty(), "those who waited before were woken");
        std::mem::swap(&mut self.0, &mut other.0);
    }
}

/// Wakes them all.
pub(crate) fn wake(wakers: Vec<Waker>) {
    for waker in wakers {
        waker.wake();
    }
}
