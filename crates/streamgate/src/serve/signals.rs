//! Signals: which stop the server, which reloads its settings, and which are ignored.
//!
//! A signal whose default is to end the process would end it without its final writes. So each has
//! a handler, except those that report a fault (SIGSEGV, SIGABRT and the like). tokio never removes
//! a handler, so a handler without a listener still replaces the default.
//! `docs/operating.md` has them all in a table; SIGPIPE is ignored by the standard library.

use std::io;

use rustix::process::Signal as Number;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::exit::{self, Code};

/// Signals that are logged and ignored.
const IGNORED: [(&str, Number); 6] = [
    ("SIGUSR1", Number::USR1),
    ("SIGUSR2", Number::USR2),
    ("SIGALRM", Number::ALARM),
    ("SIGVTALRM", Number::VTALARM),
    ("SIGPROF", Number::PROF),
    ("SIGIO", Number::IO),
];

/// The same, on Linux only.
#[cfg(target_os = "linux")]
const IGNORED_OF_LINUX: [(&str, Number); 1] = [("SIGSTKFLT", Number::STKFLT)];

/// Real-time signals. C libraries reserve the first ones.
#[cfg(target_os = "linux")]
const REAL_TIME: std::ops::RangeInclusive<i32> = 34..=64;

/// Handles SIGHUP, and every signal that is ignored. Called on the runtime, before the store is
/// opened.
pub(super) fn install() -> io::Result<Signal> {
    // A write beyond the limit of file sizes then fails with EFBIG, which the store reports.
    let _file_size = handle(Number::XFSZ)?;
    for (name, number) in IGNORED {
        ignore(name.to_owned(), handle(number)?);
    }
    #[cfg(target_os = "linux")]
    {
        for (name, number) in IGNORED_OF_LINUX {
            ignore(name.to_owned(), handle(number)?);
        }
        for number in REAL_TIME {
            if let Ok(signal) = signal(SignalKind::from_raw(number)) {
                ignore(format!("real-time signal {number}"), signal);
            }
        }
    }
    handle(Number::HUP)
}

fn handle(number: Number) -> io::Result<Signal> {
    signal(SignalKind::from_raw(number.as_raw()))
}

fn ignore(name: String, mut signal: Signal) {
    tokio::spawn(async move {
        while signal.recv().await.is_some() {
            tracing::info!(signal = name, "a signal without a meaning here; ignored");
        }
    });
}

/// The signals that stop the server, received from the moment this is made.
#[derive(Debug)]
pub(super) struct Stops {
    terminate: Signal,
    interrupt: Signal,
    quit: Signal,
    /// The power goes, or a container is told to halt.
    #[cfg(target_os = "linux")]
    power: Signal,
    /// The limit of processor time is reached. It comes again every second until the hard limit.
    processor_time: Signal,
}

impl Stops {
    /// Installs the handlers.
    pub(super) fn install() -> io::Result<Self> {
        Ok(Self {
            terminate: handle(Number::TERM)?,
            interrupt: handle(Number::INT)?,
            quit: handle(Number::QUIT)?,
            #[cfg(target_os = "linux")]
            power: handle(Number::POWER)?,
            processor_time: handle(Number::XCPU)?,
        })
    }

    /// Ends the process at the first signal. While the store is opened nothing has been
    /// acknowledged, and opening a large store takes longer than service managers wait.
    pub(super) async fn end_at_once(mut self) {
        let name = self.first().await;
        tracing::info!(
            signal = name,
            "told to stop while the store is being opened; exiting at once"
        );
        exit::stopped();
    }

    /// Completes at the first signal. From then on the next one ends the process at once.
    pub(super) async fn told_to_stop(mut self) {
        let name = self.first().await;
        tracing::info!(
            signal = name,
            "told to stop; requests under way may finish, a second signal ends them"
        );
        tokio::spawn(async move {
            let name = self.by_hand().await;
            tracing::warn!(signal = name, "told to stop again; exiting at once");
            exit::now(Code::Impatient);
        });
    }

    #[cfg(target_os = "linux")]
    async fn first(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.quit.recv() => "SIGQUIT",
            _ = self.power.recv() => "SIGPWR",
            _ = self.processor_time.recv() => "SIGXCPU",
        }
    }

    #[cfg(not(target_os = "linux"))]
    async fn first(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.quit.recv() => "SIGQUIT",
            _ = self.processor_time.recv() => "SIGXCPU",
        }
    }

    /// A stop by an operator or a service manager; the kernel repeats SIGXCPU by itself.
    async fn by_hand(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.quit.recv() => "SIGQUIT",
        }
    }
}
