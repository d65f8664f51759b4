//! The function: takes events from the Runtime API, one at a time, and answers them.
//!
//! Lambda freezes the process between events, so nothing may depend on time that passes meanwhile.
//! There is no sweep, no reconciliation and no reload; what a server does in the background is done
//! behind an answer here, if it is due. `docs/adr/0018-lambda.md` says why no crate does this.

mod answer;
mod event;
mod function;
mod metric_lines;
mod runtime_api;
mod upkeep;

use std::sync::Arc;

use streamgate_engine::FailMode;
use tokio::runtime::Runtime;
use tokio::select;
use tokio::task::spawn_blocking;

use self::function::Function;
use self::runtime_api::{Invocation, RuntimeApi};
use crate::commands::settings_args::load_or_fail;
use crate::config::sections::store::{StoreSettings, TableSettings};
use crate::config::{Settings, Sources};
use crate::exit::{Code, Failure};
use crate::serve::exposure;
use crate::serve::signals::Stops;
use crate::serve::start_log;

/// Answers events until Lambda ends the process.
pub(crate) fn run(api: &str, sources: Sources) -> Result<(), Failure> {
    let api = Arc::new(RuntimeApi::at(api));
    let runtime = runtime()?;
    let started = runtime.block_on(start(sources));
    let (mut function, stops) = started.inspect_err(|failure| {
        // Lambda shows it to those that invoke the function.
        if let Err(unreported) = api.fail_to_start(failure.message()) {
            tracing::error!(
                reason = unreported.message(),
                "the failure was not reported"
            );
        }
    })?;
    let ended = runtime.block_on(answer_events(&api, &mut function, stops));
    // The request for the next event waits in a thread of the runtime, and has no timeout.
    runtime.shutdown_background();
    function.end();
    ended
}

/// One thread: an instance has one event at a time.
fn runtime() -> Result<Runtime, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Code::Problem, format!("no runtime: {error}")))
}

async fn start(sources: Sources) -> Result<(Function, Stops), Failure> {
    let loaded = load_or_fail(sources)?;
    let table = check(&loaded.settings)?;
    let repeats = start_log(&loaded, None)?;
    let stops = Stops::install()
        .map_err(|error| Failure::new(Code::Problem, format!("no signal handlers: {error}")))?;
    let function = Function::start(&loaded.settings, table, repeats).await?;
    Ok((function, stops))
}

/// Refuses settings that an instance cannot keep. Returns its table.
fn check(settings: &Settings) -> Result<&TableSettings, Failure> {
    let refused = |message: &str, hint: &str| {
        let message = format!("on AWS Lambda {message}");
        Err(Failure::new(Code::Usage, message).hint(hint))
    };
    let StoreSettings::DynamoDb(table) = &settings.store else {
        return refused(
            "store.url must be a table: an instance keeps no data, and many run at the same time",
            "set STREAMGATE_STORE_URL=dynamodb://TABLE",
        );
    };
    if settings.fail_mode == FailMode::Open {
        return refused(
            "engine.fail_mode must be closed: an instance that is frozen cannot write to the table \
             later what it admitted without it",
            "remove STREAMGATE_ENGINE_FAIL_MODE",
        );
    }
    if exposure::is_open(settings) && !settings.general.allow_anonymous {
        return refused(
            "API keys are needed: anyone who can reach the API could start and end all sessions",
            "make a key with `streamgate key new` and set STREAMGATE_KEYS; or, if an authorizer \
             stands in front of every route, STREAMGATE_ALLOW_ANONYMOUS=true",
        );
    }
    Ok(table)
}

/// Takes events and answers them, until a signal comes between two of them.
async fn answer_events(
    api: &Arc<RuntimeApi>,
    function: &mut Function,
    mut stops: Stops,
) -> Result<(), Failure> {
    loop {
        let next = spawn_blocking({
            let api = Arc::clone(api);
            move || api.next()
        });
        let Invocation { id, event } = select! {
            biased;
            signal = stops.next() => {
                tracing::info!(signal, "told to stop; exiting");
                return Ok(());
            }
            next = next => next.map_err(|error| {
                Failure::new(Code::Problem, format!("the thread for events has failed: {error}"))
            })??,
        };
        match function.answer(event).await {
            Ok(answer) => api.answer(&id, &answer)?,
            Err(error) => {
                tracing::error!(kind = error.kind(), reason = %error, "an event was not answered");
                api.fail(&id, error.kind(), &error.to_string())?;
            }
        }
        function.keep_up().await;
    }
}
