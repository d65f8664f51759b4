//! Whether the store may be used, as the probe has found. Asked by every call.

use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use streamgate_store::{Refusal, StoreError};

/// Shut while something about the servers is wrong.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    /// So that calls take no lock while it is open.
    is_shut: AtomicBool,
    refusal: Mutex<Option<Refusal>>,
}

impl Gate {
    /// Lets a call pass.
    ///
    /// # Errors
    /// [`StoreError::Refused`] while it is shut.
    pub(crate) fn pass(&self) -> Result<(), StoreError> {
        if !self.is_shut() {
            return Ok(());
        }
        let refusal = self.refusal.lock().clone();
        refusal.map_or(Ok(()), |why| Err(StoreError::Refused(why)))
    }

    pub(crate) fn is_shut(&self) -> bool {
        self.is_shut.load(Ordering::Relaxed)
    }

    /// Shuts it for a reason, or opens it. The log hears of it when that changes.
    pub(super) fn set(&self, refusal: Option<Refusal>) {
        let before = {
            let mut held = self.refusal.lock();
            self.is_shut.store(refusal.is_some(), Ordering::Relaxed);
            std::mem::replace(&mut *held, refusal.clone())
        };
        match (before, refusal) {
            (None, Some(refusal)) => tracing::error!(
                reason = refusal.why,
                "the store must not be used as it is set up: calls are answered 503 until it is right"
            ),
            (Some(_), None) => tracing::info!("the store is set up right again: calls are served"),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_pass_unless_it_is_shut() {
        let gate = Gate::default();
        assert_eq!(gate.pass(), Ok(()));
        let refusal = Refusal {
            told: "not now",
            why: "because".to_owned(),
        };
        gate.set(Some(refusal.clone()));
        assert_eq!(gate.pass(), Err(StoreError::Refused(refusal)));
        gate.set(None);
        assert_eq!(gate.pass(), Ok(()));
    }
}
