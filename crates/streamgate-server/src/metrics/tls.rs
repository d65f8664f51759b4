//! How TLS of the server is: its certificate, and the handshakes of clients.

use prometheus_client::metrics::counter::Counter;
use rustls::HandshakeKind;

use super::page::{OptionalGauge, Page};

/// Why a handshake has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HandshakeFailure {
    /// It took too long.
    Timeout,
    /// The client has closed the connection.
    Disconnected,
    /// The request was in clear text.
    PlainHttp,
    /// The client showed no certificate, or one that is not accepted.
    ClientCertificate,
    /// The client does not accept the certificate of the server.
    Refused,
    /// No version, cipher suite or protocol in common.
    Incompatible,
    /// What the client sent is no TLS, or wrong.
    Invalid,
}

impl HandshakeFailure {
    /// The label values, in the order of the declaration.
    const LABELS: [&'static str; 7] = [
        "timeout",
        "disconnected",
        "plain_http",
        "client_certificate",
        "certificate_refused",
        "incompatible",
        "invalid",
    ];
}

/// Metrics of TLS.
#[derive(Debug)]
pub(crate) struct TlsMetrics {
    /// Absent without TLS.
    not_after: OptionalGauge,
    handshakes: [Counter; 2],
    failures: [Counter; HandshakeFailure::LABELS.len()],
}

impl TlsMetrics {
    /// No TLS so far.
    pub(super) fn new(page: &mut Page) -> Self {
        Self {
            not_after: page.optional_gauge(
                "streamgate_tls_not_after",
                "When the certificate that is served runs out, in seconds since 1970; absent \
                 without tls.cert_file. Alarm days before",
            ),
            handshakes: page.counters(
                "streamgate_tls_handshakes",
                "TLS handshakes done: resumed ones cost a fraction of full ones",
                "kind",
                ["full", "resumed"],
            ),
            failures: page.counters(
                "streamgate_tls_handshake_failures",
                "TLS handshakes that failed, by reason: certificate_refused is a client that does \
                 not accept this server's certificate, client_certificate one whose own is missing \
                 or not accepted, incompatible one without a common version, cipher or protocol",
                "reason",
                HandshakeFailure::LABELS,
            ),
        }
    }

    /// Sets until when the certificate that is served is valid, in seconds since 1970.
    pub(crate) fn serve_until(&self, not_after_s: i64) {
        self.not_after.get_or_create(&[]).set(not_after_s);
    }

    /// Counts a handshake.
    pub(crate) fn handshake_done(&self, kind: Option<HandshakeKind>) {
        let is_resumed = kind == Some(HandshakeKind::Resumed);
        self.handshakes[usize::from(is_resumed)].inc();
    }

    /// Counts a handshake that failed.
    pub(crate) fn handshake_failed(&self, reason: HandshakeFailure) {
        self.failures[reason as usize].inc();
    }
}
