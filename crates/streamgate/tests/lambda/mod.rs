//! The function on AWS Lambda: the real binary, between stand-ins of the Runtime API and of API
//! Gateway, over an emulator of DynamoDB.

mod calls;
mod dialects;
mod events;
mod freeze;
mod gateway;
mod http;
mod permissions;
mod race;
mod refused;
mod runtime_api;
mod store;

use std::process::Command;

use streamgate_testkit::{Process, Server, streamgate};

use crate::nodes::dynamodb::{as_aws, table};
use gateway::{Gateway, Kind};
use runtime_api::RuntimeApi;

/// Settings for a function without keys.
const OPEN: [(&str, &str); 1] = [("STREAMGATE_ALLOW_ANONYMOUS", "true")];

/// A function: instances that take their events from one Runtime API, over one table.
struct Function {
    api: RuntimeApi,
    instances: Vec<Server>,
    _emulator: Process,
}

impl Function {
    /// One instance without keys.
    fn start() -> Self {
        Self::with(1, &OPEN)
    }

    /// So many instances with these settings, as variables.
    fn with(count: usize, settings: &[(&str, &str)]) -> Self {
        let emulator = table();
        let api = RuntimeApi::start();
        let instance = || Server::spawn_logging(bootstrap(&api, emulator.port, settings));
        Self {
            instances: (0..count).map(|_| instance()).collect(),
            api,
            _emulator: emulator,
        }
    }

    /// A gateway in front of it.
    fn behind(&self, kind: Kind, stage: &'static str) -> Gateway {
        Gateway::start(kind, stage, &self.api)
    }

    /// A gateway as the template has it.
    fn behind_http_api(&self) -> Gateway {
        self.behind(Kind::HttpApi, gateway::DEFAULT_STAGE)
    }
}

/// The program as Lambda starts it, with the table `sessions` behind this port.
fn bootstrap(api: &RuntimeApi, port: u16, settings: &[(&str, &str)]) -> Command {
    let mut command = as_aws(streamgate(&[]));
    command
        .env("AWS_LAMBDA_RUNTIME_API", api.host())
        .env("AWS_LAMBDA_FUNCTION_NAME", "streamgate-test")
        .env("STREAMGATE_STORE_URL", "dynamodb://sessions")
        .env(
            "STREAMGATE_STORE_DYNAMODB_ENDPOINT",
            format!("http://127.0.0.1:{port}"),
        )
        .env("STREAMGATE_ENGINE_DEADLINE_MS", "30000")
        .envs(settings.iter().copied());
    command
}
