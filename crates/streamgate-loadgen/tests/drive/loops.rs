//! The two loops: what counts, from when, and what a stall does to it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, RwLock};
use std::time::Duration;

use streamgate_loadgen::{ProcessMeter, Second, Share, Span, Stop};

use crate::server::{Reply, serve, stall, status};
use crate::{SECOND, closed, drive, open, outcomes, paced, requests, run, span};

/// How long the server stalls.
const STALL: Duration = Duration::from_millis(400);

/// A server that answers at once, but stalls all its connections once, at this request.
fn stalling_at(request: u64) -> std::net::SocketAddr {
    let open = Arc::new(RwLock::new(()));
    serve(move |count, _| {
        if count == request {
            let all = open.write().unwrap();
            stall(STALL);
            drop(all);
        } else {
            drop(open.read().unwrap());
        }
        Reply::Bytes(status(200))
    })
}

#[test]
fn a_stall_is_felt_by_all_who_would_have_called_meanwhile() {
    // Due at 1,000 a second: 400 become due while nobody is answered, of which 200 wait for 200 ms
    // and more. That is a fifth of all; a loop that waits for its answers would have sent four.
    let drive = drive(stalling_at(500), 4);
    let driven = open(&drive, 1_000.0, SECOND);
    let requests = driven.record.tally().total();
    assert!(
        (999..=1_001).contains(&requests),
        "all are counted: {requests}"
    );
    assert_eq!(driven.record.tally().errors(), 0);
    let latency = driven.record.latencies().summary();
    assert!(latency.max >= 390.0, "{latency:?}");
    assert!(latency.p90 >= 190.0, "{latency:?}");
    assert!(latency.p99 >= 370.0, "{latency:?}");
    // They waited for connections, which is not the generator's fault.
    let late = &driven.record.lateness;
    assert!(late.count() <= requests - 390, "{}", late.count());
}

#[test]
fn a_closed_loop_feels_a_stall_once_a_connection() {
    let drive = drive(stalling_at(100), 4);
    let load = vec![requests(&drive)];
    let driven = run(&drive, load, Span::of(Duration::ZERO, SECOND));
    let latency = driven.record.latencies().summary();
    assert!(latency.max >= 390.0, "{latency:?}");
    // Which is why nobody should ask it for percentiles.
    assert!(latency.p90 < 190.0, "{latency:?}");
    assert_eq!(driven.record.tally().errors(), 0);
    // Nothing had a time to be late for.
    assert_eq!(driven.record.lateness.count(), 0);
    assert!(driven.elapsed >= SECOND, "{:?}", driven.elapsed);
}

#[test]
fn what_was_due_in_time_counts_though_its_answer_comes_after() {
    let address = serve(|count, _| {
        if count >= 5 {
            stall(Duration::from_millis(700));
        }
        Reply::Bytes(status(200))
    });
    let drive = drive(address, 16);
    let half = Duration::from_millis(500);
    let driven = run(
        &drive,
        vec![paced(&drive, 20.0, Share::ALL)],
        Span::of(Duration::ZERO, half),
    );
    assert_eq!(driven.record.tally().total(), 10);
    assert!(
        driven.elapsed >= Duration::from_millis(1_100),
        "{:?}",
        driven.elapsed
    );
}

#[test]
fn a_low_rate_is_not_made_a_higher_one() {
    let drive = drive(serve(|_, _| Reply::Bytes(status(200))), 1);
    // Due at once and after a second; the time runs for one and a half.
    let load = vec![paced(&drive, 1.0, Share::ALL)];
    let driven = run(&drive, load, Span::of(Duration::ZERO, SECOND * 3 / 2));
    assert_eq!(driven.record.tally().total(), 2);
    assert!(driven.elapsed >= SECOND * 3 / 2, "{:?}", driven.elapsed);
    // The first was due while its connection was free: how late it was sent is known.
    assert!(driven.record.lateness.count() >= 1);
}

#[test]
fn threads_share_the_rate_and_the_connections() {
    let drive = drive(serve(|_, _| Reply::Bytes(status(201))), 5);
    let share = |share| paced(&drive, 400.0, share);
    let loads = Share::split(2).into_iter().map(share).collect();
    let mut seconds: Vec<Second> = Vec::new();
    let driven = drive
        .run(
            loads,
            span(SECOND * 3 / 2),
            &Stop::default(),
            &mut |second| {
                seconds.push(*second);
            },
        )
        .unwrap();
    let [(outcome, requests)] = &outcomes(&driven)[..] else {
        panic!("{:?}", outcomes(&driven));
    };
    assert_eq!(outcome, "201");
    assert!((599..=601).contains(requests), "{requests}");
    let counted = seconds.iter().filter(|second| second.at_s > 0.0);
    assert_eq!(counted.map(|it| it.requests).sum::<u64>(), *requests);
    let warm_up = seconds.iter().filter(|second| second.at_s <= 0.0);
    assert!(warm_up.map(|it| it.requests).sum::<u64>() > 0);
    assert_eq!(driven.seconds, seconds[1..], "the span is what is kept");
}

#[test]
fn a_word_ends_it_early_and_what_was_measured_stays() {
    let drive = drive(serve(|_, _| Reply::Bytes(status(200))), 2);
    let (stop, asked) = (Stop::default(), AtomicBool::new(false));
    let load = vec![requests(&drive)];
    let driven = drive
        .run(
            load,
            Span::of(Duration::ZERO, SECOND * 600),
            &stop,
            &mut |_| {
                stop.ask();
                asked.store(true, Ordering::Relaxed);
            },
        )
        .unwrap();
    assert!(asked.into_inner());
    assert!(driven.record.tally().total() > 0);
    assert!(driven.elapsed < SECOND * 60, "{:?}", driven.elapsed);
}

#[test]
fn the_cost_of_a_server_is_measured_while_the_span_lasts() {
    // The server of this test is this process.
    let mut drive = drive(serve(|_, _| Reply::Bytes(status(200))), 4);
    drive.servers = vec![ProcessMeter::of(std::process::id()).unwrap()];
    let driven = closed(&drive, SECOND);
    let used = driven.servers[0];
    assert!(used.cpu_s() > 0.0 && used.resident_bytes > 0, "{used:?}");
    // The generator is in the same process, and no thread is busy for longer than there is time.
    assert!(driven.cpu > Duration::ZERO && driven.cpu <= driven.elapsed * 2);
    assert!(
        used.cpu_s() + 0.05 >= driven.cpu.as_secs_f64(),
        "{used:?} {:?}",
        driven.cpu
    );
}
