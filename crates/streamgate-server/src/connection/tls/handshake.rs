//! A handshake: its deadline, and why it fails.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use rustls::{AlertDescription, ServerConfig};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::plain;
use crate::connection::delivery::Delivery;
use crate::connection::stall::EVENT_DELAY;
use crate::metrics::HandshakeFailure;

/// Most bytes of an answer that wait encrypted for the client to read; more wait as they are.
const ENCRYPTED_MAX_BYTES: usize = 16 * 1024;

/// A handshake that has failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("it takes too long")]
    Timeout,
    #[error("the request is in clear text")]
    PlainHttp,
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
    config: Arc<ServerConfig>,
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
    TlsAcceptor::from(config)
        .accept_with(delivery, |connection| {
            connection.set_buffer_limit(Some(ENCRYPTED_MAX_BYTES));
        })
        .await
        .map_err(|error| {
            let inner = error.get_ref();
            match inner.and_then(|it| it.downcast_ref::<rustls::Error>()) {
                Some(of_tls) => of_tls.clone().into(),
                None => error.into(),
            }
        })
}
