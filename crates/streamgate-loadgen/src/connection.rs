//! A keep-alive connection with one request in flight at a time.

use std::io::{self, Read, Write};
use std::net::SocketAddr;

use mio::{Registry, Token};

use crate::answer::{Answer, Framed, Unframed, http1};
use crate::clock::Clock;
use crate::load::{Fault, Nanos, Sent};
use crate::stream::Stream;
use crate::target::Tls;

/// How much is read at first; it grows with the answers.
const INPUT_BYTES: usize = 4 * 1024;

/// How long to wait after a connection could not be made.
const RETRY_AFTER: Nanos = 100_000_000;

/// Where connections go.
#[derive(Debug, Clone)]
pub(crate) struct Dial {
    pub(crate) address: SocketAddr,
    pub(crate) tls: Option<Tls>,
}

/// A request under way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Flight {
    pub(crate) sent: Sent,
    /// When it was due: its latency counts from here.
    pub(crate) due: Nanos,
    /// When it was sent.
    pub(crate) at: Nanos,
}

#[derive(Debug)]
pub(crate) enum State {
    /// There is no socket.
    Down {
        /// When to try again.
        retry_at: Nanos,
    },
    /// The socket is being connected.
    Connecting,
    /// It can take a request.
    Idle {
        /// From when on.
        since: Nanos,
    },
    /// It waits for an answer.
    Busy(Flight),
}

/// The outcome of an event on the socket.
#[derive(Debug)]
pub(crate) enum Happened<'a> {
    /// Nothing that matters yet.
    Nothing,
    /// It is connected, and idle.
    Connected,
    /// It is lost, with nothing under way.
    Lost(io::Error),
    /// There is an answer; the connection is idle, or down where it carries no other request.
    Answered(Flight, Answer<'a>, Nanos),
    /// It is lost, and with it a request.
    Failed(Flight, Fault),
}

#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) state: State,
    stream: Option<Stream>,
    out: Vec<u8>,
    written: usize,
    input: Vec<u8>,
    filled: usize,
    /// How much must be there before it is worth a look.
    needed: usize,
}

impl Connection {
    /// A connection that is still to be made.
    pub(crate) fn new() -> Self {
        Self {
            state: State::Down { retry_at: 0 },
            stream: None,
            out: Vec::new(),
            written: 0,
            input: vec![0; INPUT_BYTES],
            filled: 0,
            needed: 1,
        }
    }

    /// Begins to connect.
    pub(crate) fn open(
        &mut self,
        dial: &Dial,
        registry: &Registry,
        token: Token,
        now: Nanos,
    ) -> io::Result<()> {
        self.down(now);
        let opened = Stream::connect(dial.address, dial.tls.as_ref()).and_then(|mut stream| {
            stream.register(registry, token)?;
            Ok(stream)
        });
        match opened {
            Ok(stream) => {
                self.stream = Some(stream);
                self.state = State::Connecting;
                Ok(())
            }
            Err(error) => {
                self.down(now + RETRY_AFTER);
                Err(error)
            }
        }
    }

    /// Where the next request is written to; it is empty.
    pub(crate) fn request(&mut self) -> &mut Vec<u8> {
        self.out.clear();
        self.written = 0;
        &mut self.out
    }

    /// Sends what was written there. The connection must be idle.
    pub(crate) fn launch(&mut self, flight: Flight) -> Happened<'_> {
        self.filled = 0;
        self.needed = 1;
        self.state = State::Busy(flight);
        if self.push().is_err() {
            return self.fail(Fault::Closed);
        }
        Happened::Nothing
    }

    /// Looks at the socket; `closed` says that the other side has closed it.
    pub(crate) fn look(&mut self, closed: bool, clock: Clock) -> Happened<'_> {
        match self.state {
            State::Down { .. } => Happened::Nothing,
            State::Connecting => self.establish(clock),
            State::Idle { .. } => {
                let ended = self.receive(closed);
                // Bytes that answer no request end the connection.
                if ended || self.filled > 0 {
                    self.down(clock.now());
                    return Happened::Lost(io::ErrorKind::UnexpectedEof.into());
                }
                Happened::Nothing
            }
            State::Busy(_) => self.answer(closed, clock),
        }
    }

    /// Gives a request up, and its connection with it: the answer may still come.
    pub(crate) fn give_up(&mut self) -> Happened<'_> {
        self.fail(Fault::Timeout)
    }

    fn establish(&mut self, clock: Clock) -> Happened<'_> {
        let stream = self
            .stream
            .as_mut()
            .expect("a connecting state has a socket");
        match stream.establish() {
            Ok(false) => Happened::Nothing,
            Ok(true) => {
                let since = clock.now();
                self.state = State::Idle { since };
                Happened::Connected
            }
            Err(error) => {
                self.down(clock.now() + RETRY_AFTER);
                Happened::Lost(error)
            }
        }
    }

    fn answer(&mut self, closed: bool, clock: Clock) -> Happened<'_> {
        if self.push().is_err() {
            return self.fail(Fault::Closed);
        }
        let ended = self.receive(closed);
        if self.filled < self.needed && !ended {
            return Happened::Nothing;
        }
        let now = clock.now();
        let came = self.input.get(..self.filled).unwrap_or_default();
        match http1(came, ended) {
            Ok(Framed {
                answer,
                length,
                stays_open,
            }) => {
                let is_clean = length == self.filled && self.written == self.out.len();
                // Later bytes answer no request.
                self.filled = 0;
                let next = if stays_open && is_clean && !ended {
                    State::Idle { since: now }
                } else {
                    self.stream = None;
                    State::Down { retry_at: now }
                };
                match std::mem::replace(&mut self.state, next) {
                    State::Busy(flight) => Happened::Answered(flight, answer, now),
                    _ => Happened::Nothing,
                }
            }
            Err(Unframed::Incomplete { .. }) if ended => {
                fail(&mut self.stream, &mut self.state, Fault::Closed)
            }
            Err(Unframed::Incomplete { at_least }) => {
                self.needed = at_least;
                Happened::Nothing
            }
            Err(Unframed::Malformed) => fail(&mut self.stream, &mut self.state, Fault::Malformed),
        }
    }

    /// Writes what the socket takes of the request.
    fn push(&mut self) -> io::Result<()> {
        let stream = self
            .stream
            .as_mut()
            .expect("a busy connection has a socket");
        while let Some(rest @ [_, ..]) = self.out.get(self.written..) {
            match stream.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => self.written += written,
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => return Ok(()),
                    io::ErrorKind::Interrupted => {}
                    _ => return Err(error),
                },
            }
        }
        Ok(())
    }

    /// Reads all that is there; whether no more will come.
    fn receive(&mut self, closed: bool) -> bool {
        let stream = self
            .stream
            .as_mut()
            .expect("an open connection has a socket");
        loop {
            if self.filled == self.input.len() {
                self.input.resize(self.filled * 2, 0);
            }
            let room = self.input.get_mut(self.filled..).unwrap_or_default();
            match stream.read(room) {
                Ok(0) => return true,
                Ok(read) => {
                    let is_short = read < room.len();
                    self.filled += read;
                    // The socket tells when there is more. What it has told already, and it tells
                    // only once, is that it was closed.
                    if is_short && stream.short_read_is_all() && !closed {
                        return false;
                    }
                }
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => return false,
                    io::ErrorKind::Interrupted => {}
                    _ => return true,
                },
            }
        }
    }

    fn fail(&mut self, fault: Fault) -> Happened<'_> {
        fail(&mut self.stream, &mut self.state, fault)
    }

    fn down(&mut self, retry_at: Nanos) {
        self.stream = None;
        self.filled = 0;
        self.state = State::Down { retry_at };
    }
}

/// Drops a socket, and what was under way on it fails.
fn fail<'a>(stream: &mut Option<Stream>, state: &mut State, fault: Fault) -> Happened<'a> {
    *stream = None;
    match std::mem::replace(state, State::Down { retry_at: 0 }) {
        State::Busy(flight) => Happened::Failed(flight, fault),
        _ => Happened::Nothing,
    }
}
