//! Records of a newer version that were met: a sign that this node should not be sent traffic.
//!
//! A store that several nodes share is marked before such a record is written, and a node that
//! reads the mark refuses as a whole. This is for a record that is there without a mark.

use std::time::Duration;

use parking_lot::Mutex;
use streamgate_clock::Stopwatch;

use crate::error::EngineError;

/// How long the node is not ready after such a record was met. Not for good: the record may be
/// rewritten or go, and one record is no reason to keep a node out for ever.
const UNREADY_FOR: Duration = Duration::from_secs(60);

/// The record that was met last, where one was.
#[derive(Debug, Default)]
pub(crate) struct NewerRecords(Mutex<Option<(Stopwatch, EngineError)>>);

impl NewerRecords {
    /// Remembers that one was met. `true` where that is news, which the log should have.
    pub(crate) fn met(&self, error: &EngineError) -> bool {
        let is_news = self.check().is_ok();
        *self.0.lock() = Some((Stopwatch::start(), error.clone()));
        is_news
    }

    /// Whether none was met lately.
    ///
    /// # Errors
    /// [`EngineError::NewerRecord`].
    pub(crate) fn check(&self) -> Result<(), EngineError> {
        match &*self.0.lock() {
            Some((since, error)) if since.elapsed() < UNREADY_FOR => Err(error.clone()),
            _ => Ok(()),
        }
    }
}
