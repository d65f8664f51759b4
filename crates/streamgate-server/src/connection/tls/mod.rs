//! TLS on connections: the certificate that is served, and handshakes with their deadline.
//!
//! A connection takes the configuration of the moment when it begins: replacing the certificate
//! touches none that is open. What is *not* here: the settings that name the files, and the clock
//! that asks for a [look](Tls::look) at them (the binary).

mod certificate;
mod config;
mod error;
mod files;
mod handshake;
mod plain;
mod time;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use rustls::ServerConfig;
use streamgate_clock::wall_ms;

pub use error::{TlsFile, TlsFileError};
pub use files::{TlsCredentials, TlsFiles, certificates_in_pem};

use crate::connection::delivery::Delivery;
use crate::connection::socket::Socket;
use crate::metrics::Metrics;
use files::Stamps;

/// TLS of a server. Clones share the certificate.
#[derive(Clone)]
pub struct Tls(Arc<Shared>);

struct Shared {
    served: ArcSwap<Served>,
    handshake_timeout: Duration,
    state: Mutex<State>,
    metrics: Arc<Metrics>,
}

/// What a new connection is served with.
struct Served {
    config: Arc<ServerConfig>,
    /// Whether clients are asked for a certificate.
    asks_for_certificate: bool,
}

impl Served {
    fn new(config: ServerConfig, credentials: &TlsCredentials) -> Self {
        Self {
            config: Arc::new(config),
            asks_for_certificate: credentials.files().client_authorities.is_some(),
        }
    }
}

/// What changes with the certificate.
struct State {
    credentials: TlsCredentials,
    /// How the files were at the last look.
    seen: Stamps,
}

impl Tls {
    /// TLS with these credentials; a client has `handshake_timeout` for its handshake.
    ///
    /// # Errors
    /// There are no random bytes for the keys of tickets, or it is before 1970.
    pub fn new(
        credentials: TlsCredentials,
        handshake_timeout: Duration,
        metrics: &Arc<Metrics>,
    ) -> Result<Self, rustls::Error> {
        let mut config = credentials.config().clone();
        config.ticketer = time::ticketer()?;
        metrics.tls().serve_until(credentials.not_after_s());
        Ok(Self(Arc::new(Shared {
            served: ArcSwap::from_pointee(Served::new(config, &credentials)),
            handshake_timeout,
            state: Mutex::new(State {
                seen: credentials.stamps(),
                credentials,
            }),
            metrics: Arc::clone(metrics),
        })))
    }

    /// New connections use these credentials. Returns whether they are others than before.
    pub fn replace(&self, credentials: TlsCredentials) -> bool {
        let mut state = self.0.state.lock();
        state.seen = credentials.stamps();
        self.install(&mut state, credentials)
    }

    /// Reads the files again if they have changed. What cannot be used is logged, and the
    /// certificate in use stays. May block.
    pub fn look(&self) {
        let (files, seen) = {
            let state = self.0.state.lock();
            (state.credentials.files().clone(), state.seen)
        };
        let stamps = files.stamps();
        if stamps == seen {
            return;
        }
        // Not under the lock, which a reload takes: the file system may not answer.
        let loaded = files.load();
        let mut state = self.0.state.lock();
        if *state.credentials.files() != files {
            return; // A reload has named others meanwhile.
        }
        // One that cannot be used is reported once, until it changes again.
        state.seen = stamps;
        match loaded {
            Ok(new) => {
                self.install(&mut state, new);
                tracing::info!(
                    file = %files.certificate.display(),
                    not_after = state.credentials.not_after(),
                    "the files of tls were read again: new connections use what they hold"
                );
                for warning in state.credentials.warnings(wall_ms()) {
                    tracing::warn!("{warning}");
                }
            }
            Err(error) => tracing::error!(
                setting = error.file.setting(),
                file = %error.path.display(),
                reason = error.why,
                "the files of tls have changed and cannot be used; the certificate in use stays"
            ),
        }
    }

    fn install(&self, state: &mut State, credentials: TlsCredentials) -> bool {
        if credentials == state.credentials {
            return false;
        }
        let mut config = credentials.config().clone();
        // A resumed session is not asked for its certificate again: other authorities of clients
        // mean that no session of before may be resumed. Without random bytes, or before 1970, none
        // is from then on.
        if credentials.has_clients_of(&state.credentials) {
            config.ticketer = Arc::clone(&self.0.served.load().config.ticketer);
        } else if let Ok(ticketer) = time::ticketer() {
            config.ticketer = ticketer;
        }
        let served = Served::new(config, &credentials);
        self.0.served.store(Arc::new(served));
        self.0.metrics.tls().serve_until(credentials.not_after_s());
        state.credentials = credentials;
        true
    }

    /// The stream of a new connection once its handshake is done; `None` if it fails, and nothing
    /// is left to do.
    pub(crate) async fn accept(&self, delivery: Delivery, peer: IpAddr) -> Option<Socket> {
        let served = self.0.served.load_full();
        let made = handshake::within(self.0.handshake_timeout, handshake::run(served, delivery));
        match made.await {
            Ok(stream) => {
                let kind = stream.get_ref().1.handshake_kind();
                self.0.metrics.tls().handshake_done(kind);
                Some(stream.into())
            }
            Err(failure) => {
                // A client may do so at any time: not worth a warning.
                tracing::debug!(%peer, reason = %failure, "a TLS handshake has failed");
                self.0.metrics.tls().handshake_failed(failure.reason());
                None
            }
        }
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tls")
            .field(&self.0.state.lock().credentials)
            .finish()
    }
}
