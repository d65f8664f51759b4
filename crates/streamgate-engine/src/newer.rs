//! Records of a newer version: a sign that this node should not get traffic.
//!
//! A store that several nodes share is marked before such a record is written, and a node that
//! reads the mark refuses all calls. A record above the mark is damaged. This is for a record that
//! cannot be compared with a mark: it cannot be read now, or there is none.

use std::time::Duration;

use parking_lot::Mutex;
use streamgate_clock::Stopwatch;

use crate::error::EngineError;

/// How long the node is not ready after such a record was read. Not for ever: the record may be
/// rewritten or removed.
const UNREADY_FOR: Duration = Duration::from_secs(60);

/// The last such record.
#[derive(Debug, Default)]
pub(crate) struct NewerRecords(Mutex<Option<(Stopwatch, EngineError)>>);

impl NewerRecords {
    /// Records that one was read. `true` if that should be logged: it is the first for a while.
    pub(crate) fn met(&self, error: &EngineError) -> bool {
        let is_news = self.check().is_ok();
        *self.0.lock() = Some((Stopwatch::start(), error.clone()));
        is_news
    }

    /// Fails if one was read lately.
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
