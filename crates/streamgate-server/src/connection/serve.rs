//! The connection loop: accepts, serves HTTP/1.1, and stops without cutting requests off.
//!
//! What is *not* here: handshakes and certificates ([`crate::connection::tls`]).

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, header};
use hyper::Request;
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use streamgate_core::bounds::BACKLOG_MAX;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

use crate::app::Endpoints;
use crate::caller::client;
use crate::connection::date;
use crate::connection::delivery::Delivery;
use crate::connection::heads;
use crate::connection::in_flight::RequestInFlight;
use crate::connection::peers::{Counted, Peers};
use crate::connection::socket::Socket;
use crate::connection::stall::StallTimeoutStream;
use crate::connection::tls::Tls;
use crate::metrics::Metrics;
use crate::settings::HttpSettings;
use crate::state::Draining;
use crate::wire::answer::EVENT_STREAM;

/// Pause after an accept that failed for lack of a resource (file descriptors, memory).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long connections are still read after the listener was closed, before idle ones are closed:
/// the runtime takes a moment to notice a request that has arrived.
const LINGER: Duration = Duration::from_millis(50);

/// How serving ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopped {
    /// Connections closed because their requests did not finish within the grace.
    pub cut_off: usize,
}

/// Serves until `shutdown` completes and for the drain time after it, then lets requests that have
/// arrived finish within the grace.
///
/// # Errors
/// None today: whatever goes wrong with one connection ends that connection, and an accept that
/// fails is tried again.
pub async fn serve(
    listener: TcpListener,
    endpoints: Endpoints,
    http: &HttpSettings,
    tls: Option<Tls>,
    metrics: &Arc<Metrics>,
    shutdown: impl Future<Output = ()>,
) -> io::Result<Stopped> {
    let mut acceptor = Acceptor {
        endpoints: Arc::new(endpoints),
        protocol: protocol(http.head_max_bytes),
        tls,
        timeouts: StallTimeouts {
            head: http.header_timeout,
            write: http.write_timeout,
        },
        slots: Arc::new(Semaphore::new(http.max_connections)),
        peers: Peers::new(http.max_connections_per_peer),
        gauge: metrics.connections().clone(),
        refused: metrics.connections_refused().clone(),
        stop: watch::Sender::default(),
        draining: Arc::default(),
        connections: JoinSet::new(),
    };
    acceptor.accept_until(&listener, shutdown).await;
    if !http.drain.is_zero() {
        // `/readyz` answers 503 from here on, so that a load balancer goes elsewhere. Until it
        // does, its requests are served as before, and each connection is closed after its answer.
        acceptor.draining.store(true, Ordering::Relaxed);
        tracing::info!(
            drain_s = http.drain.as_secs(),
            "draining: still serving, and not ready any more"
        );
        let drained = tokio::time::sleep(http.drain);
        acceptor.accept_until(&listener, drained).await;
    }
    acceptor.close_listener(listener);
    Ok(acceptor.close(http.shutdown_grace).await)
}

/// How long a client may take.
#[derive(Debug, Clone, Copy)]
struct StallTimeouts {
    /// From the last answer (or the accept) to the end of the next head.
    head: Duration,
    /// To read some of an answer.
    write: Duration,
}

/// The accepted connections, and what each further one gets.
struct Acceptor {
    endpoints: Arc<Endpoints>,
    protocol: http1::Builder,
    tls: Option<Tls>,
    timeouts: StallTimeouts,
    slots: Arc<Semaphore>,
    peers: Peers,
    gauge: Gauge,
    refused: Counter,
    /// Tells connections to end once they are idle.
    stop: watch::Sender<()>,
    draining: Arc<AtomicBool>,
    connections: JoinSet<()>,
}

impl Acceptor {
    /// Accepts and serves connections until `end` completes.
    async fn accept_until(&mut self, listener: &TcpListener, end: impl Future<Output = ()>) {
        let mut end = pin!(end);
        loop {
            let (stream, peer, slot) = tokio::select! {
                biased;
                () = &mut end => return,
                // Frees connections as they end, not all of them at the shutdown.
                Some(_) = self.connections.join_next() => continue,
                accepted = accept(listener, &self.slots) => accepted,
            };
            self.spawn(stream, peer, slot);
        }
    }

    /// Serves a connection, unless its peer has too many.
    fn spawn(&mut self, stream: TcpStream, peer: IpAddr, slot: OwnedSemaphorePermit) {
        let Ok(counted) = self.peers.admit(peer) else {
            tracing::debug!(%peer, "a connection too many of this peer is closed");
            self.refused.inc();
            return;
        };
        let connection = Connection {
            stream,
            peer,
            tls: self.tls.clone(),
            timeouts: self.timeouts,
            draining: Arc::clone(&self.draining),
            held: (slot, counted, Connected::new(&self.gauge)),
        };
        let (protocol, endpoints) = (self.protocol.clone(), Arc::clone(&self.endpoints));
        let run = connection.run(protocol, endpoints, self.stop.subscribe());
        // Once a connection: around each request it would copy the future of the answer.
        self.connections.spawn(client::of_peer(peer, run));
    }

    /// Accepts the connections in the backlog and closes the listener, which would reset them with
    /// the requests that they have sent.
    fn close_listener(&mut self, listener: TcpListener) {
        // The system is asked directly: the runtime may not have noticed the newest connections.
        let Ok(listener) = listener.into_std() else {
            return;
        };
        // A peer with too many connections frees its slot at once, so the slots alone are no bound.
        for _ in 0..BACKLOG_MAX {
            let Ok(slot) = Arc::clone(&self.slots).try_acquire_owned() else {
                return;
            };
            match listener.accept() {
                Ok((stream, peer)) => {
                    let stream = stream.set_nonblocking(true).map(|()| stream);
                    if let Ok(stream) = stream.and_then(TcpStream::from_std) {
                        self.spawn(stream, peer.ip(), slot);
                    }
                }
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) => {
                    tracing::warn!(%error, "the rest of the listen backlog cannot be accepted");
                    return;
                }
            }
        }
    }

    /// Lets requests that have arrived finish, and closes connections that take longer than the
    /// grace.
    async fn close(mut self, grace: Duration) -> Stopped {
        tracing::info!(
            open = self.connections.len(),
            "stopping: requests under way may finish"
        );
        // Each answer from here on closes its connection.
        self.draining.store(true, Ordering::Relaxed);
        self.endpoints.end_streams();
        tokio::time::sleep(LINGER).await;
        // Fails if no connection is left.
        let _ = self.stop.send(());
        let finished = async { while self.connections.join_next().await.is_some() {} };
        let in_time = tokio::time::timeout(grace, finished).await;
        let cut_off = if in_time.is_ok() {
            0
        } else {
            self.connections.len()
        };
        self.connections.shutdown().await;
        Stopped { cut_off }
    }
}

/// HTTP/1.1 with a bound on the length of a head, in bytes; hyper's default would let each
/// connection keep 400 KB. The timeout of a head is the socket's ([`StallTimeoutStream`]).
fn protocol(head_max_bytes: usize) -> http1::Builder {
    let mut protocol = http1::Builder::new();
    protocol
        // A request that has arrived whole is carried out, also if its client sent a FIN right
        // behind it; and a client that closed only its sending side is answered.
        .half_close(true)
        .header_read_timeout(None)
        .auto_date_header(false)
        // Answers are small: one copy is cheaper than a list of pieces for the system.
        .writev(false)
        .max_buf_size(head_max_bytes.max(HttpSettings::HEAD_MIN_BYTES));
    protocol
}

/// The next connection, once there is room for it. Cancel-safe: an accepted connection is returned
/// at once.
async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> (TcpStream, IpAddr, OwnedSemaphorePermit) {
    let slot = Arc::clone(slots)
        .acquire_owned()
        .await
        .expect("the semaphore is never closed");
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => return (stream, peer.ip(), slot),
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "no connection could be accepted; trying again");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Whether an accept failed because of the client, so that the next one may succeed at once.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
    )
}

/// A connection that was accepted, and what it holds while it is open.
struct Connection {
    stream: TcpStream,
    peer: IpAddr,
    tls: Option<Tls>,
    timeouts: StallTimeouts,
    draining: Arc<AtomicBool>,
    /// Its place among all connections and among those of its peer, and its count in the metrics.
    held: (OwnedSemaphorePermit, Option<Counted>, Connected),
}

impl Connection {
    /// Serves requests until either side closes the connection, or until it is idle after `stop`.
    async fn run(
        self,
        protocol: http1::Builder,
        endpoints: Arc<Endpoints>,
        mut stop: watch::Receiver<()>,
    ) {
        let _held = self.held;
        // Answers are small, and written in one piece: waiting for more to send gains nothing.
        if let Err(error) = self.stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY could not be set");
        }
        let in_flight = RequestInFlight::default();
        let delivery = Delivery::new(self.stream, self.timeouts.write, in_flight.clone());
        let Some(socket) = open(self.tls, delivery, self.peer, &mut stop).await else {
            return;
        };
        let stream = StallTimeoutStream::new(socket, self.timeouts.head, in_flight.clone());
        // An `Arc` of this connection alone: if each request cloned the shared one, all processors
        // would contend for its reference count.
        let endpoints = Arc::new(endpoints);
        let service = hyper::service::service_fn(move |request: Request<Incoming>| {
            let in_flight = in_flight.clone();
            in_flight.begin();
            let checked = heads::check(&request);
            let ends_connection = heads::ends_connection(&request);
            let mut request = request.map(body);
            let is_draining = self.draining.load(Ordering::Relaxed);
            if is_draining {
                request.extensions_mut().insert(Draining);
            }
            let endpoints = Arc::clone(&endpoints);
            async move {
                let mut answer = match checked {
                    Ok(()) => endpoints.answer(request).await,
                    Err(error) => endpoints.refuse(&request, error),
                };
                if let Some(date) = date::now() {
                    answer.headers_mut().insert(header::DATE, date);
                }
                if is_draining || ends_connection {
                    let close = HeaderValue::from_static("close");
                    answer.headers_mut().insert(header::CONNECTION, close);
                }
                let is_stream = answer.body().size_hint().exact().is_none()
                    && answer.headers().get(header::CONTENT_TYPE) == Some(&EVENT_STREAM);
                Ok::<_, Infallible>(answer.map(|body| in_flight.end_with(body, is_stream)))
            }
        });
        let mut connection = pin!(protocol.serve_connection(TokioIo::new(stream), service));
        let ended = tokio::select! {
            // The connection first, so that it reads a request that has arrived before it is told
            // to stop.
            biased;
            ended = connection.as_mut() => ended,
            _ = stop.changed() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            // A client may close its connection at any time: not worth a warning.
            tracing::debug!(%error, "a connection ended early");
        }
    }
}

/// The stream of a connection; `None` if its handshake fails, or is under way at the stop: no
/// request can have arrived then.
async fn open(
    tls: Option<Tls>,
    delivery: Delivery,
    peer: IpAddr,
    stop: &mut watch::Receiver<()>,
) -> Option<Socket> {
    let Some(tls) = tls else {
        return Some(Socket::Plain(delivery));
    };
    tokio::select! {
        biased;
        made = tls.accept(delivery, peer) => made,
        _ = stop.changed() => None,
    }
}

/// The body as axum's type. Most requests have none, and need no box for it.
fn body(incoming: Incoming) -> Body {
    if incoming.is_end_stream() {
        return Body::empty();
    }
    Body::new(incoming)
}

/// Counts a connection for as long as it is open, however it ends.
struct Connected(Gauge);

impl Connected {
    fn new(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        self.0.dec();
    }
}
