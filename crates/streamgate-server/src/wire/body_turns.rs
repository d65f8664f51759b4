//! Turns of long bodies, so that short requests do not wait behind them.
//!
//! The runtime polls tasks about in the order in which they became ready, and the task of a body that
//! has arrived is ready again after each piece (16 KiB, unless `http.head_max_bytes` says otherwise).
//! So a short request would wait behind a piece of every such body. In turns, few bodies are read on at
//! a time; the others wait outside the runtime's queue, in the order in which they came.

use std::future::{Future, poll_fn};
use std::mem;
use std::pin::pin;
use std::task::Poll;
use std::thread::available_parallelism;

use tokio::sync::Semaphore;

/// The turns of this process.
#[derive(Debug)]
pub(crate) struct BodyTurns(Semaphore);

impl Default for BodyTurns {
    /// As many turns at a time as half of the processors.
    fn default() -> Self {
        let processors = available_parallelism().map_or(1, usize::from);
        Self::of((processors / 2).max(1))
    }
}

impl BodyTurns {
    /// As many turns at a time as this.
    pub(super) fn of(count: usize) -> Self {
        Self(Semaphore::new(count))
    }

    /// Waits for a turn, and in it for the next piece of a body. A piece that has not arrived is waited
    /// for without a turn. Poll it at most once in each poll of the task: else the turn ends before the
    /// connection can read.
    pub(super) async fn take<T>(&self, piece: impl Future<Output = T>) -> T {
        let mut piece = pin!(piece);
        let turn = self.0.acquire().await.expect("never closed");
        let mut is_asked_for = false;
        let arrived = poll_fn(|cx| match piece.as_mut().poll(cx) {
            Poll::Ready(piece) => Poll::Ready(Some(piece)),
            Poll::Pending if mem::replace(&mut is_asked_for, true) => Poll::Ready(None),
            // This poll has asked for the piece. The connection reads its socket in the next poll of
            // the task, before the second one here.
            Poll::Pending => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        })
        .await;
        drop(turn);
        match arrived {
            Some(piece) => piece,
            None => piece.await,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future::pending;
    use std::rc::Rc;

    use futures_util::FutureExt as _;
    use tokio::task::LocalSet;

    use super::*;

    const BODIES: usize = 100;
    const PIECES: usize = 10;

    /// Asks for the next piece of a body, and gets it from the connection before the next poll.
    async fn piece() {
        let mut is_asked_for = false;
        poll_fn(|cx| {
            if mem::replace(&mut is_asked_for, true) {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }

    #[tokio::test]
    async fn a_short_task_waits_for_one_piece_of_a_hundred_bodies_that_have_arrived() {
        let turns = Rc::new(BodyTurns::of(1));
        let read = Rc::new(Cell::new(0));
        let tasks = LocalSet::new();
        for _ in 0..BODIES {
            let (turns, read) = (Rc::clone(&turns), Rc::clone(&read));
            tasks.spawn_local(async move {
                for _ in 0..PIECES {
                    turns.take(piece()).await;
                    read.set(read.get() + 1);
                }
            });
        }
        let meanwhile = Rc::clone(&read);
        let short = tasks.spawn_local(async move {
            for _ in 0..4 {
                piece().await;
            }
            meanwhile.get()
        });
        tasks.await;
        let meanwhile = short.await.unwrap();
        assert!(meanwhile <= 4, "{meanwhile} pieces were read first");
        assert_eq!(read.get(), BODIES * PIECES);
    }

    #[tokio::test]
    async fn a_body_that_does_not_arrive_gives_its_turn_back() {
        let turns = BodyTurns::of(1);
        let mut waiting = Box::pin(turns.take(pending::<()>()));
        assert_eq!(
            poll_fn(|cx| Poll::Ready(waiting.poll_unpin(cx))).await,
            Poll::Pending
        );
        assert_eq!(
            turns.take(piece()).now_or_never(),
            None,
            "the first one has its turn"
        );
        assert_eq!(
            poll_fn(|cx| Poll::Ready(waiting.poll_unpin(cx))).await,
            Poll::Pending
        );
        turns.take(piece()).await;
        let mut dropped = Box::pin(turns.take(pending::<()>()));
        assert_eq!(
            poll_fn(|cx| Poll::Ready(dropped.poll_unpin(cx))).await,
            Poll::Pending
        );
        drop(dropped);
        turns.take(piece()).await;
    }
}
