//! A handshake: its deadline, and why it fails.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use rustls::AlertDescription;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::{Served, plain};
use crate::connection::delivery::{Delivery, FlightTooLong};
use crate::connection::stall::EVENT_DELAY;
use crate::metrics::HandshakeFailure;

/// Most bytes of an answer that wait encrypted for the client to read; more wait as they are.
const ENCRYPTED_MAX_BYTES: usize = 16 * 1024;

/// Most bytes that a client may send before the next flight of the server. The TLS library keeps
/// an unfinished message of up to 64 KiB, of a client that has shown no credential. A hello takes
/// 2 KiB. Behind the last message of a handshake a request may come, of which a whole record (16 KiB
/// and its frame) and one more read of the library (4 KiB) count.
const FLIGHT_MAX_BYTES: usize = 24 * 1024;

/// The same where clients are asked for a certificate: it is in a flight, with the chain that it
/// comes in, and it is in the ticket of a hello that resumes a session.
const FLIGHT_WITH_CERTIFICATE_MAX_BYTES: usize = 64 * 1024;

/// A handshake that has failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("it takes too long")]
    Timeout,
    #[error("the request is in clear text")]
    PlainHttp,
    #[error("the client sends more than a handshake takes")]
    TooLong,
    #[error("{0}")]
    Tls(#[from] rustls::Error),
    #[error("{0}")]
    Disconnected(#[from] io::Error),
}

impl Failure {
    /// What metrics call it.
    pub(super) fn reason(&self) -> HandshakeFailure {
        match self {
            Self::Timeout => HandshakeFailure::Timeout,
            Self::PlainHttp => HandshakeFailure::PlainHttp,
            Self::TooLong => HandshakeFailure::Invalid,
            Self::Disconnected(_) => HandshakeFailure::Disconnected,
            Self::Tls(error) => of_tls(error),
        }
    }
}

fn of_tls(error: &rustls::Error) -> HandshakeFailure {
    use AlertDescription as Alert;
    match error {
        rustls::Error::NoCertificatesPresented | rustls::Error::InvalidCertificate(_) => {
            HandshakeFailure::ClientCertificate
        }
        rustls::Error::AlertReceived(
            Alert::BadCertificate
            | Alert::CertificateExpired
            | Alert::CertificateRevoked
            | Alert::CertificateUnknown
            | Alert::UnknownCA
            | Alert::UnsupportedCertificate,
        ) => HandshakeFailure::Refused,
        rustls::Error::PeerIncompatible(_) | rustls::Error::NoApplicationProtocol => {
            HandshakeFailure::Incompatible
        }
        _ => HandshakeFailure::Invalid,
    }
}

/// Completes with the handshake, or with a failure at its deadline.
pub(super) async fn within<T>(
    deadline: Duration,
    handshake: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    // In the heap, and only while it lasts: connections in clear text have none.
    let mut handshake = pin!(Box::pin(handshake));
    // Twice, because a process that was stopped handles its timers before its sockets.
    for patience in [deadline, EVENT_DELAY] {
        if let Ok(done) = timeout(patience, handshake.as_mut()).await {
            return done;
        }
    }
    Err(Failure::Timeout)
}

/// Runs a handshake. A request in clear text is answered.
pub(super) async fn run(
    served: Arc<Served>,
    mut delivery: Delivery,
) -> Result<TlsStream<Delivery>, Failure> {
    let mut first = [0];
    if delivery.socket().peek(&mut first).await? == 0 {
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
    }
    // Methods are letters; the first byte of TLS is 22.
    if first[0].is_ascii_uppercase() {
        plain::answer(&mut delivery).await?;
        return Err(Failure::PlainHttp);
    }
    delivery.bound_flights(Some(if served.asks_for_certificate {
        FLIGHT_WITH_CERTIFICATE_MAX_BYTES
    } else {
        FLIGHT_MAX_BYTES
    }));
    let mut stream = TlsAcceptor::from(Arc::clone(&served.config))
        .accept_with(delivery, |connection| {
            connection.set_buffer_limit(Some(ENCRYPTED_MAX_BYTES));
        })
        .await
        .map_err(failure)?;
    stream.get_mut().0.bound_flights(None);
    Ok(stream)
}

/// Why a handshake failed whose stream has this error.
fn failure(error: io::Error) -> Failure {
    let Some(inner) = error.get_ref() else {
        return error.into();
    };
    if inner.is::<FlightTooLong>() {
        return Failure::TooLong;
    }
    match inner.downcast_ref::<rustls::Error>() {
        Some(of_tls) => of_tls.clone().into(),
        None => error.into(),
    }
}
