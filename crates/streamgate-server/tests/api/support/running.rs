//! A server on a real socket, in clear text or over TLS, and what it sends.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use streamgate_server::{HttpSettings, ServerSettings, Stopped, Tls, TlsFiles, serve};
use streamgate_testkit::Certificates;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::Service;

/// What connections are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Over {
    Plain,
    Tls,
}

/// Runs each of these tests in clear text and over TLS.
macro_rules! over_plain_and_tls {
    ($($name:ident),* $(,)?) => {
        mod plain {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name($crate::support::running::Over::Plain).await;
            })*
        }

        mod tls {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name($crate::support::running::Over::Tls).await;
            })*
        }
    };
}
pub(crate) use over_plain_and_tls;

/// Certificates of this process.
pub(crate) static CERTIFICATES: LazyLock<Certificates> = LazyLock::new(Certificates::make);

/// How long a test's client may take for its handshake, unless the test says otherwise.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(60);

/// A server on a port of its own.
pub(crate) struct Running {
    pub(crate) service: Service,
    pub(crate) address: SocketAddr,
    /// Tells it to stop.
    pub(crate) stop: oneshot::Sender<()>,
    pub(crate) server: JoinHandle<Stopped>,
    /// How its clients connect.
    pub(crate) dial: Dial,
    /// Its certificate, if it speaks TLS.
    pub(crate) tls: Option<Tls>,
}

impl Running {
    pub(crate) async fn over(over: Over, http: HttpSettings) -> Self {
        let files = (over == Over::Tls).then(server_files);
        Self::with_files(http, files, HANDSHAKE_TIMEOUT).await
    }

    /// A server with this certificate, whose clients have a deadline for their handshakes.
    pub(crate) async fn with_files(
        http: HttpSettings,
        files: Option<TlsFiles>,
        handshake_timeout: Duration,
    ) -> Self {
        let service = Service::with(ServerSettings {
            http: http.clone(),
            ..ServerSettings::default()
        });
        let tls = files.map(|files| {
            let credentials = files.load().unwrap();
            Tls::new(credentials, handshake_timeout, &service.metrics).unwrap()
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let (endpoints, metrics) = (service.endpoints.clone(), service.metrics.clone());
        let served = tls.clone();
        let server = tokio::spawn(async move {
            let stopped = async { stopped.await.unwrap_or_default() };
            serve(listener, endpoints, &http, served, &metrics, stopped)
                .await
                .unwrap()
        });
        Self {
            service,
            address,
            stop,
            server,
            dial: Dial {
                address,
                connector: tls.is_some().then(|| TlsConnector::from(client_config())),
            },
            tls,
        }
    }

    pub(crate) async fn connect(&self) -> Stream {
        self.dial.connect().await.unwrap()
    }

    /// A new connection with this request written to it.
    pub(crate) async fn sent(&self, request: &str) -> Stream {
        let mut stream = self.connect().await;
        stream.write_all(request.as_bytes()).await.unwrap();
        stream
    }
}

/// How clients of a server connect.
#[derive(Clone)]
pub(crate) struct Dial {
    address: SocketAddr,
    /// What they trust, if the server speaks TLS.
    connector: Option<TlsConnector>,
}

impl Dial {
    /// A connection; with TLS, one whose client has done its handshake.
    pub(crate) async fn connect(&self) -> io::Result<Stream> {
        let socket = TcpStream::connect(self.address).await?;
        // What is written is sent at once. Else the system may keep a request back until the end of
        // the handshake is acknowledged, and a reset discards it.
        socket.set_nodelay(true)?;
        let Some(connector) = &self.connector else {
            return Ok(Stream::Plain(socket));
        };
        let stream = connector.connect(server_name(), socket).await?;
        Ok(Stream::Tls(Box::new(stream)))
    }
}

/// The name that the certificate of the tests is for.
pub(crate) fn server_name() -> ServerName<'static> {
    ServerName::try_from("127.0.0.1").unwrap()
}

/// The files of the server.
pub(crate) fn server_files() -> TlsFiles {
    TlsFiles {
        certificate: CERTIFICATES.path("server.pem"),
        key: CERTIFICATES.path("server.key"),
        client_authorities: None,
    }
}

/// The authorities that clients trust.
pub(crate) fn roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    let authority = CertificateDer::from_pem_slice(&CERTIFICATES.read("ca.pem")).unwrap();
    roots.add(authority).unwrap();
    roots
}

/// A client without a certificate, which shares its memory of sessions with none.
pub(crate) fn client_config() -> Arc<ClientConfig> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots())
        .with_no_client_auth();
    Arc::new(config)
}

/// The client's end of a connection.
#[derive(Debug)]
pub(crate) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    /// Writes these bytes and sends them. A TLS stream counts as written what it has encrypted, and
    /// would drop with itself what the socket has not taken yet.
    pub(crate) async fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        AsyncWriteExt::write_all(self, bytes).await?;
        self.flush().await
    }

    /// Ends the TLS session, and not the connection; in clear text there is none.
    pub(crate) async fn send_close_notify(&mut self) {
        if let Self::Tls(stream) = self {
            stream.get_mut().1.send_close_notify();
            stream.flush().await.unwrap();
        }
    }

    /// Has the connection reset when it is closed.
    pub(crate) fn set_zero_linger(&self) {
        self.socket().set_zero_linger().unwrap();
    }

    /// The address of the client.
    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.socket().local_addr().unwrap()
    }

    fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(stream) => stream.get_ref().0,
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_shutdown(cx),
        }
    }
}

/// Everything that comes until the server closes the connection; over TLS, in order.
pub(crate) async fn read_all(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    text
}

/// Whatever comes next, at least up to `end`.
pub(crate) async fn read_until(stream: &mut (impl AsyncRead + Unpin), end: &str) -> String {
    let mut bytes = Vec::new();
    while !String::from_utf8_lossy(&bytes).contains(end) {
        let read = stream.read_buf(&mut bytes).await.unwrap();
        assert!(
            read > 0,
            "closed after {:?}",
            String::from_utf8_lossy(&bytes)
        );
    }
    String::from_utf8(bytes).unwrap()
}
