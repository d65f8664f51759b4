//! TLS on connections: handshakes, certificates and their renewal.
//!
//! What is *not* here: what holds for every connection, over TLS too (`serve.rs`, `hang_up.rs`,
//! `heads.rs`), and clients of other makers (the binary's tests).

mod files;
mod handshakes;
mod renewal;

use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, HandshakeKind, SupportedProtocolVersion};
use streamgate_server::{HttpSettings, TlsFiles};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::support::running::{
    CERTIFICATES, Running, client_config, read_until, roots, server_files, server_name,
};

/// A deadline that no test waits for.
const LONG: Duration = Duration::from_secs(60);

/// A server with this certificate.
async fn running_with(files: TlsFiles) -> Running {
    Running::with_files(HttpSettings::default(), Some(files), LONG).await
}

/// A client of these versions.
fn client_of(versions: &[&'static SupportedProtocolVersion]) -> ClientConfig {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots())
        .with_no_client_auth()
}

/// A client that shows the certificate of this name.
fn client_with(name: &str) -> Arc<ClientConfig> {
    let [certificate, key] =
        ["pem", "key"].map(|kind| CERTIFICATES.read(&format!("{name}.{kind}")));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots())
        .with_client_auth_cert(
            vec![CertificateDer::from_pem_slice(&certificate).unwrap()],
            PrivateKeyDer::from_pem_slice(&key).unwrap(),
        )
        .unwrap();
    Arc::new(config)
}

/// Connects, and makes a call: with TLS 1.3, a client hears only then that its certificate was
/// refused.
async fn call(
    running: &Running,
    config: Arc<ClientConfig>,
) -> std::io::Result<TlsStream<TcpStream>> {
    let socket = TcpStream::connect(running.address).await?;
    let mut stream = TlsConnector::from(config)
        .connect(server_name(), socket)
        .await?;
    ask(&mut stream).await?;
    Ok(stream)
}

/// Makes a call on a connection.
async fn ask(stream: &mut TlsStream<TcpStream>) -> std::io::Result<()> {
    use tokio::io::AsyncReadExt as _;

    let request = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
    stream.write_all(request).await?;
    stream.flush().await?;
    let mut answer = [0; 15];
    stream.read_exact(&mut answer).await?;
    assert_eq!(&answer, b"HTTP/1.1 200 OK");
    read_until(stream, "\"ok\"}").await;
    Ok(())
}

/// The certificate that the server showed.
fn shown(stream: &TlsStream<TcpStream>) -> Vec<u8> {
    let chain = stream.get_ref().1.peer_certificates().unwrap();
    chain[0].to_vec()
}

/// The certificate of a file.
fn certificate(name: &str) -> Vec<u8> {
    let certificate = CertificateDer::from_pem_slice(&CERTIFICATES.read(name));
    certificate.unwrap().to_vec()
}

fn is_resumed(stream: &TlsStream<TcpStream>) -> bool {
    stream.get_ref().1.handshake_kind() == Some(HandshakeKind::Resumed)
}

/// The metric of handshakes that failed for this reason.
fn failed(reason: &str) -> String {
    format!("streamgate_tls_handshake_failures_total{{reason=\"{reason}\"}}")
}

/// Waits until a metric has this value.
async fn wait_for(running: &Running, metric: &str, value: usize) {
    let become_so = async {
        while running.service.metric(metric).await != value.to_string() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    if tokio::time::timeout(LONG, become_so).await.is_err() {
        let last = running.service.metric(metric).await;
        panic!("{metric} is {last}, not {value}");
    }
}

/// Waits until so many handshakes have failed for this reason.
async fn wait_for_failures(running: &Running, reason: &str, count: usize) {
    wait_for(running, &failed(reason), count).await;
}
