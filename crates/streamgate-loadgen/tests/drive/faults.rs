//! Servers that close, drip, fall silent and vanish: everything is counted, and nothing hangs.

use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use streamgate_loadgen::{DriveError, Share, Span, Stop};

use crate::server::{Reply, nobody, serve, status};
use crate::{SECOND, closed, drive, open, outcomes, paced, requests, run};

#[test]
fn statuses_are_counted_by_their_number() {
    let address = serve(|count, _| match count % 3 {
        0 => Reply::Bytes(status(200)),
        1 => Reply::Bytes(status(409)),
        _ => Reply::Bytes(status(503)),
    });
    let driven = open(&drive(address, 2), 300.0, SECOND / 2);
    let names: Vec<String> = outcomes(&driven)
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(names, ["200", "409", "503"]);
    let tally = driven.record.tally();
    assert!(tally.errors() * 3 >= tally.total() * 2 - 6, "{tally:?}");
    assert_eq!(driven.record.connections_lost, 0);
}

#[test]
fn a_request_whose_connection_is_closed_is_an_error_and_the_next_has_another() {
    let address = serve(|count, _| match count % 10 {
        3 => Reply::Close,
        7 => Reply::Last("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf".to_owned()),
        9 => Reply::Bytes("what?\r\n\r\n".to_owned()),
        _ => Reply::Bytes(status(200)),
    });
    let driven = open(&drive(address, 2), 200.0, SECOND);
    let tally = driven.record.tally();
    let outcomes = outcomes(&driven);
    let of = |name: &str| {
        outcomes
            .iter()
            .find(|(it, _)| it == name)
            .map_or(0, |it| it.1)
    };
    // Two in ten are closed on; which of them fall into the span is a matter of chance.
    assert!((35..=45).contains(&of("closed")), "{outcomes:?}");
    assert!((16..=24).contains(&of("malformed")), "{outcomes:?}");
    assert_eq!(of("200") + of("closed") + of("malformed"), tally.total());
    assert!(
        driven.record.connections_lost >= tally.errors(),
        "{:?}",
        driven.record
    );
}

#[test]
fn a_server_that_takes_one_request_a_connection_is_no_error() {
    let last = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok";
    let until_end = "HTTP/1.1 200 OK\r\n\r\nall of it";
    for answer in [last, until_end] {
        let address = serve(move |_, _| Reply::Last(answer.to_owned()));
        let driven = closed(&drive(address, 4), SECOND);
        assert!(driven.record.tally().total() > 8, "{:?}", driven.record);
        assert_eq!(driven.record.tally().errors(), 0, "{:?}", outcomes(&driven));
        assert_eq!(driven.record.connections_lost, 0);
    }
}

#[test]
fn answers_may_come_in_pieces_and_be_long() {
    let body = "x".repeat(100_000);
    let address = serve(move |count, _| {
        let whole = match count % 2 {
            0 => format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            ),
            _ => format!(
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
                body.len()
            ),
        };
        let (first, rest) = whole.split_at(11);
        let (second, rest) = rest.split_at(40_000);
        Reply::Parts([first, second, rest].map(str::to_owned).to_vec())
    });
    let driven = open(&drive(address, 2), 50.0, SECOND / 2);
    assert_eq!(outcomes(&driven), [("200".to_owned(), 25)]);
}

#[test]
fn an_answer_that_does_not_come_is_given_up_and_counted_with_its_wait() {
    let address = serve(|count, _| match count {
        20 => Reply::Silence,
        _ => Reply::Bytes(status(200)),
    });
    let mut drive = drive(address, 2);
    // Longer than a busy machine keeps the others waiting.
    drive.timeout = SECOND * 2;
    let driven = open(&drive, 100.0, SECOND / 2);
    assert_eq!(
        outcomes(&driven),
        [("200".to_owned(), 49), ("timeout".to_owned(), 1)]
    );
    assert!(driven.record.latencies().max_ms() >= 1_990.0);
    assert_eq!(driven.record.connections_lost, 1);
}

#[test]
fn what_nobody_takes_in_time_is_unsent_and_counted_with_its_wait() {
    let mut drive = drive(serve(|_, _| Reply::Silence), 1);
    drive.timeout = SECOND / 5;
    let load = vec![paced(&drive, 100.0, Share::ALL)];
    let driven = run(&drive, load, Span::of(Duration::ZERO, SECOND));
    let outcomes = outcomes(&driven);
    let names: Vec<&str> = outcomes.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["timeout", "unsent"]);
    assert_eq!(driven.record.tally().total(), 100);
    assert!(
        driven.record.latencies().at_ms(0.1) >= 190.0,
        "nobody waited for less"
    );
}

#[test]
fn nobody_listening_is_a_failure_at_once() {
    let drive = drive(nobody(), 2);
    let load = vec![requests(&drive)];
    let span = Span::of(Duration::ZERO, SECOND);
    let error = drive.run(load, span, &Stop::default(), &mut |_| {});
    assert!(matches!(error, Err(DriveError::Target(_))), "{error:?}");
}

#[test]
fn a_server_that_vanishes_ends_a_closed_loop() {
    // Takes its connections, and one request; then nobody listens any more.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        // One to find the address, two to load.
        let streams: Vec<_> = (0..3).map(|_| listener.accept().unwrap()).collect();
        let mut byte = [0];
        std::io::Read::read_exact(&mut &streams[1].0, &mut byte).unwrap();
        // Before the streams, so that nobody can connect again.
        drop(listener);
    });
    let mut drive = drive(address, 2);
    drive.timeout = SECOND / 2;
    let load = vec![requests(&drive)];
    let driven = run(&drive, load, Span::of(Duration::ZERO, SECOND * 600));
    assert_eq!(outcomes(&driven), [("closed".to_owned(), 2)]);
    assert!(driven.elapsed < SECOND * 60, "{:?}", driven.elapsed);
    assert!(driven.record.connections_lost > 2);
}
