//! The generator against servers that stall, close, drip and vanish.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod faults;
mod loops;
mod server;
mod tls;

use std::net::SocketAddr;
use std::time::Duration;

use streamgate_loadgen::{Drive, Driven, Load, Paced, Sent, Session, Share, Span, Stop, Target};

/// A second is long enough for what is measured here.
const SECOND: Duration = Duration::from_secs(1);

fn drive(address: SocketAddr, connections: usize) -> Drive {
    Drive::new(
        Target::parse(&format!("http://{address}")).unwrap(),
        connections,
    )
}

/// The same request again and again.
struct Same(Vec<u8>);

impl Load for Same {
    fn kinds(&self) -> &'static [&'static str] {
        &["call"]
    }

    fn next(&mut self, out: &mut Vec<u8>) -> Option<Sent> {
        out.extend_from_slice(&self.0);
        Some(Sent {
            kind: 0,
            session: Session::default(),
            requests: 1,
        })
    }
}

fn requests(drive: &Drive) -> Box<dyn Load> {
    let host = drive.target.url();
    let head = format!("POST /x HTTP/1.1\r\nhost: {host}\r\na: b\r\ncontent-length: 4\r\n\r\n");
    Box::new(Same((head + "body").into_bytes()))
}

/// The same in an open loop.
fn paced(drive: &Drive, per_second: f64, share: Share) -> Box<dyn Load> {
    Box::new(Paced::new(requests(drive), per_second, share))
}

fn closed(drive: &Drive, measured: Duration) -> Driven {
    run(drive, vec![requests(drive)], span(measured))
}

fn open(drive: &Drive, per_second: f64, measured: Duration) -> Driven {
    run(
        drive,
        vec![paced(drive, per_second, Share::ALL)],
        span(measured),
    )
}

fn span(measured: Duration) -> Span {
    Span::of(Duration::from_millis(100), measured)
}

fn run(drive: &Drive, loads: Vec<Box<dyn Load>>, span: Span) -> Driven {
    drive
        .run(loads, span, &Stop::default(), &mut |_| {})
        .unwrap()
}

/// How often each outcome was, by name.
fn outcomes(driven: &Driven) -> Vec<(String, u64)> {
    let tally = driven.record.tally();
    tally.iter().map(|(it, count)| (it.name(), count)).collect()
}
