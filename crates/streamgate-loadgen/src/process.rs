//! Processor time and memory of a local process, read from `/proc` on Linux.

use std::fs;
use std::io;
use std::time::Duration;

use rustix::param::clock_ticks_per_second;
use serde::{Deserialize, Serialize};

/// Reads the meters of one process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProcessMeter {
    pid: u32,
}

/// A reading of the meters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ProcessReading {
    /// Processor time in user mode, all threads, to the hundredth of a second.
    pub user: Duration,
    /// Processor time in the kernel, likewise.
    pub system: Duration,
    /// Resident memory.
    pub resident_bytes: u64,
    /// Peak resident memory.
    pub resident_bytes_max: u64,
}

/// What a process used between two readings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct ProcessUse {
    /// Processor time in the program, in seconds.
    pub user_s: f64,
    /// Processor time in the kernel, in seconds.
    pub system_s: f64,
    /// Resident memory at the end.
    pub resident_bytes: u64,
    /// Peak resident memory.
    pub resident_bytes_max: u64,
}

impl ProcessMeter {
    /// The meter of a process of this machine.
    ///
    /// # Errors
    ///
    /// Fails if there is no such process, or no `/proc`.
    pub fn of(pid: u32) -> io::Result<Self> {
        let meter = Self { pid };
        meter.read()?;
        Ok(meter)
    }

    /// The id of the process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Reads the meters.
    ///
    /// # Errors
    ///
    /// Fails if the process has ended.
    pub fn read(&self) -> io::Result<ProcessReading> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid))?;
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid))?;
        let (user, system) = times(&stat).ok_or(io::ErrorKind::InvalidData)?;
        Ok(ProcessReading {
            user,
            system,
            resident_bytes: kilobytes(&status, "VmRSS:") * 1_024,
            resident_bytes_max: kilobytes(&status, "VmHWM:") * 1_024,
        })
    }
}

impl ProcessReading {
    /// What was used since an earlier reading.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> ProcessUse {
        ProcessUse {
            user_s: self.user.saturating_sub(earlier.user).as_secs_f64(),
            system_s: self.system.saturating_sub(earlier.system).as_secs_f64(),
            resident_bytes: self.resident_bytes,
            resident_bytes_max: self.resident_bytes_max,
        }
    }
}

impl ProcessUse {
    /// Total processor time in seconds.
    #[must_use]
    pub fn cpu_s(&self) -> f64 {
        self.user_s + self.system_s
    }
}

/// User and system time. The name of the program stands before them in parentheses, and may have
/// spaces and parentheses of its own.
fn times(stat: &str) -> Option<(Duration, Duration)> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ').skip(11);
    let mut time = || {
        let ticks: u32 = fields.next()?.parse().ok()?;
        let per_second = u32::try_from(clock_ticks_per_second()).ok()?;
        Some(Duration::from_secs(1) * ticks / per_second.max(1))
    };
    Some((time()?, time()?))
}

/// The number of a line such as `VmRSS:  1234 kB`; 0 without one, as for a process that has ended.
fn kilobytes(status: &str, name: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next());
    number
        .and_then(|number| number.parse().ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_programs_do_not_shift_the_times() {
        let ticks = clock_ticks_per_second();
        let stat = format!(
            "7 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 {} {} 13 14",
            ticks * 2,
            ticks * 3
        );
        let expected = (Duration::from_secs(2), Duration::from_secs(3));
        assert_eq!(times(&stat), Some(expected));
        assert_eq!(times("7 (a) S 1"), None);
    }

    #[test]
    fn this_process_can_be_measured() {
        let meter = ProcessMeter::of(std::process::id()).unwrap();
        let before = meter.read().unwrap();
        let mut sum = 0_u64;
        while meter.read().unwrap().since(&before).cpu_s() < 0.03 {
            sum = (0..100_000_u64).fold(sum, |sum, n| sum.wrapping_mul(31) ^ n);
        }
        let after = meter.read().unwrap();
        assert!(after.resident_bytes > 0 && after.resident_bytes <= after.resident_bytes_max);
        assert_ne!(sum, 1);
        assert!(ProcessMeter::of(u32::MAX).is_err());
    }
}
