//! Load on a server, every answer of which must be the one asked for: a server that refuses has
//! less to do, and to measure it would be wrong.

use std::time::Duration;

use streamgate_loadgen::workload::Slots;
use streamgate_loadgen::{
    Drive, Left, Load, Measured, Outcome, Paced, Population, ProcessMeter, Share, Span, Stop,
    Tally, Target,
};

use crate::Result;

/// Heartbeats in a batch: as many as a call may bring.
pub(crate) const BATCH: u64 = 1_000;

/// Two sessions of each user.
pub(crate) const SLOTS: Slots = Slots {
    share: Share::ALL,
    sessions_per_user: 2,
};

/// The time in sessions' ids, in milliseconds since 1970; any will do.
const IDS_MADE_MS: u64 = 1_795_242_600_000;

/// Seeds that differ by this make the same users, and other sessions.
const MARKS: u64 = 36 * 36;

/// The users of a measurement; each round has other sessions of the same users.
pub(crate) fn population(prefix: &str, round: u64) -> Result<Population> {
    Ok(Population::new(prefix, 7 + round * MARKS, IDS_MADE_MS)?)
}

/// How to call.
pub(crate) struct Call<'a> {
    pub(crate) target: &'a Target,
    pub(crate) connections: usize,
    /// Processes to measure.
    pub(crate) meters: Vec<ProcessMeter>,
    /// The only statuses there may be.
    pub(crate) answers: &'a [&'a str],
}

/// What came of it.
pub(crate) struct Done {
    pub(crate) measured: Measured,
    /// The sessions that the load left live.
    pub(crate) left: Left,
}

/// The span of a run.
pub(crate) fn span(warm_up_s: f64, seconds: f64) -> Result<Span> {
    let duration = Duration::try_from_secs_f64;
    Ok(Span::of(duration(warm_up_s)?, duration(seconds)?))
}

impl Call<'_> {
    /// Runs a load to its own end, unmeasured.
    pub(crate) fn all(&self, load: impl Load + 'static) -> Result<Done> {
        self.run(Box::new(load), None, Span::all())
    }

    /// Runs a load on one thread, which shares the processors with the server; at a rate, if there
    /// is one.
    pub(crate) fn run(
        &self,
        mut load: Box<dyn Load>,
        per_second: Option<f64>,
        span: Span,
    ) -> Result<Done> {
        if let Some(per_second) = per_second {
            load = Box::new(Paced::new(load, per_second, Share::ALL));
        }
        let mut drive = Drive::new(self.target.clone(), self.connections);
        drive.servers.clone_from(&self.meters);
        let mut driven = drive.run(vec![load], span, &Stop::default(), &mut |_| {})?;
        for tally in [&driven.record.before, &driven.record.tally()] {
            all_are(self.answers, tally)?;
        }
        let lost = driven.record.connections_lost;
        if lost > 0 {
            return Err(format!("{lost} connections were lost").into());
        }
        let measured = Measured::of(&driven, &drive.servers);
        let load = driven.loads.pop().ok_or("one load comes back")?;
        Ok(Done {
            measured,
            left: load.left(),
        })
    }
}

/// Fails if anything else was answered.
fn all_are(answers: &[&str], tally: &Tally) -> Result<()> {
    let is_asked_for = |outcome: Outcome| answers.contains(&outcome.name().as_str());
    if tally.iter().all(|(outcome, _)| is_asked_for(outcome)) {
        return Ok(());
    }
    Err(format!("not all answers are {}: {tally}", answers.join(" or ")).into())
}

#[cfg(test)]
mod tests {
    use streamgate_loadgen::Fault;

    use super::*;

    #[test]
    fn one_answer_that_is_another_voids_a_run() {
        let mut tally = Tally::default();
        all_are(&["201"], &tally).unwrap();
        tally.add(Outcome::Status(201), 1_000);
        all_are(&["201"], &tally).unwrap();
        all_are(&["200", "201"], &tally).unwrap();
        assert!(all_are(&["200"], &tally).is_err());
        for other in [
            Outcome::Status(200),
            Outcome::Status(409),
            Outcome::Fault(Fault::Timeout),
        ] {
            let mut tally = tally.clone();
            tally.add(other, 1);
            let error = all_are(&["201"], &tally).unwrap_err().to_string();
            assert!(error.contains("201: 1000"), "{error}");
            assert!(error.contains(&format!("{}: 1", other.name())), "{error}");
        }
    }
}
