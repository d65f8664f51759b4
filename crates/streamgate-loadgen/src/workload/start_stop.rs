//! Start and stop: what is durable, and nothing else. Leaves nothing behind.

use std::collections::VecDeque;
use std::sync::Arc;

use super::Left;
use crate::api::Api;
use crate::load::{Ended, Requests, Sent, Tally};
use crate::pace::Share;
use crate::population::Session;

/// Starts and stops in turn; a session is stopped once its start is answered.
#[derive(Debug)]
pub struct StartStop {
    api: Arc<Api>,
    share: Share,
    users: u64,
    next: u64,
    /// Admitted, and to be stopped.
    live: VecDeque<Session>,
    /// Of these nobody knows.
    doubtful: Vec<Session>,
    started_last: bool,
}

/// A request under way.
#[derive(Debug, Clone, Copy)]
pub enum Step {
    /// The start of this session.
    Start(Session),
    /// The stop of this one.
    Stop(Session),
}

impl StartStop {
    /// Sessions of so many users, each in turn.
    #[must_use]
    pub fn new(api: Arc<Api>, share: Share, users: u64) -> Self {
        Self {
            api,
            share,
            users: users.max(1),
            next: 0,
            live: VecDeque::new(),
            doubtful: Vec::new(),
            started_last: false,
        }
    }

    /// Those that are live, and those of which nobody knows.
    #[must_use]
    pub fn left(self) -> Left {
        Box::new(self.live.into_iter().chain(self.doubtful))
    }
}

impl Requests for StartStop {
    type Tag = Step;

    fn kinds(&self) -> Vec<&'static str> {
        vec!["start", "stop"]
    }

    fn next(&mut self, out: &mut Vec<u8>) -> Option<Sent<Step>> {
        if self.started_last
            && let Some(session) = self.live.pop_front()
        {
            self.started_last = false;
            self.api.stop(session, out);
            let tag = Step::Stop(session);
            return Some(Sent { kind: 1, tag });
        }
        self.started_last = true;
        let number = self.share.global(self.next);
        self.next += 1;
        let user = number % self.users;
        let session = Session { user, number };
        self.api.start(session, out);
        let tag = Step::Start(session);
        Some(Sent { kind: 0, tag })
    }

    fn ended(&mut self, step: Step, ended: &Ended<'_>, tally: &mut Tally) {
        let outcome = ended.outcome();
        tally.add(outcome, 1);
        match (step, ended) {
            (Step::Start(session), _) if outcome.is_success() => self.live.push_back(session),
            // A start that was refused left nothing.
            (Step::Start(_), Ended::Answered(answer)) if answer.status < 500 => {}
            (Step::Stop(_), Ended::Answered(answer)) if answer.status < 500 => {}
            (Step::Start(session) | Step::Stop(session), _) => self.doubtful.push(session),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;
    use crate::answer::Answer;
    use crate::load::Fault;
    use crate::population::Population;
    use crate::target::Target;

    fn load() -> StartStop {
        let target = Target::parse("http://a").unwrap();
        let population = Population::new("p", 0, 0).unwrap();
        let api = Api::new(&target, population, None).unwrap();
        StartStop::new(Arc::new(api), Share::ALL, 3)
    }

    fn answered(status: u16) -> Ended<'static> {
        let body = Cow::Borrowed(&[][..]);
        Ended::Answered(Answer { status, body })
    }

    #[test]
    fn only_what_was_admitted_is_stopped_and_nothing_is_forgotten() {
        let (mut load, mut tally) = (load(), Tally::default());
        let mut started = Vec::new();
        for outcome in [
            answered(201),
            answered(409),
            Ended::Failed(Fault::Timeout),
            answered(201),
        ] {
            let Step::Start(session) = load.next(&mut Vec::new()).unwrap().tag else {
                panic!("nothing is to be stopped yet");
            };
            // The start before this one was answered only now, so this one was a start, too.
            started.push((session, outcome));
        }
        for (session, outcome) in &started {
            load.ended(Step::Start(*session), outcome, &mut tally);
        }
        let stop = load.next(&mut Vec::new()).unwrap();
        let Step::Stop(first) = stop.tag else {
            panic!("{stop:?}");
        };
        assert_eq!(first, started[0].0);
        load.ended(stop.tag, &answered(503), &mut tally);
        let start = load.next(&mut Vec::new()).unwrap();
        assert!(matches!(start.tag, Step::Start(session) if session.user == 4 % 3));
        load.ended(start.tag, &answered(429), &mut tally);
        let left: Vec<Session> = load.left().collect();
        assert_eq!(left, [started[3].0, started[2].0, started[0].0]);
        assert_eq!(tally.total(), 6);
    }
}
