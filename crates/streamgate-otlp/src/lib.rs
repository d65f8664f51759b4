//! Traces to an OpenTelemetry collector: OTLP, protobuf over HTTP.
//!
//! The server makes a [`Span`] for each request that is recorded; here it is queued, encoded and
//! posted by a thread of its own. What does not fit into the queue or cannot be sent is dropped and
//! counted.
//!
//! What is *not* here: what a span holds (`streamgate-server`), and the SDK of OpenTelemetry, whose
//! own queue does not count what it drops.

mod encode;
mod messages;

use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use prost::Message as _;
use streamgate_server::telemetry::{DropCounter, Outbox, OutboxLimits, Span, Tracer};
use ureq::Agent;

/// Spans that wait, spans of one request to the collector, and how long a batch waits for more.
const LIMITS: OutboxLimits = OutboxLimits {
    queue_max: 4_096,
    batch_max: 512,
    linger: Duration::from_secs(1),
};

/// How long the collector may take to answer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Where traces go, and which requests are recorded.
#[derive(Debug, Clone)]
pub struct OtlpSettings {
    /// The URL of the collector, with its path: `http://collector:4318/v1/traces`.
    pub endpoint: String,
    /// Headers of each request to it, such as a key.
    pub headers: Vec<(String, String)>,
    /// One of this many requests is recorded; 0 for none.
    pub one_in: u32,
    /// Whether the flag of a valid `traceparent` decides instead.
    pub trusts_callers: bool,
}

/// Exports the spans of recorded requests.
#[derive(Debug)]
pub struct OtlpTracer {
    one_in: u32,
    trusts_callers: bool,
    requests: AtomicU32,
    outbox: Outbox<Span>,
}

impl OtlpTracer {
    /// Starts the thread that sends. Spans that are dropped are counted in `dropped`.
    ///
    /// # Errors
    /// The thread could not be started.
    pub fn start(settings: OtlpSettings, dropped: DropCounter) -> io::Result<Self> {
        let (one_in, trusts_callers) = (settings.one_in, settings.trusts_callers);
        let agent: Agent = Agent::config_builder()
            .timeout_global(Some(TIMEOUT))
            .max_redirects(0)
            .build()
            .into();
        let send = move |spans: Vec<Span>| post(&agent, &settings, &spans);
        Ok(Self {
            one_in,
            trusts_callers,
            requests: AtomicU32::new(0),
            outbox: Outbox::start("trace-export", LIMITS, dropped, send)?,
        })
    }
}

fn post(agent: &Agent, settings: &OtlpSettings, spans: &[Span]) -> Result<(), String> {
    let body = encode::request(spans).encode_to_vec();
    let mut request = agent
        .post(&settings.endpoint)
        .header("content-type", "application/x-protobuf");
    for (name, value) in &settings.headers {
        request = request.header(name, value);
    }
    // An error of the client names the URL at most; a header could hold a key.
    request
        .send(&body[..])
        .map_or_else(|error| Err(error.to_string()), |_| Ok(()))
}

impl Tracer for OtlpTracer {
    fn samples(&self, caller_records: Option<bool>) -> bool {
        match caller_records {
            Some(records) if self.trusts_callers => records,
            _ if self.one_in == 0 => false,
            _ => {
                let request = self.requests.fetch_add(1, Ordering::Relaxed);
                request.is_multiple_of(self.one_in)
            }
        }
    }

    fn ended(&self, span: Span) {
        self.outbox.push(span);
    }

    fn flush(&self, patience: Duration) -> bool {
        self.outbox.flush(patience)
    }
}
