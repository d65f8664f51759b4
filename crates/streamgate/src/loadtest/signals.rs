//! Ctrl-C and SIGTERM: the first ends the load, the second the process.

use std::io;
use std::thread;

use streamgate_loadgen::Stop;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::exit::{Code, Failure};
use crate::output;

/// Has signals end a run.
pub(crate) fn end_on_signals(stop: &Stop) -> Result<(), Failure> {
    let (runtime, interrupt, terminate) = install()
        .map_err(|error| Failure::new(Code::Problem, format!("no signal handlers: {error}")))?;
    let stop = stop.clone();
    // The run itself has no runtime, and is over when the process is.
    thread::spawn(move || runtime.block_on(hear(&stop, interrupt, terminate)));
    Ok(())
}

fn install() -> io::Result<(Runtime, Signal, Signal)> {
    let runtime = Builder::new_current_thread().enable_io().build()?;
    let _inside = runtime.enter();
    let interrupt = signal(SignalKind::interrupt())?;
    let terminate = signal(SignalKind::terminate())?;
    drop(_inside);
    Ok((runtime, interrupt, terminate))
}

async fn hear(stop: &Stop, mut interrupt: Signal, mut terminate: Signal) {
    let mut next = async || {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    };
    next().await;
    stop.ask();
    output::note(
        "ending; its sessions are stopped first, a second signal leaves them to their lease",
    );
    next().await;
    std::process::exit(Code::Impatient as i32);
}
