//! The Runtime API of Lambda, version 2018-06-01: an event is fetched, and its answer is sent.

use serde_json::json;
use ureq::Agent;
use ureq::http::Response;

use crate::exit::{Code, Failure};

/// Longest event that is read. Lambda's own limit is 6 MB.
const EVENT_MAX_BYTES: u64 = 16 * 1024 * 1024;

/// The header with the id of an invocation.
const ID: &str = "lambda-runtime-aws-request-id";

/// A client of the Runtime API.
#[derive(Debug)]
pub(super) struct RuntimeApi {
    agent: Agent,
    /// Its URL, up to the version.
    url: String,
}

/// An event to answer.
#[derive(Debug)]
pub(super) struct Invocation {
    /// The id of the invocation.
    pub(super) id: String,
    /// The event, as JSON.
    pub(super) event: Vec<u8>,
}

impl RuntimeApi {
    /// The API at this host and port. There are no timeouts: the next event may take hours, and the
    /// process may be frozen at any time.
    pub(super) fn at(host: &str) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .proxy(None)
            .user_agent(concat!("streamgate/", env!("CARGO_PKG_VERSION")))
            .build();
        Self {
            agent: config.new_agent(),
            url: format!("http://{host}/2018-06-01/runtime"),
        }
    }

    /// Waits for the next event.
    pub(super) fn next(&self) -> Result<Invocation, Failure> {
        let url = format!("{}/invocation/next", self.url);
        let mut response = self
            .agent
            .get(&url)
            .call()
            .map_err(|error| failed(&error))?;
        accepted(&response)?;
        let id = response.headers().get(ID).and_then(|id| id.to_str().ok());
        let id = id
            .map(str::to_owned)
            .ok_or_else(|| failed(&"an event without an id"))?;
        let body = response.body_mut().with_config().limit(EVENT_MAX_BYTES);
        let event = body.read_to_vec().map_err(|error| failed(&error))?;
        Ok(Invocation { id, event })
    }

    /// Sends the answer to an event. One that Lambda no longer takes, because its time was over, is
    /// logged.
    pub(super) fn answer(&self, id: &str, answer: &[u8]) -> Result<(), Failure> {
        self.report(&format!("invocation/{id}/response"), answer)
    }

    /// Reports that an event was not answered.
    pub(super) fn fail(&self, id: &str, kind: &str, message: &str) -> Result<(), Failure> {
        self.report(&format!("invocation/{id}/error"), &error(kind, message))
    }

    /// Reports that the function cannot start.
    pub(super) fn fail_to_start(&self, message: &str) -> Result<(), Failure> {
        self.report("init/error", &error("Streamgate.NotStarted", message))
    }

    fn report(&self, path: &str, body: &[u8]) -> Result<(), Failure> {
        let url = format!("{}/{path}", self.url);
        let request = self.agent.post(&url).content_type("application/json");
        let response = request.send(body).map_err(|error| failed(&error))?;
        if let Err(refused) = accepted(&response) {
            tracing::error!(reason = refused.message(), "an answer was not taken");
        }
        Ok(())
    }
}

/// An error as the Runtime API takes it.
fn error(kind: &str, message: &str) -> Vec<u8> {
    json!({ "errorType": kind, "errorMessage": message })
        .to_string()
        .into_bytes()
}

fn accepted<T>(response: &Response<T>) -> Result<(), Failure> {
    match response.status() {
        status if status.is_success() => Ok(()),
        status => Err(failed(&format_args!("it answered {status}"))),
    }
}

fn failed(why: &dyn std::fmt::Display) -> Failure {
    let message = format!("the Runtime API of AWS Lambda cannot be used: {why}");
    Failure::new(Code::Problem, message)
}
