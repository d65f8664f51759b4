//! Bare axum, as its own documentation writes a server: the least that a server in front of
//! Streamgate's work must do, which is to read a start as JSON and to answer in JSON.
//!
//! It is a process of its own (`streamgate-measure bare`), so that its cost can be measured. It
//! decides nothing and keeps nothing: every start is admitted, every heartbeat renews.

mod shape;

use std::io::Write as _;

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{post, put};
use axum::serve::ListenerExt as _;
use axum::{Json, Router};
use tokio::net::TcpListener;

use crate::Result;
use shape::{HeartbeatAnswer, StartAnswer, StartBody};

/// Threads that serve: the processors of the machine on which the figures were first taken.
const WORKERS: usize = 2;

/// Serves until the process is killed. Prints its address first, as Streamgate does.
pub(crate) fn run() -> Result<String> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let mut stdout = std::io::stdout();
        writeln!(stdout, "listening on http://{}", listener.local_addr()?)?;
        stdout.flush()?;
        serve(listener).await?;
        Ok(String::new())
    })
}

async fn serve(listener: TcpListener) -> Result<()> {
    let session = "/v1/users/{user}/sessions/{session}";
    let app = Router::new()
        .route(session, put(start).delete(stop))
        .route(&format!("{session}/heartbeat"), post(heartbeat));
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            // Answers would wait for more to send, and the figures would be of that.
            panic!("TCP_NODELAY could not be set: {error}");
        }
    });
    Ok(axum::serve(listener, app).await?)
}

async fn start(
    Path((user, session)): Path<(String, String)>,
    Json(body): Json<StartBody>,
) -> Response {
    let answer = StartAnswer::new(&user, &session, &body);
    (StatusCode::CREATED, Json(answer)).into_response()
}

async fn heartbeat(Path((_, session)): Path<(String, String)>) -> Response {
    Json(HeartbeatAnswer::new(&session)).into_response()
}

async fn stop() -> StatusCode {
    StatusCode::NO_CONTENT
}
