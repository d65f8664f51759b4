//! Lambda freezes an instance between events, and thaws it hours later.

use std::time::Duration;

use rustix::process::Signal;
use streamgate_clock::Stopwatch;
use streamgate_testkit::{call, pause};

use super::Function;

/// The lease, and what a table adds to it for the clocks of other nodes.
const LEASE: Duration = Duration::from_secs(5 + 5);

/// A server that stood still would keep these sessions for one lease more. An instance that was
/// frozen must not: players that vanished would hold their slots for ever.
#[test]
fn a_freeze_prolongs_no_lease() {
    let settings = [
        ("STREAMGATE_ALLOW_ANONYMOUS", "true"),
        ("STREAMGATE_POLICY_LEASE_S", "5"),
        ("STREAMGATE_POLICY_HEARTBEAT_INTERVAL_S", "1"),
    ];
    let function = Function::with(1, &settings);
    let address = function.behind_http_api().address;
    let start = |id: &str| {
        call(
            address,
            "PUT",
            &format!("/v1/users/u/sessions/{id}"),
            None,
            None,
        )
    };
    for id in ["a", "b", "c"] {
        assert_eq!(start(id).status, 201);
    }
    assert_eq!(start("d").status, 409);
    let instance = &function.instances[0];
    instance.signal(Signal::STOP);
    let frozen = Stopwatch::start();
    while frozen.elapsed() < LEASE + Duration::from_secs(1) {
        pause();
    }
    instance.signal(Signal::CONT);
    let answer = start("d");
    assert_eq!(answer.status, 201, "{answer:?}");
}
