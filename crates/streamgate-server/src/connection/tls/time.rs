//! The wall clock as the TLS library asks for it. The library's own panics before 1970, and the
//! clock of a running server can be set to such a time.

use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::aws_lc_rs::Ticketer;
use rustls::pki_types::UnixTime;
use rustls::server::ProducesTickets;
use rustls::time_provider::TimeProvider;
use streamgate_clock::wall_ms;

/// The wall clock. Before 1970 it shows 1970, so that no certificate of a client is valid then.
#[derive(Debug)]
pub(super) struct WallClock;

impl TimeProvider for WallClock {
    fn current_time(&self) -> Option<UnixTime> {
        let since = u64::try_from(wall_ms()).unwrap_or(0);
        Some(UnixTime::since_unix_epoch(Duration::from_millis(since)))
    }
}

/// What makes the tickets by which clients resume sessions. Its keys are random, known to this
/// process only, and replaced every few hours.
///
/// # Errors
/// There are no random bytes, or it is before 1970.
pub(super) fn ticketer() -> Result<Arc<dyn ProducesTickets>, rustls::Error> {
    if is_before_1970() {
        return Err(rustls::Error::FailedToGetCurrentTime);
    }
    Ok(Arc::new(Tickets(Ticketer::new()?)))
}

/// Tickets, and none before 1970: the keys are replaced by a clock that panics then.
#[derive(Debug)]
struct Tickets(Arc<dyn ProducesTickets>);

impl ProducesTickets for Tickets {
    fn enabled(&self) -> bool {
        !is_before_1970() && self.0.enabled()
    }

    fn lifetime(&self) -> u32 {
        self.0.lifetime()
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        if is_before_1970() {
            return None;
        }
        self.0.encrypt(plain)
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        if is_before_1970() {
            return None;
        }
        self.0.decrypt(cipher)
    }
}

fn is_before_1970() -> bool {
    wall_ms() < 0
}
