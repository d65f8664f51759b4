//! Starts and stops in turn: durable calls only, and no session left at the end.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::api::Api;
use crate::load::{Ended, Left, Load, Sent, Tally};
use crate::pace::Share;
use crate::population::Session;

/// Each session is stopped once its start is answered.
#[derive(Debug)]
pub struct StartStop {
    api: Arc<Api>,
    share: Share,
    users: u64,
    next: u64,
    /// Admitted sessions, to be stopped.
    live: VecDeque<Session>,
    /// Sessions whose last request has no answer.
    doubtful: Vec<Session>,
    started_last: bool,
}

/// The kinds of request, as indices.
const START: usize = 0;
const STOP: usize = 1;

impl StartStop {
    /// Sessions of `users` users, each in turn.
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
}

impl Load for StartStop {
    fn kinds(&self) -> &'static [&'static str] {
        &["start", "stop"]
    }

    fn next(&mut self, out: &mut Vec<u8>) -> Option<Sent> {
        if self.started_last
            && let Some(session) = self.live.pop_front()
        {
            self.started_last = false;
            self.api.stop(session, out);
            return Some(Sent::of(STOP, session));
        }
        self.started_last = true;
        let number = self.share.global(self.next);
        self.next += 1;
        let user = number % self.users;
        let session = Session { user, number };
        self.api.start(session, out);
        Some(Sent::of(START, session))
    }

    fn ended(&mut self, sent: Sent, ended: &Ended<'_>, tally: &mut Tally) {
        let outcome = ended.outcome();
        tally.add(outcome, 1);
        match ended {
            _ if outcome.is_success() && sent.kind == START => self.live.push_back(sent.session),
            // A start that was refused left nothing, and a stop was carried out.
            Ended::Answered(answer) if answer.status < 500 => {}
            _ => self.doubtful.push(sent.session),
        }
    }

    /// The sessions that are live, and those whose last request has no answer.
    fn left(self: Box<Self>) -> Left {
        Box::new(self.live.into_iter().chain(self.doubtful))
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;
    use crate::answer::Answer;
    use crate::api::tests::api;
    use crate::load::Fault;

    fn load() -> StartStop {
        StartStop::new(Arc::new(api(None)), Share::ALL, 3)
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
            let sent = load.next(&mut Vec::new()).unwrap();
            // The start before this one is answered only below, so this one is a start, too.
            assert_eq!(sent.kind, START);
            started.push((sent, outcome));
        }
        for (sent, outcome) in &started {
            load.ended(*sent, outcome, &mut tally);
        }
        let stop = load.next(&mut Vec::new()).unwrap();
        assert_eq!((stop.kind, stop.session), (STOP, started[0].0.session));
        load.ended(stop, &answered(503), &mut tally);
        let start = load.next(&mut Vec::new()).unwrap();
        assert_eq!((start.kind, start.session.user), (START, 4 % 3));
        load.ended(start, &answered(429), &mut tally);
        let left: Vec<Session> = Box::new(load).left().collect();
        assert_eq!(left, [3, 2, 0].map(|place| started[place].0.session));
        assert_eq!(tally.total(), 6);
    }
}
