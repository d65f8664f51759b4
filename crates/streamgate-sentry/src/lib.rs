//! Error reports to Sentry, or to a server that speaks its protocol (GlitchTip): one envelope an
//! error, posted by a thread of its own.
//!
//! A report holds what the line in the log holds, the release and the environment; no user, no
//! request and no name of the machine. What is *not* here: which lines are reported
//! (`streamgate-server`), and the SDK of Sentry, whose integrations collect more than that.

use std::io;
use std::time::Duration;

pub use sentry_types::Dsn;
use sentry_types::protocol::v7::{Envelope, Event, Level};
use streamgate_server::telemetry::{DropCounter, ErrorReports, Outbox, OutboxLimits, Report};
use ureq::Agent;

/// Reports that wait; each is a request of its own, at once.
const LIMITS: OutboxLimits = OutboxLimits {
    queue_max: 256,
    batch_max: 1,
    linger: Duration::ZERO,
};

/// How long the receiver may take to answer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The name and version that Sentry knows its clients by.
const CLIENT: &str = concat!("streamgate/", env!("CARGO_PKG_VERSION"));

/// Where reports go, and what they say of this process.
#[derive(Debug, Clone)]
pub struct SentrySettings {
    /// The address and the key of the project.
    pub dsn: Dsn,
    /// The environment, such as `production`.
    pub environment: Option<String>,
}

/// Sends error reports.
#[derive(Debug)]
pub struct SentryReports {
    outbox: Outbox<Report>,
}

impl SentryReports {
    /// Starts the thread that sends. Reports that are dropped are counted in `dropped`.
    ///
    /// # Errors
    /// The thread could not be started.
    pub fn start(settings: SentrySettings, dropped: DropCounter) -> io::Result<Self> {
        let agent: Agent = Agent::config_builder()
            .timeout_global(Some(TIMEOUT))
            .max_redirects(0)
            .build()
            .into();
        let url = settings.dsn.envelope_api_url().to_string();
        let SentrySettings { dsn, environment } = settings;
        let send = move |reports: Vec<Report>| {
            let mut envelope = Vec::new();
            for report in reports {
                let event = event(report, environment.clone());
                Envelope::from(event)
                    .to_writer(&mut envelope)
                    .map_err(|error| error.to_string())?;
            }
            let request = agent
                .post(&url)
                .header("content-type", "application/x-sentry-envelope")
                .header("x-sentry-auth", dsn.to_auth(Some(CLIENT)).to_string());
            // An error of the client names the URL at most, which has no key.
            request
                .send(&envelope[..])
                .map_or_else(|error| Err(error.to_string()), |_| Ok(()))
        };
        Ok(Self {
            outbox: Outbox::start("error-reports", LIMITS, dropped, send)?,
        })
    }
}

fn event(report: Report, environment: Option<String>) -> Event<'static> {
    let fields = report.fields.into_iter();
    Event {
        level: Level::Error,
        message: Some(report.message),
        logger: Some(report.logger.to_owned()),
        release: Some(concat!("streamgate@", env!("CARGO_PKG_VERSION")).into()),
        environment: environment.map(Into::into),
        extra: fields.map(|(name, value)| (name, value.into())).collect(),
        ..Event::default()
    }
}

impl ErrorReports for SentryReports {
    fn report(&self, report: Report) {
        self.outbox.push(report);
    }

    fn flush(&self, patience: Duration) -> bool {
        self.outbox.flush(patience)
    }
}
