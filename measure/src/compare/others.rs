//! What else the machine does while something is measured on it: a figure that was taken beside a
//! build says little.

use std::fs;
use std::time::Duration;

use rustix::param::clock_ticks_per_second;
use streamgate_clock::Stopwatch;
use streamgate_loadgen::ProcessMeter;

use crate::Result;

/// Watches the machine from here on.
pub(crate) struct Others {
    watch: Stopwatch,
    /// Those whose work is meant to be done.
    known: Vec<ProcessMeter>,
    known_before: Duration,
    all_before: Duration,
}

impl Others {
    /// All but these processes, and this one.
    pub(crate) fn than(processes: &[ProcessMeter]) -> Result<Self> {
        let mut known = processes.to_vec();
        known.push(ProcessMeter::of(std::process::id())?);
        Ok(Self {
            watch: Stopwatch::start(),
            known_before: taken_by(&known)?,
            known,
            all_before: taken_by_all()?,
        })
    }

    /// Which part of the machine's processors others have had since, from 0 to 1.
    pub(crate) fn share(&self, processors: usize) -> Result<f64> {
        let known = taken_by(&self.known)?.saturating_sub(self.known_before);
        let all = taken_by_all()?.saturating_sub(self.all_before);
        #[expect(clippy::cast_precision_loss, reason = "there are few")]
        let there_was = self.watch.elapsed().as_secs_f64() * processors.max(1) as f64;
        Ok((all.saturating_sub(known).as_secs_f64() / there_was).min(1.0))
    }
}

/// Processor time of some processes so far.
fn taken_by(processes: &[ProcessMeter]) -> Result<Duration> {
    let mut taken = Duration::ZERO;
    for process in processes {
        let reading = process.read()?;
        taken += reading.user + reading.system;
    }
    Ok(taken)
}

/// Processor time of all processes of the machine so far, and what other machines on the same
/// processors have had of it.
fn taken_by_all() -> Result<Duration> {
    let stat = fs::read_to_string("/proc/stat")?;
    let ticks = ticks(&stat).ok_or("/proc/stat has the times of all processors")?;
    let per_second = u32::try_from(clock_ticks_per_second())?;
    Ok(Duration::from_secs(ticks) / per_second.max(1))
}

/// Of the first line: user, nice, system and steal. Interrupts are left out, because those of the
/// network are for what is measured.
fn ticks(stat: &str) -> Option<u64> {
    let fields: Vec<u64> = stat
        .lines()
        .next()?
        .strip_prefix("cpu ")?
        .split_whitespace()
        .map_while(|field| field.parse().ok())
        .collect();
    [0, 1, 2, 7].into_iter().map(|at| fields.get(at)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::machine::processors;

    #[test]
    fn idle_time_is_not_taken() {
        let stat = "cpu  100 20 3 4000 500 60 70 8 9 10\ncpu0 1 1 1 1 1 1 1 1 1 1\n";
        assert_eq!(ticks(stat), Some(131));
        assert_eq!(ticks("cpu  1 2 3"), None);
        assert_eq!(ticks(""), None);
    }

    #[test]
    fn what_this_process_does_is_not_of_others() {
        let here = ProcessMeter::of(std::process::id()).unwrap();
        let before = here.read().unwrap();
        let others = Others::than(&[]).unwrap();
        let mut sum = 0_u64;
        while here.read().unwrap().since(&before).cpu_s() < 0.1 {
            sum = (0..100_000_u64).fold(sum, |sum, n| sum.wrapping_mul(31) ^ n);
        }
        let share = others.share(processors()).unwrap();
        assert!((0.0..=1.0).contains(&share) && sum != 1, "{share}");
        // Nor is it hidden: who knows nobody sees it.
        let blind = Others {
            known: Vec::new(),
            known_before: Duration::ZERO,
            ..others
        };
        assert!(blind.share(processors()).unwrap() > share);
    }
}
