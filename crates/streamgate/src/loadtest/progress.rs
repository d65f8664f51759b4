//! How far a load test is, in a line for each stage.

use std::cell::Cell;

use indicatif::{HumanCount, ProgressBar};
use streamgate_loadgen::figures::{count, ms, rate};
use streamgate_loadgen::workload::Workload;
use streamgate_loadgen::{Plan, Second, Stage};

use crate::progress::Progress;

/// Shows how far a run is.
#[derive(Debug)]
pub(crate) struct RunProgress {
    progress: Progress,
    /// What comes before the load counts: the ramp of the workload `live`, and the warm-up.
    before_s: f64,
    duration_s: f64,
    /// Requests of a stage that has no end in time.
    done: Cell<(Option<Stage>, u64)>,
}

impl RunProgress {
    /// Begins.
    pub(crate) fn of(plan: &Plan) -> Self {
        let ramp_s = match plan.workload {
            Workload::Live => plan.ramp_s,
            _ => 0.0,
        };
        Self {
            progress: Progress::new(ProgressBar::new(100), "{wide_bar} {msg}"),
            before_s: ramp_s + plan.warm_up_s,
            duration_s: plan.duration_s,
            done: Cell::default(),
        }
    }

    /// A second has passed.
    pub(crate) fn second(&self, stage: Stage, second: &Second) {
        let (was, before) = self.done.get();
        let before = if was == Some(stage) { before } else { 0 };
        let done = before + second.requests;
        self.done.set((Some(stage), done));
        let line = self.line(stage, second, done);
        let whole = self.before_s + self.duration_s;
        if stage == Stage::Load && whole > 0.0 {
            let part = (self.before_s + second.at_s) / whole;
            self.progress.bar.set_position(hundredths(part));
        }
        self.progress.show(line);
    }

    /// Removes the bar from the terminal.
    pub(crate) fn end(&self) {
        self.progress.end();
    }

    fn line(&self, stage: Stage, second: &Second, done: u64) -> String {
        let now = rate(second.per_second());
        match stage {
            Stage::Ramp => format!("{} sessions started, {now} a second", HumanCount(done)),
            Stage::Cleanup => format!("{} sessions stopped, {now} a second", HumanCount(done)),
            Stage::Load if second.at_s <= 0.0 => {
                let left = -second.at_s;
                format!("{now} requests a second, counting begins in {left:.0} s")
            }
            Stage::Load => format!(
                "{:.0} s of {:.0} s, {now} requests a second, {} errors, p99 {}",
                second.at_s,
                self.duration_s,
                count(second.errors),
                ms(second.p99_ms)
            ),
        }
    }
}

/// A part of the whole, in hundredths.
fn hundredths(part: f64) -> u64 {
    (0_u8..100)
        .take_while(|done| f64::from(*done) < part * 100.0)
        .count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Plan {
        Plan {
            workload: Workload::Live,
            ramp_s: 5.0,
            warm_up_s: 1.0,
            duration_s: 10.0,
            ..Plan::default()
        }
    }

    #[test]
    fn a_line_says_where_the_run_is() {
        let progress = RunProgress::of(&plan());
        let second = Second {
            at_s: -4.0,
            length_s: 1.0,
            requests: 1_500,
            errors: 2,
            p99_ms: 1.25,
            ..Second::default()
        };
        let line = |stage, at_s| progress.line(stage, &Second { at_s, ..second }, 2_500);
        for (stage, at_s, expected) in [
            (Stage::Ramp, 3.0, "2,500 sessions started, 1,500 a second"),
            (
                Stage::Load,
                -4.0,
                "1,500 requests a second, counting begins in 4 s",
            ),
            (
                Stage::Load,
                3.0,
                "3 s of 10 s, 1,500 requests a second, 2 errors, p99 1.25 ms",
            ),
            (
                Stage::Cleanup,
                3.0,
                "2,500 sessions stopped, 1,500 a second",
            ),
        ] {
            assert_eq!(line(stage, at_s), expected);
        }
    }

    #[test]
    fn the_bar_moves_from_the_ramp_to_the_end() {
        let parts = [0.0, 0.001, 0.5, 1.0, 7.0];
        assert_eq!(parts.map(hundredths), [0, 1, 50, 100, 100]);
        let progress = RunProgress::of(&plan());
        for (at_s, done) in [(-6.0, 0), (0.0, 38), (10.0, 100)] {
            let second = Second {
                at_s,
                ..Second::default()
            };
            progress.second(Stage::Load, &second);
            assert_eq!(progress.progress.bar.position(), done);
        }
    }
}
