//! Clients that close or reset the connection right behind their request, or close their sending
//! side only.

use std::net::SocketAddr;
use std::time::Duration;

use streamgate_clock::Stopwatch;
use streamgate_testkit::Server;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// How a client leaves once its request is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Leaves {
    /// FIN at once, on a connection of its own.
    Fresh,
    /// RST at once, on a connection of its own.
    FreshReset,
    /// FIN at once, on a connection that has been used.
    Used,
    /// RST at once, on a connection that has been used.
    UsedReset,
    /// Shuts down its sending side, and reads the answer.
    HalfClosed,
}

/// Every way to leave.
const WAYS: [Leaves; 5] = [
    Leaves::Fresh,
    Leaves::FreshReset,
    Leaves::Used,
    Leaves::UsedReset,
    Leaves::HalfClosed,
];

/// How many clients call at a time.
const AT_ONCE: usize = 8;

/// Each kind of call, in an order in which each succeeds and no session is left: method, status,
/// path with the names of the route, body.
const CALLS: [&str; 9] = [
    r#"PUT 200 /v1/users/{user_id} {"limit":2}"#,
    r#"PUT 201 /v1/users/{user_id}/sessions/{session_id} {"device_id":"tv"}"#,
    "POST 200 /v1/users/{user_id}/sessions/{session_id}/heartbeat",
    r#"POST 200 /v1/heartbeats {"heartbeats":[{"user_id":"{user_id}","session_id":"s"}]}"#,
    "DELETE 204 /v1/users/{user_id}/sessions/{session_id}",
    "GET 200 /compat/user-streams/user-streams/{userId}/{sessionId}",
    "POST 204 /v1/users/{user_id}/sessions/{session_id}/stop bye",
    "POST 200 /compat/session-tracker/add-session?user_id={user_id}",
    "POST 200 /compat/session-tracker/remove-session?user_id={user_id}",
];

/// A kind of call.
#[derive(Debug, Clone, Copy)]
struct Call {
    method: &'static str,
    /// Of its answer.
    status: u16,
    path: &'static str,
    body: &'static str,
}

impl Call {
    /// A line of [`CALLS`].
    fn of(line: &'static str) -> Self {
        let mut parts = line.splitn(4, ' ');
        let mut next = || parts.next().unwrap_or_default();
        Self {
            method: next(),
            status: next().parse().unwrap(),
            path: next(),
            body: next(),
        }
    }

    /// The request about a user.
    fn request(self, user: &str) -> String {
        let filled = |text: &str| {
            text.replace("{user_id}", user)
                .replace("{userId}", user)
                .replace("{session_id}", "s")
                .replace("{sessionId}", "s")
        };
        let (path, body) = (filled(self.path), filled(self.body));
        format!(
            "{} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            self.method,
            body.len()
        )
    }
}

/// Makes each call for so many users with each of the five ways to leave. Each must be carried out,
/// though a client of four of these ways waits for no answer; one of the fifth gets it.
pub(crate) async fn every_call_is_carried_out(server: &Server, users: usize) {
    let mut sent = 0;
    for leaves in WAYS {
        sent += users;
        for call in CALLS.map(Call::of) {
            let mut clients = JoinSet::new();
            for first in 0..AT_ONCE {
                let (address, mine) = (server.address, (first..users).step_by(AT_ONCE));
                clients.spawn(async move {
                    for i in mine {
                        call.send_and_leave(address, leaves, i).await;
                    }
                });
            }
            clients.join_all().await;
            call.wait_until_counted(server, sent, leaves).await;
        }
    }
}

impl Call {
    /// Makes the call for user number `i`.
    async fn send_and_leave(self, address: SocketAddr, leaves: Leaves, i: usize) {
        let mut stream = TcpStream::connect(address).await.unwrap();
        // What is written is sent at once: a reset would discard the rest.
        stream.set_nodelay(true).unwrap();
        if matches!(leaves, Leaves::Used | Leaves::UsedReset) {
            let ask = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n";
            stream.write_all(ask).await.unwrap();
            let mut answer = Vec::new();
            while !answer.ends_with(b"}") {
                stream.read_buf(&mut answer).await.unwrap();
            }
        }
        let request = self.request(&format!("{leaves:?}-{i}"));
        stream.write_all(request.as_bytes()).await.unwrap();
        match leaves {
            Leaves::Fresh | Leaves::Used => {}
            Leaves::FreshReset | Leaves::UsedReset => stream.set_zero_linger().unwrap(),
            Leaves::HalfClosed => {
                stream.shutdown().await.unwrap();
                let mut answer = String::new();
                stream.read_to_string(&mut answer).await.unwrap();
                let right = format!("HTTP/1.1 {} ", self.status);
                assert!(answer.starts_with(&right), "{request}: {answer}");
            }
        }
    }

    /// Waits until so many answers of this kind are counted.
    async fn wait_until_counted(self, server: &Server, count: usize, leaves: Leaves) {
        let waited = Stopwatch::start();
        let route = self.path.split('?').next().unwrap_or_default();
        let line = format!(
            "streamgate_http_request_duration_seconds_count\
             {{method=\"{}\",route=\"{route}\",status=\"{}\"}} ",
            self.method, self.status
        );
        loop {
            let page = server.call("GET", "/metrics", None).text;
            let found = page.lines().find_map(|found| found.strip_prefix(&*line));
            let found = found.unwrap_or("nothing");
            if found == count.to_string() {
                return;
            }
            let is_late = waited.elapsed() > Duration::from_secs(30);
            assert!(
                !is_late,
                "{leaves:?}, {self:?}: {found} of {count} were carried out"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}
