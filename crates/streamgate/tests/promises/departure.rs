//! Clients that close or reset the connection right behind their request.

use std::time::Duration;

use streamgate_clock::Stopwatch;
use streamgate_testkit::Server;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How a client leaves once its request is written.
#[derive(Debug, Clone, Copy)]
enum Leaves {
    /// FIN at once, on a connection of its own.
    Fresh,
    /// FIN at once, on a connection that has been used.
    Used,
    /// RST at once, on a connection that has been used.
    Reset,
}

/// Each kind of call, in an order in which each succeeds: its line, its body, and what counts it.
/// `USER` stands for the user.
const CALLS: [(&str, &str, &str); 7] = [
    (
        "PUT /v1/users/USER",
        "{\"limit\":2}",
        "method=\"PUT\",route=\"/v1/users/{user_id}\",status=\"200\"",
    ),
    (
        "PUT /v1/users/USER/sessions/s",
        "{\"device_id\":\"tv\"}",
        "method=\"PUT\",route=\"/v1/users/{user_id}/sessions/{session_id}\",status=\"201\"",
    ),
    (
        "POST /v1/users/USER/sessions/s/heartbeat",
        "",
        "method=\"POST\",route=\"/v1/users/{user_id}/sessions/{session_id}/heartbeat\",status=\"200\"",
    ),
    (
        "POST /v1/heartbeats",
        "{\"heartbeats\":[{\"user_id\":\"USER\",\"session_id\":\"s\"}]}",
        "method=\"POST\",route=\"/v1/heartbeats\",status=\"200\"",
    ),
    (
        "DELETE /v1/users/USER/sessions/s",
        "",
        "method=\"DELETE\",route=\"/v1/users/{user_id}/sessions/{session_id}\",status=\"204\"",
    ),
    (
        "GET /compat/user-streams/user-streams/USER/d",
        "",
        "method=\"GET\",route=\"/compat/user-streams/user-streams/{userId}/{sessionId}\",status=\"200\"",
    ),
    (
        "POST /v1/users/USER/sessions/d/stop",
        "bye",
        "method=\"POST\",route=\"/v1/users/{user_id}/sessions/{session_id}/stop\",status=\"204\"",
    ),
];

/// Makes each call for so many users, three times: with each way of leaving. Each must be carried
/// out, though no client waits for any answer.
pub(crate) async fn every_call_is_carried_out(server: &Server, users: usize) {
    let mut sent = 0;
    for leaves in [Leaves::Fresh, Leaves::Used, Leaves::Reset] {
        sent += users;
        for (line, body, counted) in CALLS {
            for i in 0..users {
                let user = format!("{leaves:?}-{i}");
                let (line, body) = (line.replace("USER", &user), body.replace("USER", &user));
                send_and_leave(server, leaves, &line, &body).await;
            }
            wait_for(server, counted, sent, &format!("{leaves:?}, {line}")).await;
        }
    }
}

async fn send_and_leave(server: &Server, leaves: Leaves, line: &str, body: &str) {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    if !matches!(leaves, Leaves::Fresh) {
        let ask = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n";
        stream.write_all(ask).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"}") {
            stream.read_buf(&mut answer).await.unwrap();
        }
    }
    let length = body.len();
    let request = format!(
        "{line} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    if matches!(leaves, Leaves::Reset) {
        stream.set_zero_linger().unwrap();
    }
}

/// Waits until so many answers with these labels are counted.
async fn wait_for(server: &Server, labels: &str, count: usize, what: &str) {
    let waited = Stopwatch::start();
    let line = format!("streamgate_http_request_duration_seconds_count{{{labels}}} ");
    loop {
        let page = server.call("GET", "/metrics", None).text;
        let found = page.lines().find_map(|found| found.strip_prefix(&*line));
        let found = found.unwrap_or("nothing");
        if found == count.to_string() {
            return;
        }
        let is_late = waited.elapsed() > Duration::from_secs(30);
        assert!(!is_late, "{what}: {found} of {count} were carried out");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
