//! Bare hyper: its connection loop, and a match for a router.

use std::convert::Infallible;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use tokio::net::TcpListener;

use super::shape::{HeartbeatAnswer, StartAnswer, StartBody};
use crate::Result;

/// Serves until the process is ended.
pub(super) async fn serve(listener: TcpListener) -> Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let service = service_fn(|request| async { Ok::<_, Infallible>(answer(request).await) });
        // A connection ends when its client has had enough; how is no news.
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

async fn answer(request: Request<Incoming>) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let Ok(body) = body.collect().await else {
        return empty(StatusCode::BAD_REQUEST);
    };
    let mut segments = head.uri.path().split('/');
    let path = ["", "v1", "users"].map(|_| segments.next().unwrap_or_default());
    let (user, sessions) = (segments.next(), segments.next());
    let (session, end) = (segments.next(), segments.next());
    let (["", "v1", "users"], Some(user), Some("sessions"), Some(session), None) =
        (path, user, sessions, session, segments.next())
    else {
        return empty(StatusCode::NOT_FOUND);
    };
    match (head.method, end) {
        (Method::PUT, None) => match serde_json::from_slice::<StartBody>(&body.to_bytes()) {
            Ok(body) => json(StatusCode::CREATED, &StartAnswer::new(user, session, &body)),
            Err(_) => empty(StatusCode::BAD_REQUEST),
        },
        (Method::POST, Some("heartbeat")) => json(StatusCode::OK, &HeartbeatAnswer::new(session)),
        (Method::DELETE, None) => empty(StatusCode::NO_CONTENT),
        _ => empty(StatusCode::NOT_FOUND),
    }
}

fn json<T: Serialize>(status: StatusCode, value: &T) -> Response<Full<Bytes>> {
    let bytes = serde_json::to_vec(value).expect("answers have text as keys");
    let mut response = Response::new(Full::new(bytes.into()));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

fn empty(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}
