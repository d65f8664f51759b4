//! Runs many futures concurrently in one task, which yields to other tasks of its thread.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesOrdered;
use streamgate_clock::Stopwatch;

/// How long the futures keep the thread at a time, beyond the one that is being polled.
const SLICE: Duration = Duration::from_millis(2);

/// Runs all futures, and returns their outputs in the same order.
///
/// All make progress concurrently: if one waited for another, it could keep a user locked that a
/// second call waits for, and two such calls could deadlock. Many can be ready at once, and each
/// may decode a large record, so after 2 ms the task yields and goes to the end of the scheduler's
/// queue.
pub async fn join_all_yielding<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let slice = &TimeSlice::new();
    let futures = futures.into_iter().map(Box::pin);
    let mut running: FuturesOrdered<_> = futures.map(|future| InSlice { slice, future }).collect();
    let mut outputs = Vec::with_capacity(running.len());
    poll_fn(|cx| {
        slice.begin();
        while let Poll::Ready(next) = running.poll_next_unpin(cx) {
            match next {
                Some(output) => outputs.push(output),
                None => return Poll::Ready(()),
            }
            if slice.is_over() {
                cx.waker().wake_by_ref();
                break;
            }
        }
        Poll::Pending
    })
    .await;
    outputs
}

/// Measures how long the task has had the thread.
struct TimeSlice {
    watch: Stopwatch,
    began_us: AtomicU64,
}

impl TimeSlice {
    fn new() -> Self {
        Self {
            watch: Stopwatch::start(),
            began_us: AtomicU64::new(0),
        }
    }

    fn now_us(&self) -> u64 {
        u64::try_from(self.watch.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    fn begin(&self) {
        self.began_us.store(self.now_us(), Ordering::Relaxed);
    }

    fn is_over(&self) -> bool {
        let took_us = self.now_us() - self.began_us.load(Ordering::Relaxed);
        Duration::from_micros(took_us) >= SLICE
    }
}

/// A future that is not polled once the slice is over, and is polled again in the next.
struct InSlice<'a, F> {
    slice: &'a TimeSlice,
    future: Pin<Box<F>>,
}

impl<F: Future> Future for InSlice<'_, F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        if self.slice.is_over() {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.future.as_mut().poll(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    /// Keeps the thread busy, as decoding does.
    fn work() {
        let watch = Stopwatch::start();
        while watch.elapsed() < SLICE {
            std::hint::spin_loop();
        }
    }

    #[tokio::test(flavor = "current_thread")]
    async fn other_tasks_run_between_futures_that_work_long() {
        const FUTURES: usize = 50;
        let done = AtomicUsize::new(0);
        let futures = (0..FUTURES).map(|number| {
            let done = &done;
            async move {
                tokio::task::yield_now().await;
                work();
                done.fetch_add(1, Ordering::Relaxed);
                number
            }
        });
        let together = join_all_yielding(futures);
        let other = async {
            let mut most = 0;
            loop {
                let before = done.load(Ordering::Relaxed);
                tokio::task::yield_now().await;
                let after = done.load(Ordering::Relaxed);
                most = most.max(after - before);
                if after == FUTURES {
                    return most;
                }
            }
        };
        let (numbers, most) = tokio::join!(together, other);
        assert_eq!(numbers, (0..FUTURES).collect::<Vec<_>>());
        assert!(most <= 2, "{most} worked without a slice of another");
    }
}
