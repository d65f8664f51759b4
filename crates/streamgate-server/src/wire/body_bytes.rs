//! Memory for request bodies being received: bounded for the whole process, in bytes.
//!
//! A body that came in one frame does not count: it is part of the buffer of its connection, which
//! `http.head_max_bytes` and `http.max_connections` bound. Once a body is waited for, what has come
//! of it counts, from the first frame on: held, that frame would keep the buffer from the
//! connection, which takes another one to read on.

use std::ops::Deref;
use std::sync::Arc;

use bytes::Bytes;
use prometheus_client::metrics::counter::Counter;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::problem::{ApiError, Code};

/// Growth step of a buffer, in bytes: a body takes at most this much more than its length. Doubling
/// would take up to twice its length.
const STEP_BYTES: usize = 32 * 1024;

/// `Retry-After`, in seconds: bodies arrive or time out within seconds.
const RETRY_AFTER_S: u32 = 1;

/// The memory that bodies may take: a semaphore with one permit for each byte.
#[derive(Debug)]
pub(crate) struct BodyMemory {
    free: Arc<Semaphore>,
    max: usize,
    refused: Counter,
}

impl BodyMemory {
    /// A budget of `max` bytes, and the count of bodies that it has no room for.
    pub(crate) fn new(max: usize, refused: Counter) -> Self {
        let max = max.min(Semaphore::MAX_PERMITS);
        Self {
            free: Arc::new(Semaphore::new(max)),
            max,
            refused,
        }
    }

    /// Bytes in use.
    pub(crate) fn taken(&self) -> usize {
        self.max - self.free.available_permits()
    }

    /// Reserves `bytes`, until the permit is dropped.
    fn take(&self, bytes: usize) -> Result<OwnedSemaphorePermit, ApiError> {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let permit = Arc::clone(&self.free).try_acquire_many_owned(bytes);
        permit.map_err(|_| {
            self.refused.inc();
            ApiError::retry_after(
                Code::Overloaded,
                "the bodies under way take all memory that http.bodies_max_bytes allows; \
                 send the same request again",
                RETRY_AFTER_S,
            )
        })
    }
}

/// The buffer of a body that does not come in one frame.
#[derive(Debug)]
pub(super) struct BodyBuffer {
    bytes: Vec<u8>,
    memory: Arc<BodyMemory>,
    /// As many bytes as the capacity of the buffer.
    taken: Option<OwnedSemaphorePermit>,
}

impl BodyBuffer {
    /// An empty buffer.
    pub(super) fn new(memory: &Arc<BodyMemory>) -> Self {
        Self {
            bytes: Vec::new(),
            memory: Arc::clone(memory),
            taken: None,
        }
    }

    /// Appends a frame. `rest` is the number of bytes expected after it, so that the last step
    /// reserves no more than it needs.
    ///
    /// # Errors
    /// 503 `overloaded` if the budget is used up.
    pub(super) fn push(&mut self, piece: &[u8], rest: usize) -> Result<(), ApiError> {
        let needed = self.bytes.len() + piece.len();
        if needed > self.bytes.capacity() {
            let more = piece.len() + rest.min(STEP_BYTES);
            let capacity = self.bytes.len() + more;
            match &mut self.taken {
                None => self.taken = Some(self.memory.take(capacity)?),
                Some(taken) => taken.merge(self.memory.take(capacity - taken.num_permits())?),
            }
            self.bytes.reserve_exact(more);
        }
        self.bytes.extend_from_slice(piece);
        Ok(())
    }

    pub(super) fn finish(self) -> ReceivedBody {
        ReceivedBody {
            bytes: self.bytes.into(),
            _taken: self.taken,
        }
    }
}

/// A complete body, with the memory reserved for it until it is dropped.
#[derive(Debug)]
pub(crate) struct ReceivedBody {
    bytes: Bytes,
    _taken: Option<OwnedSemaphorePermit>,
}

impl From<Bytes> for ReceivedBody {
    /// A body of one frame, which reserves nothing.
    fn from(bytes: Bytes) -> Self {
        Self {
            bytes,
            _taken: None,
        }
    }
}

impl Deref for ReceivedBody {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory(max: usize) -> Arc<BodyMemory> {
        Arc::new(BodyMemory::new(max, Counter::default()))
    }

    #[test]
    fn a_body_takes_little_more_than_its_length_and_gives_it_back() {
        let memory = memory(1 << 30);
        let piece = [7; 5_000];
        let mut body = BodyBuffer::new(&memory);
        for i in 1..=50 {
            body.push(&piece, (50 - i) * piece.len()).unwrap();
            assert!(body.bytes.capacity() <= body.bytes.len() + STEP_BYTES);
            assert_eq!(memory.taken(), body.bytes.capacity());
        }
        let whole = body.finish();
        assert_eq!(memory.taken(), 50 * piece.len());
        assert_eq!(whole.len(), 50 * piece.len());
        drop(whole);
        assert_eq!(memory.taken(), 0);
    }

    #[test]
    fn beyond_the_bound_a_body_is_refused_and_what_it_took_is_free() {
        let memory = memory(10_000);
        let mut first = BodyBuffer::new(&memory);
        first.push(&[0; 6_000], 0).unwrap();
        let mut second = BodyBuffer::new(&memory);
        second.push(&[0; 3_000], 0).unwrap();
        let refused = second.push(&[0; 3_000], 0).unwrap_err();
        assert_eq!(refused.code(), Code::Overloaded);
        assert_eq!(memory.refused.get(), 1);
        drop((first, second));
        assert_eq!(memory.taken(), 0);
    }
}
