//! Bare axum, as its own documentation writes a server.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{post, put};
use axum::serve::ListenerExt as _;
use axum::{Json, Router};
use tokio::net::TcpListener;

use super::shape::{HeartbeatAnswer, StartAnswer, StartBody};
use crate::Result;

/// Serves until the process is ended.
pub(super) async fn serve(listener: TcpListener) -> Result<()> {
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
