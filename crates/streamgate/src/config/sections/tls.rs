//! `[tls]`: the certificate that the server shows, and those that clients must show.

use std::path::PathBuf;
use std::time::Duration;

use streamgate_server::{TlsCredentials, TlsFiles};

use crate::config::reader::{Ask, Reader};

/// Longest deadline of a handshake.
const SECONDS_MAX: u32 = 300;

/// The default deadline of a handshake: it is two round trips.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

const CERT_FILE: Ask = Ask(
    "cert_file",
    "A PEM file with the certificate of this server, followed by those that lead to its authority. \
     With it the server speaks TLS (https) and nothing else. It is looked at every 30 s and at \
     SIGHUP; a pair that cannot be used leaves the old one in use, with an error in the log.",
);
const KEY_FILE: Ask = Ask(
    "key_file",
    "A PEM file with the private key of that certificate, not encrypted.",
);
const CLIENT_CA_FILE: Ask = Ask(
    "client_ca_file",
    "A PEM file with the certificates of authorities: every client must show a certificate of one \
     of them, health checks too.",
);
const HANDSHAKE_TIMEOUT_S: Ask = Ask(
    "handshake_timeout_s",
    "Maximum time for a TLS handshake. A connection in its handshake counts in \
     http.max_connections and http.max_connections_per_peer.",
);

/// TLS of the server.
#[derive(Debug, Clone)]
pub(crate) struct Tls {
    /// What the files hold.
    pub(crate) credentials: TlsCredentials,
    /// How long a client may take for its handshake.
    pub(crate) handshake_timeout: Duration,
}

/// Reads the section, and the files that it names. `None`: the server speaks no TLS.
pub(crate) fn read(reader: &mut Reader) -> Option<Tls> {
    reader.section(
        "[tls]",
        "TLS in the server itself; without it, a proxy in front encrypts.",
    );
    let [cert, key, client_ca] =
        [CERT_FILE, KEY_FILE, CLIENT_CA_FILE].map(|ask| reader.path(ask, "a PEM file"));
    let handshake_timeout = reader.seconds(HANDSHAKE_TIMEOUT_S, HANDSHAKE_TIMEOUT, 1..=SECONDS_MAX);
    let (cert, key) = match (cert, key) {
        (Some(cert), Some(key)) => (cert, key),
        (Some(_), None) => {
            reader.wrong_here(
                CERT_FILE.0,
                "is of no use without tls.key_file, the key of the certificate",
            );
            return None;
        }
        (None, Some(_)) => {
            reader.wrong_here(
                KEY_FILE.0,
                "is of no use without tls.cert_file, the certificate of the key",
            );
            return None;
        }
        (None, None) => {
            // It would else be taken for a server that asks for certificates.
            if client_ca.is_some() {
                reader.wrong_here(
                    CLIENT_CA_FILE.0,
                    "is set, but the server speaks no TLS: set tls.cert_file and tls.key_file",
                );
            }
            return None;
        }
    };
    let files = TlsFiles {
        certificate: cert.into(),
        key: key.into(),
        client_authorities: client_ca.map(PathBuf::from),
    };
    match files.load() {
        Ok(credentials) => Some(Tls {
            credentials,
            handshake_timeout,
        }),
        Err(error) => {
            let (_, name) = error.file.setting().split_once('.').unwrap_or_default();
            let message = format!("names {}: {}", error.path.display(), error.why);
            reader.wrong_here(name, message);
            None
        }
    }
}
