//! Being told to stop: once politely, twice at once.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::exit::Code;

/// Hears SIGTERM and SIGINT from the moment it is installed.
#[derive(Debug)]
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Installs the handlers.
    pub(super) fn install() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Completes at the first signal. From then on the next one ends the process at once.
    pub(super) async fn told_to_stop(mut self) {
        let name = self.next().await;
        tracing::info!(
            signal = name,
            "told to stop; requests under way may finish, a second signal ends them"
        );
        tokio::spawn(async move {
            let name = self.next().await;
            tracing::warn!(signal = name, "told to stop again; exiting at once");
            std::process::exit(Code::Impatient as i32);
        });
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
