//! The clock of a drive, and a precise timer.

use std::io;
use std::time::Duration;

use mio::{Events, Poll};
use streamgate_clock::Stopwatch;

use crate::load::{Nanos, nanos};

/// The time since the beginning of a drive.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock(Stopwatch);

impl Clock {
    /// Starts at zero.
    pub(crate) fn start() -> Self {
        Self(Stopwatch::start())
    }

    /// The time now.
    pub(crate) fn now(self) -> Nanos {
        nanos(self.0.elapsed())
    }
}

/// Wakes a poll more precisely than its own timeout, which is rounded up to the millisecond:
/// requests due meanwhile would be sent late, and the delay would look like the server's. Linux has
/// `timerfd`; elsewhere the rounding stays.
#[derive(Debug)]
pub(crate) struct Alarm {
    #[cfg(target_os = "linux")]
    timer: rustix::fd::OwnedFd,
    /// What it is set to.
    set_to: Nanos,
}

impl Alarm {
    /// An alarm of a poll; its events have the token `usize::MAX`.
    pub(crate) fn new(poll: &Poll) -> io::Result<Self> {
        #[cfg(target_os = "linux")]
        {
            use mio::unix::SourceFd;
            use mio::{Interest, Token};
            use rustix::fd::AsRawFd as _;
            use rustix::time::{TimerfdClockId, TimerfdFlags, timerfd_create};

            let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
            let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
            let mut source = SourceFd(&timer.as_raw_fd());
            let token = Token(usize::MAX);
            poll.registry()
                .register(&mut source, token, Interest::READABLE)?;
            Ok(Self { timer, set_to: 0 })
        }
        #[cfg(not(target_os = "linux"))]
        {
            let _ = poll;
            Ok(Self { set_to: 0 })
        }
    }

    /// Waits for events, but not beyond `until`.
    pub(crate) fn wait(
        &mut self,
        poll: &mut Poll,
        events: &mut Events,
        now: Nanos,
        until: Nanos,
    ) -> io::Result<()> {
        let wait = Duration::from_nanos(until.saturating_sub(now));
        if self.set_to != until && !wait.is_zero() {
            self.set(wait)?;
            self.set_to = until;
        }
        match poll.poll(events, Some(wait)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            done => done,
        }
    }

    /// Events are edges: a new one comes although the timer is never read.
    #[cfg(target_os = "linux")]
    fn set(&self, after: Duration) -> io::Result<()> {
        use rustix::time::{Itimerspec, TimerfdTimerFlags, Timespec, timerfd_settime};

        let zero = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let at = Timespec {
            tv_sec: i64::try_from(after.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: after.subsec_nanos().into(),
        };
        let once = Itimerspec {
            it_interval: zero,
            it_value: at,
        };
        timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &once)?;
        Ok(())
    }

    #[cfg(not(target_os = "linux"))]
    fn set(&self, _after: Duration) -> io::Result<()> {
        Ok(())
    }
}
