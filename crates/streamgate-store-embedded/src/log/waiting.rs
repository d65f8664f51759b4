//! Who waits for what in the queue: tasks that are woken all at once when it has come about.
//!
//! A caller may go away at any time, and while a disk hangs they all do, again and again. So who
//! waits no longer leaves the list, which stays as long as there are callers.

use std::task::{Context, Waker};

/// Tells those who wait apart. Tickets grow, over all lists of a queue together.
pub(crate) type Ticket = u64;

/// Tasks by their tickets; those that have left are `None`.
type Tasks = Vec<(Ticket, Option<Waker>)>;

/// Tasks that wait for the same event, in the order of their tickets.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    tasks: Tasks,
    /// How many of them have left.
    left: usize,
}

impl Waiting {
    /// Lets the task of `cx` wait: with the ticket that it has, or with a new one, if it has none
    /// or was woken meanwhile. `last` is the ticket that was given out last. Returns a waker that
    /// is not needed any more, to be dropped without the lock.
    pub(crate) fn enter(
        &mut self,
        ticket: &mut Option<Ticket>,
        last: &mut Ticket,
        cx: &Context<'_>,
    ) -> Option<Waker> {
        if let Some(at) = ticket.and_then(|ticket| self.find(ticket)) {
            let (_, waker) = &mut self.tasks[at];
            // A future may be polled by one task after the other; the last one is to be woken.
            let known = waker.as_ref().is_some_and(|it| it.will_wake(cx.waker()));
            return (!known)
                .then(|| waker.replace(cx.waker().clone()))
                .flatten();
        }
        *last += 1;
        *ticket = Some(*last);
        self.tasks.push((*last, Some(cx.waker().clone())));
        None
    }

    /// Takes one out who waits no longer; `None` where it is not in this list. The waker is to be
    /// dropped without the lock: it may be the last to hold a task, and the task another call.
    pub(crate) fn leave(&mut self, ticket: Ticket) -> Option<Waker> {
        let at = self.find(ticket)?;
        let waker = self.tasks[at].1.take();
        self.left += 1;
        // Now and then: so leaving costs little, however many wait.
        if self.left > self.tasks.len() / 2 {
            self.tasks.retain(|(_, waker)| waker.is_some());
            self.left = 0;
        }
        waker
    }

    fn find(&self, ticket: Ticket) -> Option<usize> {
        self.tasks.binary_search_by_key(&ticket, |(of, _)| *of).ok()
    }

    /// Takes everybody out, to be woken without the lock.
    pub(crate) fn take(&mut self) -> Tasks {
        std::mem::take(self).tasks
    }

    /// Moves everybody over to `other`, which must be empty.
    pub(crate) fn move_to(&mut self, other: &mut Self) {
        debug_assert!(other.tasks.is_empty(), "those who waited before were woken");
        std::mem::swap(self, other);
    }
}

/// Wakes them all.
pub(crate) fn wake(tasks: Tasks) {
    for waker in tasks.into_iter().filter_map(|(_, waker)| waker) {
        waker.wake();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    /// Counts how often it is woken.
    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn who_is_polled_again_waits_once_and_the_last_task_is_woken() {
        let (mut waiting, mut last, mut ticket) = (Waiting::default(), 0, None);
        let tasks = [Arc::new(Count::default()), Arc::new(Count::default())];
        for task in [0, 0, 1, 1] {
            let waker = Waker::from(Arc::clone(&tasks[task]));
            waiting.enter(&mut ticket, &mut last, &Context::from_waker(&waker));
        }
        wake(waiting.take());
        let woken = tasks.each_ref().map(|task| task.0.load(Ordering::Relaxed));
        assert_eq!(woken, [0, 1]);
        assert_eq!(Arc::strong_count(&tasks[0]), 1, "nobody holds the first");
    }

    #[test]
    fn who_leaves_makes_room_and_is_not_woken() {
        let (mut waiting, mut last) = (Waiting::default(), 0);
        let task = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&task));
        let cx = Context::from_waker(&waker);
        let mut stays = None;
        waiting.enter(&mut stays, &mut last, &cx);
        for _ in 0..10_000 {
            let mut goes = None;
            waiting.enter(&mut goes, &mut last, &cx);
            drop(waiting.leave(goes.unwrap()));
            assert!(waiting.leave(goes.unwrap()).is_none());
        }
        assert!(waiting.tasks.capacity() < 10, "{waiting:?}");
        wake(waiting.take());
        assert_eq!(task.0.load(Ordering::Relaxed), 1);
        assert!(waiting.leave(stays.unwrap()).is_none());
    }
}
