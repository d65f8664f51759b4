//! Memory for request bodies being received: bounded for the whole process, in bytes.
//!
//! Only bodies of several frames count. A body of one frame is part of the buffer of its
//! connection, which `http.head_max_bytes` and `http.max_connections` bound.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;

use crate::problem::{ApiError, Code};

/// Growth step of a buffer, in bytes: a body takes at most this much more than its length. Doubling
/// would take up to twice its length.
const STEP_BYTES: usize = 32 * 1024;

/// `Retry-After`, in seconds: bodies arrive or time out within seconds.
const RETRY_AFTER_S: u32 = 1;

/// The memory that bodies may take, and how much is in use.
#[derive(Debug)]
pub(crate) struct BodyMemory {
    max: usize,
    taken: AtomicUsize,
    gauge: Gauge,
    refused: Counter,
}

impl BodyMemory {
    /// A budget of `max` bytes, with the metrics for use and refusals.
    pub(crate) fn new(max: usize, gauge: Gauge, refused: Counter) -> Self {
        Self {
            max,
            taken: AtomicUsize::new(0),
            gauge,
            refused,
        }
    }

    /// Reserves `bytes` more.
    fn take(&self, bytes: usize) -> Result<(), ApiError> {
        let fits = |taken: usize| taken.checked_add(bytes).filter(|taken| *taken <= self.max);
        let taken = self
            .taken
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits);
        if taken.is_err() {
            self.refused.inc();
            return Err(ApiError::retry_after(
                Code::Overloaded,
                "the bodies under way take all memory that http.bodies_max_bytes allows; \
                 send the same request again",
                RETRY_AFTER_S,
            ));
        }
        self.gauge.inc_by(signed(bytes));
        Ok(())
    }

    fn give_back(&self, bytes: usize) {
        self.taken.fetch_sub(bytes, Ordering::Relaxed);
        self.gauge.dec_by(signed(bytes));
    }
}

fn signed(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// The buffer of a body of several frames.
#[derive(Debug)]
pub(super) struct Growing {
    bytes: Vec<u8>,
    taken: Taken,
}

/// Reserved memory; dropping releases it.
#[derive(Debug)]
struct Taken {
    memory: Arc<BodyMemory>,
    bytes: usize,
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.memory.give_back(self.bytes);
    }
}

impl Growing {
    /// An empty buffer.
    pub(super) fn new(memory: &Arc<BodyMemory>) -> Self {
        Self {
            bytes: Vec::new(),
            taken: Taken {
                memory: Arc::clone(memory),
                bytes: 0,
            },
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
            self.taken.memory.take(capacity - self.taken.bytes)?;
            self.taken.bytes = capacity;
            self.bytes.reserve_exact(more);
        }
        self.bytes.extend_from_slice(piece);
        Ok(())
    }

    pub(super) fn finish(self) -> Whole {
        Whole {
            bytes: self.bytes.into(),
            _taken: Some(self.taken),
        }
    }
}

/// A complete body, with the memory reserved for it until it is dropped.
#[derive(Debug)]
pub(crate) struct Whole {
    bytes: Bytes,
    _taken: Option<Taken>,
}

impl From<Bytes> for Whole {
    /// A body of one frame, which reserves nothing.
    fn from(bytes: Bytes) -> Self {
        Self {
            bytes,
            _taken: None,
        }
    }
}

impl Deref for Whole {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory(max: usize) -> Arc<BodyMemory> {
        Arc::new(BodyMemory::new(max, Gauge::default(), Counter::default()))
    }

    #[test]
    fn a_body_takes_little_more_than_its_length_and_gives_it_back() {
        let memory = memory(1 << 30);
        let piece = [7; 5_000];
        let mut body = Growing::new(&memory);
        for i in 1..=50 {
            body.push(&piece, (50 - i) * piece.len()).unwrap();
            assert!(body.bytes.capacity() <= body.bytes.len() + STEP_BYTES);
            assert_eq!(memory.taken.load(Ordering::Relaxed), body.bytes.capacity());
            assert_eq!(memory.gauge.get(), signed(body.bytes.capacity()));
        }
        let whole = body.finish();
        assert_eq!(memory.taken.load(Ordering::Relaxed), 50 * piece.len());
        assert_eq!(whole.len(), 50 * piece.len());
        drop(whole);
        assert_eq!(memory.taken.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn beyond_the_bound_a_body_is_refused_and_what_it_took_is_free() {
        let memory = memory(10_000);
        let mut first = Growing::new(&memory);
        first.push(&[0; 6_000], 0).unwrap();
        let mut second = Growing::new(&memory);
        second.push(&[0; 3_000], 0).unwrap();
        let refused = second.push(&[0; 3_000], 0).unwrap_err();
        assert_eq!(refused.code(), Code::Overloaded);
        assert_eq!(memory.refused.get(), 1);
        drop((first, second));
        assert_eq!(memory.taken.load(Ordering::Relaxed), 0);
        assert_eq!(memory.gauge.get(), 0);
    }
}
