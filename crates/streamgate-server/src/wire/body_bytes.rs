//! Memory for request bodies being received: bounded for the whole process, in bytes.
//!
//! A body that came in one frame does not count: it is part of the buffer of its connection, which
//! `http.head_max_bytes` and `http.max_connections` bound. Any other body counts from its first frame
//! on: if that frame were kept, the connection would take another buffer to read on.

use std::ops::Deref;
use std::sync::Arc;

use bytes::Bytes;
use prometheus_client::metrics::counter::Counter;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::problem::{ApiError, Code};

/// The most that is reserved for bytes that have not arrived, per body.
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

/// The buffer of a body that does not come in one frame. It grows by adding chunks rather than by
/// reallocation: bytes are copied once on arrival, and once more if the body is completed.
#[derive(Debug)]
pub(super) struct BodyBuffer {
    /// All but the last one are full.
    chunks: Vec<Vec<u8>>,
    memory: Arc<BodyMemory>,
    /// As many bytes as the capacity of all chunks.
    taken: Option<OwnedSemaphorePermit>,
}

impl BodyBuffer {
    /// An empty buffer.
    pub(super) fn new(memory: &Arc<BodyMemory>) -> Self {
        Self {
            chunks: Vec::new(),
            memory: Arc::clone(memory),
            taken: None,
        }
    }

    /// Appends a frame. `rest` is the number of bytes expected after it, so that the last chunk
    /// reserves no more than it needs.
    ///
    /// # Errors
    /// 503 `overloaded` if the budget is used up.
    pub(super) fn push(&mut self, piece: &[u8], rest: usize) -> Result<(), ApiError> {
        let mut more = piece;
        if let Some(last) = self.chunks.last_mut() {
            let free = last.capacity() - last.len();
            let fits;
            (fits, more) = piece.split_at(piece.len().min(free));
            last.extend_from_slice(fits);
        }
        if more.is_empty() {
            return Ok(());
        }
        let capacity = more.len() + rest.min(STEP_BYTES);
        let taken = self.memory.take(capacity)?;
        match &mut self.taken {
            None => self.taken = Some(taken),
            Some(all) => all.merge(taken),
        }
        let mut chunk = Vec::with_capacity(capacity);
        chunk.extend_from_slice(more);
        self.chunks.push(chunk);
        Ok(())
    }

    pub(super) fn finish(mut self) -> ReceivedBody {
        let bytes = if self.chunks.len() > 1 {
            let mut whole = Vec::with_capacity(self.chunks.iter().map(Vec::len).sum());
            // Each is freed once it is copied, so that little of the body is there twice.
            for chunk in self.chunks {
                whole.extend_from_slice(&chunk);
            }
            whole
        } else {
            self.chunks.pop().unwrap_or_default()
        };
        ReceivedBody {
            bytes: bytes.into(),
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
        let sent: Vec<u8> = (0..250_000_u32).map(|at| (at % 251) as u8).collect();
        let mut body = BodyBuffer::new(&memory);
        let mut left = sent.len();
        for piece in sent.chunks(5_000) {
            left -= piece.len();
            body.push(piece, left).unwrap();
            assert!(memory.taken() <= sent.len() - left + STEP_BYTES);
            let chunks = body.chunks.iter().map(Vec::capacity).sum::<usize>();
            assert_eq!(memory.taken(), chunks);
        }
        let whole = body.finish();
        assert_eq!(memory.taken(), sent.len());
        assert_eq!(*whole, *sent);
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
