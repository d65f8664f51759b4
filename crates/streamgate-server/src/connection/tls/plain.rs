//! The answer to a request in clear text where TLS is spoken: 400, in clear text too.
//!
//! Its client would else see a connection that is closed without a word.

use std::io;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::connection::delivery::Delivery;
use crate::problem::{Code, Problem};

/// Most bytes of the request that are read, so that the answer is not lost with them: a socket that
/// is closed with unread bytes is reset.
const READ_MAX_BYTES: u64 = 64 * 1024;

/// Answers, and reads until the client closes the connection.
pub(super) async fn answer(delivery: &mut Delivery) -> io::Result<()> {
    let problem = Problem::new(
        Code::InvalidRequest,
        "this port speaks TLS, and the request is in clear text: use https",
    );
    let body = serde_json::to_string(&problem).map_err(io::Error::other)?;
    let answer = format!(
        "HTTP/1.1 400 Bad Request\r\ncontent-type: application/problem+json\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    delivery.write_all(answer.as_bytes()).await?;
    delivery.shutdown().await?;
    let mut rest = delivery.take(READ_MAX_BYTES);
    tokio::io::copy(&mut rest, &mut tokio::io::sink()).await?;
    Ok(())
}
