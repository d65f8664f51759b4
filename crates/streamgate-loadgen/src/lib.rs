//! A load generator for HTTP/1.1 servers, and reports of what it measured.
//!
//! [`Drive`] sends a [`Load`] over keep-alive connections and counts the outcomes: any
//! requests, to any server. [`run`] does it with the sessions of a Streamgate server, from the
//! first start to the last stop. [`report`] formats the figures.
//!
//! It usually shares the machine with the server. So it is cheap (one thread, no runtime, no
//! allocation per request), and it reports its own cost and lateness.
//!
//! What is *not* here: internals of the server; flags and tables (the
//! binary's `loadtest`); comparisons with other servers (the repository's `measure/`).

mod answer;
mod api;
mod clock;
mod connection;
mod drive;
pub mod figures;
mod latency;
mod load;
mod messages;
mod pace;
mod population;
mod process;
mod record;
pub mod report;
mod run;
mod stream;
mod summary;
mod target;
mod worker;
pub mod workload;

pub use answer::Answer;
pub use api::{Api, BadKey};
pub use drive::{Drive, DriveError, Driven, TIMEOUT};
pub use latency::{Latencies, LatencyMs, Quantile};
pub use load::{Due, Ended, Fault, Left, Load, Nanos, Outcome, Sent, Tally};
pub use messages::Stop;
pub use pace::{Pace, Paced, Share};
pub use population::{BadPrefix, PREFIX_MAX_BYTES, Population, Session};
pub use process::{ProcessMeter, ProcessReading, ProcessUse};
pub use record::{KindRecord, Record, Second, Span};
pub use run::{
    CLEANUP_MAX, Called, Cleanup, DURATION_MAX, Origin, Plan, Ramp, RunError, Stage, Summary, run,
};
pub use summary::{BUSY, Generator, KindSummary, Measured, ServerSummary};
pub use target::{Target, TargetError};
