//! The configuration of the TLS library: versions, protocols, client certificates, resumption.

use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{RootCertStore, ServerConfig};

use super::error::TlsFile;
use super::time::WallClock;

/// The protocols offered (ALPN). A client that offers others only is refused, and some offer
/// HTTP/1.0.
const PROTOCOLS: [&[u8]; 2] = [b"http/1.1", b"http/1.0"];

/// A configuration without tickets. `chain` begins with the certificate of the server; with
/// `client_authorities`, clients must show a certificate of one of them.
///
/// # Errors
/// Which file cannot be used, and why.
pub(super) fn build(
    chain: &[CertificateDer<'static>],
    key: &PrivateKeyDer<'static>,
    client_authorities: &[CertificateDer<'static>],
) -> Result<ServerConfig, (TlsFile, String)> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let wrong = |file: TlsFile| move |error: rustls::Error| (file, error.to_string());
    let builder = ServerConfig::builder_with_details(Arc::clone(&provider), Arc::new(WallClock))
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map_err(wrong(TlsFile::Certificate))?;
    let builder = if client_authorities.is_empty() {
        builder.with_no_client_auth()
    } else {
        let mut roots = RootCertStore::empty();
        for authority in client_authorities {
            roots
                .add(authority.clone())
                .map_err(wrong(TlsFile::ClientAuthorities))?;
        }
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
                .build()
                .map_err(|error| (TlsFile::ClientAuthorities, error.to_string()))?;
        builder.with_client_cert_verifier(verifier)
    };
    let mut config = builder
        .with_single_cert(chain.to_vec(), key.clone_key())
        .map_err(|error| explained(error, chain, key, &provider))?;
    config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
    // Tickets resume sessions, of both versions, without any memory here.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    Ok(config)
}

/// Which file is wrong, and how.
fn explained(
    error: rustls::Error,
    chain: &[CertificateDer<'static>],
    key: &PrivateKeyDer<'static>,
    provider: &CryptoProvider,
) -> (TlsFile, String) {
    match error {
        rustls::Error::InconsistentKeys(_) => {
            let is_of = |certificate: &CertificateDer<'static>| {
                CertifiedKey::from_der(vec![certificate.clone()], key.clone_key(), provider).is_ok()
            };
            if chain.iter().skip(1).any(is_of) {
                let why = "the certificate of tls.key_file must be the first in it, followed by \
                           that of its issuer";
                return (TlsFile::Certificate, why.to_owned());
            }
            let why = "it is the key of another certificate than that in tls.cert_file";
            (TlsFile::Key, why.to_owned())
        }
        rustls::Error::InvalidCertificate(why) => (TlsFile::Certificate, why.to_string()),
        other => (TlsFile::Key, other.to_string()),
    }
}
