//! The function: the endpoints over a table, and what happens to one event.

use std::sync::Arc;

use streamgate_clock::{SystemClock, wall_ms};
use streamgate_engine::{Engine, Observers, RandomIds};
use streamgate_server::telemetry::Repeats;
use streamgate_server::{Endpoints, Metrics, Observed, PagesSettings, ServerSettings, app};

use super::answer;
use super::event::{EventError, HttpEvent};
use super::metric_lines::Counts;
use super::upkeep::Upkeep;
use crate::config::Settings;
use crate::config::sections::store::TableSettings;
use crate::exit::Failure;
use crate::serve::panics;
use crate::serve::tokens::Tokens;
use crate::{dynamodb, output};

/// The variable with the name of the function.
const FUNCTION_NAME: &str = "AWS_LAMBDA_FUNCTION_NAME";

/// The endpoints, and what is to be done behind an answer.
pub(super) struct Function {
    name: String,
    endpoints: Endpoints,
    counts: Arc<Counts>,
    upkeep: Upkeep,
}

impl Function {
    /// Opens the table and puts the endpoints on top. The table may be unavailable: then events are
    /// answered 503 until it is there.
    pub(super) async fn start(
        settings: &Settings,
        table: &TableSettings,
        repeats: Repeats,
    ) -> Result<Self, Failure> {
        let clock = Arc::new(SystemClock::frozen_between_calls());
        let metrics = Arc::new(Metrics::with_log(Arc::clone(&clock) as _, output::log()));
        panics::report(&metrics);
        let remote = dynamodb::start(table, settings.store_format, clock, &metrics).await?;
        if let Some(reason) = &remote.unavailable {
            tracing::warn!(
                reason,
                "the table cannot be used yet: events are answered 503"
            );
        }
        let mut policy = settings.policy.clone();
        policy.clock_skew = remote.clock_skew;
        let tokens = Tokens::start(settings.tokens.clone(), None)?;
        let server = ServerSettings {
            tokens: Some(tokens.verifier()),
            pages: PagesSettings::NONE,
            ..settings.server.clone()
        };
        let counts = Arc::new(Counts::default());
        // No event stream opens here, and nothing runs between events, so there are no series;
        // refusals are of this instance.
        let observed = Observed::new(&settings.server, metrics);
        let observers = Observers::new([
            Arc::new(observed.observers()) as Arc<_>,
            Arc::clone(&counts) as Arc<_>,
        ]);
        let engine = Engine::new(
            remote.store,
            Arc::new(policy),
            Arc::new(RandomIds),
            Arc::new(observers),
            settings.engine,
        );
        Ok(Self {
            name: std::env::var(FUNCTION_NAME).unwrap_or_else(|_| "streamgate".to_owned()),
            endpoints: app(Arc::new(engine), server, observed),
            counts,
            upkeep: Upkeep::new(remote.format, repeats),
        })
    }

    /// Answers an event.
    pub(super) async fn answer(&self, event: Vec<u8>) -> Result<Vec<u8>, EventError> {
        let HttpEvent {
            format,
            request,
            gateway,
        } = HttpEvent::parse(&event)?;
        let endpoints = self.endpoints.clone();
        // A task, so that a panic ends the event and not the process.
        let task =
            tokio::spawn(async move { endpoints.answer_for_gateway(request, gateway).await });
        let response = task
            .await
            .map_err(|_| EventError::Fault)?
            .map_err(|error| EventError::NoBody(error.to_string()))?;
        self.counts.answered(response.status().as_u16());
        answer::encode(format, response)
    }

    /// Does what is due behind an answer.
    pub(super) async fn keep_up(&mut self) {
        if let Some(line) = self.counts.take_line(&self.name, wall_ms()) {
            output::line(&line.to_string());
        }
        self.upkeep.keep_up().await;
    }

    /// Writes what is left in the log.
    pub(super) fn end(&self) {
        self.upkeep.end();
    }
}
