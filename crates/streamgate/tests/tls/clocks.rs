//! TLS while the wall clock is wrong.

use streamgate_testkit::faketime::WallClock;

use crate::tls::Node;

/// The TLS library counts from 1970, and its own clock panics before.
#[test]
fn a_wall_clock_that_is_set_before_1970_ends_no_connection() {
    let wall = WallClock::shifted("+0s");
    let mut node = Node::start_as(|_| Vec::new(), |command| wall.show_to(command));
    for shift in ["-70y", "+0s"] {
        wall.set(shift);
        node.server.wait_for_log("the wall clock was set");
        for version in ["1.2", "1.3"] {
            let session = format!("/v1/users/{version}/sessions/s");
            let (status, body) = node.called("PUT", &session, &["--tls-max", version]);
            assert!([200, 201].contains(&status), "{shift}: {status} {body}");
        }
    }
    let ended = node.server.terminate();
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    let fault = "a fault of Streamgate";
    assert!(!ended.stderr.contains(fault), "{}", ended.stderr);
}
