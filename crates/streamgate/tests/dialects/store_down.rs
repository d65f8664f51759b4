//! The error of each dialect while the disk does not answer in time: never one that a client may
//! take for an admission.

use streamgate_testkit::{Server, call, eventually, serve_arguments, streamgate, tampered};
use tempfile::TempDir;

use crate::dialects::ask::Ask;
use crate::dialects::call::Call;
use crate::dialects::dialect::Dialect;
use crate::dialects::shape;

/// A server that waits ten seconds for its disk each time, from some moment on. No call waits that
/// long, unless the server stands still meanwhile.
fn serve_on_a_disk_that_slows_down(data_dir: &TempDir) -> Server {
    let mut command = streamgate(&serve_arguments(data_dir.path()));
    command.args(["--set", "engine.deadline_ms=1000"]);
    Server::spawn(tampered("fdatasync:delay_enter=10s:when=20+", &command))
}

#[test]
fn each_dialect_has_its_error_for_an_unavailable_store() {
    let dir = TempDir::new().unwrap();
    let server = serve_on_a_disk_that_slows_down(&dir);
    let send = |ask: &Ask| {
        call(
            server.address,
            ask.method,
            &ask.path,
            None,
            ask.body.as_ref(),
        )
    };
    let introduction = Dialect::StreamRequests.introduction("known").unwrap();
    eventually("a user is known", || send(&introduction).status == 200);
    let slow = (0..100).find(|i| {
        let path = format!("/v1/users/u{i}/sessions/s");
        send(&Ask::new("PUT", path)).status == 503
    });
    assert!(slow.is_some(), "the disk never slowed down");

    for dialect in Dialect::ALL {
        let answer = send(&dialect.start("known", "s"));
        let status = match dialect {
            Dialect::SessionTracker => 500,
            Dialect::ConcurrencyService => 502,
            _ => 503,
        };
        assert_eq!(answer.status, status, "{dialect:?}: {answer:?}");
        shape::check(dialect, &answer).unwrap();
        if dialect == Dialect::ConcurrencyService {
            // To the byte: what a gateway says of a function that failed.
            assert_eq!(answer.text, r#"{"message": "Internal server error"}"#);
        }
    }
    for (dialect, ask) in [
        (Dialect::SessionTracker, Call::StopNewest),
        (Dialect::UserStreams, Call::Forget(Dialect::UserStreams)),
        (
            Dialect::StreamRequests,
            Call::Forget(Dialect::StreamRequests),
        ),
        (Dialect::StreamRequests, Call::Create),
    ] {
        let answer = send(&ask.ask("known"));
        assert!(answer.status >= 500, "{ask:?}: {answer:?}");
        shape::check(dialect, &answer).unwrap();
    }
}
