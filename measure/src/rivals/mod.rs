//! The least that a server in front of Streamgate's work must do: take a start as JSON and answer
//! in JSON. What it costs is the ceiling that Streamgate is held against.
//!
//! Each is a process of its own (`streamgate-measure rival axum`), so that what is measured of it is
//! its own cost. They decide nothing and keep nothing: every start is admitted, every heartbeat
//! renews.

mod axum;
mod hyper;
mod shape;

use std::io::Write as _;

use tokio::net::TcpListener;

use crate::Result;

/// Threads that serve, as many as the machine has on which the figures were first taken.
const WORKERS: usize = 2;

/// A server to be held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Rival {
    /// axum, with its own connection loop.
    Axum,
    /// hyper, with a match for a router.
    Hyper,
}

/// Serves until the process is ended. Says first where, as Streamgate does.
pub(crate) fn run(rival: Rival) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let mut stdout = std::io::stdout();
        writeln!(stdout, "listening on http://{}", listener.local_addr()?)?;
        stdout.flush()?;
        match rival {
            Rival::Axum => axum::serve(listener).await,
            Rival::Hyper => hyper::serve(listener).await,
        }
    })
}
