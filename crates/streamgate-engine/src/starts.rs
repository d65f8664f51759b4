//! Commands that start a session, alone or with more in the same step.

use streamgate_core::admission::{
    Admitted, Command, IfKnown, Start, StartOutcome, Watching, WithSessions,
};

/// A command that starts a session: what [`Engine::start`](crate::Engine::start) needs to know of
/// it.
pub trait Starts: Command {
    /// The start in it.
    fn start(&self) -> &Start;

    /// What became of the start; `None` if the command did not get to it.
    fn start_outcome(outcome: &Self::Outcome) -> Option<&StartOutcome>;

    /// The outcome if the session is admitted without the store and nothing else is known of the
    /// user (fail open). `start` is [`StartOutcome::Admitted`], [`StartOutcome::AlreadyLive`] or
    /// [`StartOutcome::Taken`].
    fn without_store(&self, start: StartOutcome) -> Self::Outcome;
}

impl Starts for Start {
    fn start(&self) -> &Start {
        self
    }

    fn start_outcome(outcome: &StartOutcome) -> Option<&StartOutcome> {
        Some(outcome)
    }

    fn without_store(&self, start: StartOutcome) -> StartOutcome {
        start
    }
}

impl<C: Starts> Starts for IfKnown<C> {
    fn start(&self) -> &Start {
        self.0.start()
    }

    fn start_outcome(outcome: &Self::Outcome) -> Option<&StartOutcome> {
        C::start_outcome(outcome.as_ref()?)
    }

    fn without_store(&self, start: StartOutcome) -> Self::Outcome {
        Some(self.0.without_store(start))
    }
}

impl<C: Starts> Starts for WithSessions<C> {
    fn start(&self) -> &Start {
        self.0.start()
    }

    fn start_outcome((outcome, _): &Self::Outcome) -> Option<&StartOutcome> {
        C::start_outcome(outcome)
    }

    /// The session that was started is the only one known.
    fn without_store(&self, start: StartOutcome) -> Self::Outcome {
        let watching = match &start {
            StartOutcome::Admitted(Admitted { session, .. })
            | StartOutcome::AlreadyLive(Admitted { session, .. }) => {
                let metadata = session.metadata.as_ref();
                let content_id = metadata.and_then(|metadata| metadata.content_id.clone());
                let id = session.id.clone();
                vec![Watching { id, content_id }]
            }
            StartOutcome::Taken | StartOutcome::UnknownPlan(_) | StartOutcome::Refused(_) => {
                Vec::new()
            }
        };
        (self.0.without_store(start), watching)
    }
}
