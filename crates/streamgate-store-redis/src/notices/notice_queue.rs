//! The queue of notices that arrived, bounded in number and bytes. What does not fit is dropped and
//! counted, and the reader is told of it once it has caught up.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use streamgate_core::bounds::{NOTICES_QUEUED_MAX, NOTICES_QUEUED_MAX_BYTES};
use streamgate_store::Notice;
use tokio::sync::Notify;

#[derive(Debug, Default)]
pub(super) struct NoticeQueue {
    queue: Mutex<Queued>,
    arrived: Notify,
    received: AtomicU64,
    dropped: AtomicU64,
}

#[derive(Debug, Default)]
struct Queued {
    notices: VecDeque<Notice>,
    bytes: usize,
    /// Of which the reader was not told yet.
    dropped: u64,
}

impl NoticeQueue {
    /// A notice of another node has arrived.
    pub(super) fn received(&self, notice: Notice) {
        self.received.fetch_add(1, Ordering::Relaxed);
        self.put(notice);
    }

    /// Puts a notice at the end.
    pub(super) fn put(&self, notice: Notice) {
        let bytes = bytes_of(&notice);
        let mut queue = self.queue.lock();
        if queue.notices.len() >= NOTICES_QUEUED_MAX
            || queue.bytes + bytes > NOTICES_QUEUED_MAX_BYTES
        {
            queue.dropped += 1;
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        queue.bytes += bytes;
        queue.notices.push_back(notice);
        drop(queue);
        self.arrived.notify_one();
    }

    /// The next notice.
    pub(super) async fn next(&self) -> Notice {
        loop {
            if let Some(notice) = self.take() {
                return notice;
            }
            self.arrived.notified().await;
        }
    }

    fn take(&self) -> Option<Notice> {
        let mut queue = self.queue.lock();
        if let Some(notice) = queue.notices.pop_front() {
            queue.bytes -= bytes_of(&notice);
            return Some(notice);
        }
        let dropped = std::mem::take(&mut queue.dropped);
        (dropped > 0).then_some(Notice::Dropped(dropped))
    }

    pub(super) fn received_count(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    pub(super) fn dropped_count(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

fn bytes_of(notice: &Notice) -> usize {
    match notice {
        Notice::Committed { key, change, .. } => key.as_bytes().len() + change.len(),
        Notice::Told { key, message, .. } => key.as_bytes().len() + message.len(),
        Notice::UserSince(key) => key.as_bytes().len(),
        Notice::TenantSince { tenant, .. } => tenant.as_str().len(),
        Notice::Dropped(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use streamgate_core::{TenantId, UserId, UserKey};
    use streamgate_store::Scope;

    use super::*;

    fn notice(bytes: usize) -> Notice {
        let user = UserId::new("u").unwrap();
        Notice::Told {
            scope: Scope::User,
            key: UserKey::new(&TenantId::default_tenant(), &user),
            message: vec![0; bytes],
        }
    }

    #[tokio::test]
    async fn what_does_not_fit_is_told_behind_all_that_did() {
        for (bytes, fits) in [
            (1, NOTICES_QUEUED_MAX),
            (
                NOTICES_QUEUED_MAX_BYTES / 4,
                3, // The key takes a few bytes as well.
            ),
        ] {
            let queue = NoticeQueue::default();
            for _ in 0..fits + 2 {
                queue.received(notice(bytes));
            }
            for _ in 0..fits {
                assert_eq!(queue.next().await, notice(bytes));
            }
            assert_eq!(queue.next().await, Notice::Dropped(2));
            queue.received(notice(bytes));
            assert_eq!(queue.next().await, notice(bytes), "there is room again");
            assert_eq!(queue.dropped_count(), 2);
            assert_eq!(queue.received_count(), fits as u64 + 3);
        }
    }
}
