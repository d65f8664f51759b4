//! Signals: which stop the server, which reloads its settings, and which are ignored.
//!
//! A signal whose default is to end the process would end it without its final writes. So each has
//! a handler, except those that report a fault (SIGSEGV, SIGABRT and the like). tokio never removes
//! a handler, so a handler without a listener still replaces the default.
//! `docs/operating.md` has them all in a table; SIGPIPE is ignored by the standard library, and
//! SIGXFSZ has its handler in `main`, for every command.

use std::future::poll_fn;
use std::io;
use std::task::Poll;

use rustix::process::Signal as Number;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::exit::{self, Code};

/// Signals that stop the server. Of those, the kernel repeats SIGXCPU by itself, every second until
/// the hard limit of processor time; SIGPWR means that the power goes, or a container is halted.
const STOPS: &[(&str, Number)] = &[
    ("SIGTERM", Number::TERM),
    ("SIGINT", Number::INT),
    ("SIGQUIT", Number::QUIT),
    ("SIGXCPU", Number::XCPU),
    #[cfg(target_os = "linux")]
    ("SIGPWR", Number::POWER),
];

/// How many of them, the first, are sent by an operator or a service manager.
const SENT: usize = 3;

/// Signals that are logged and ignored.
const IGNORED: &[(&str, Number)] = &[
    ("SIGUSR1", Number::USR1),
    ("SIGUSR2", Number::USR2),
    ("SIGALRM", Number::ALARM),
    ("SIGVTALRM", Number::VTALARM),
    ("SIGPROF", Number::PROF),
    ("SIGIO", Number::IO),
    #[cfg(target_os = "linux")]
    ("SIGSTKFLT", Number::STKFLT),
];

/// Real-time signals of Linux. C libraries reserve the first ones.
const REAL_TIME: std::ops::RangeInclusive<i32> = 34..=64;

/// Handles SIGHUP, and every signal that is ignored. Called on the runtime, before the store is
/// opened.
pub(super) fn install() -> io::Result<Signal> {
    for (name, number) in IGNORED {
        ignore((*name).to_owned(), handle(*number)?);
    }
    for number in REAL_TIME.filter(|_| cfg!(target_os = "linux")) {
        if let Ok(signal) = signal(SignalKind::from_raw(number)) {
            ignore(format!("real-time signal {number}"), signal);
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
pub(crate) struct Stops(Vec<(&'static str, Signal)>);

impl Stops {
    /// Installs the handlers.
    pub(crate) fn install() -> io::Result<Self> {
        let handled = |(name, number): &(&'static str, Number)| Ok((*name, handle(*number)?));
        STOPS
            .iter()
            .map(handled)
            .collect::<io::Result<_>>()
            .map(Self)
    }

    /// Ends the process at the first signal. While the store is opened nothing has been
    /// acknowledged, and opening a large store takes longer than service managers wait.
    pub(super) async fn end_at_once(mut self) {
        let name = self.next().await;
        tracing::info!(
            signal = name,
            "told to stop while the store is being opened; exiting at once"
        );
        exit::stopped();
    }

    /// Completes at the first signal. From then on the next one that is sent ends the process at
    /// once.
    pub(super) async fn told_to_stop(mut self) {
        let name = self.next().await;
        tracing::info!(
            signal = name,
            "told to stop; requests under way may finish, a second signal ends them"
        );
        self.0.truncate(SENT);
        tokio::spawn(async move {
            let name = self.next().await;
            tracing::warn!(signal = name, "told to stop again; exiting at once");
            exit::now(Code::Impatient);
        });
    }

    /// The name of the next signal.
    pub(crate) async fn next(&mut self) -> &'static str {
        poll_fn(|context| {
            let mut signals = self.0.iter_mut();
            let came =
                signals.find_map(|(name, it)| it.poll_recv(context).is_ready().then_some(*name));
            came.map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }
}
