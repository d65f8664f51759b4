//! The gate: whether calls may be served, by the last probe. Every call asks it.

use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use streamgate_store::{Refusal, StoreError};

/// Shut until a first probe has passed, and while the last probe found a fault.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    /// So that calls take no lock while it is open.
    is_open: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
enum State {
    /// No server has been probed yet.
    #[default]
    Unproven,
    Open,
    Shut(Refusal),
}

impl Gate {
    /// Lets a call pass.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] before the first probe has passed, [`StoreError::Refused`] while
    /// a probe finds something wrong.
    pub(crate) fn pass(&self) -> Result<(), StoreError> {
        if self.is_open() {
            return Ok(());
        }
        match &*self.state.lock() {
            State::Open => Ok(()),
            State::Shut(why) => Err(StoreError::Refused(why.clone())),
            State::Unproven => {
                let why = "no server of the store has been probed since the start of this node";
                Err(StoreError::Unavailable(why.to_owned()))
            }
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.is_open.load(Ordering::Relaxed)
    }

    /// Whether no probe has reached a server yet.
    pub(super) fn is_unproven(&self) -> bool {
        *self.state.lock() == State::Unproven
    }

    /// A probe found no fault. Logged if it ends a refusal.
    pub(crate) fn open(&self) {
        if let State::Shut(_) = self.replace(State::Open) {
            tracing::info!("the store is set up right again: calls are served");
        }
    }

    /// A probe found a fault. Logged once.
    pub(super) fn shut(&self, refusal: Refusal) {
        let why = refusal.why.clone();
        if !matches!(self.replace(State::Shut(refusal)), State::Shut(_)) {
            tracing::error!(
                reason = why,
                "the store must not be used as it is set up: calls are answered 503 until it is \
                 right"
            );
        }
    }

    fn replace(&self, state: State) -> State {
        let mut held = self.state.lock();
        self.is_open.store(state == State::Open, Ordering::Relaxed);
        std::mem::replace(&mut *held, state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gate_is_open_only_after_a_probe_has_passed_and_while_none_finds_a_fault() {
        let gate = Gate::default();
        assert!(gate.is_unproven());
        assert!(matches!(gate.pass(), Err(StoreError::Unavailable(_))));
        gate.open();
        assert_eq!(gate.pass(), Ok(()));
        let refusal = Refusal {
            told: "not now",
            why: "because".to_owned(),
        };
        gate.shut(refusal.clone());
        assert_eq!(gate.pass(), Err(StoreError::Refused(refusal)));
        assert!(!gate.is_unproven());
        gate.open();
        assert_eq!(gate.pass(), Ok(()));
    }
}
