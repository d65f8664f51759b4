//! A server on a real socket, and what it sends.

use std::net::SocketAddr;

use streamgate_server::{HttpSettings, ServerSettings, Stopped, serve};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::Service;

/// A server on a port of its own.
pub(crate) struct Running {
    pub(crate) service: Service,
    pub(crate) address: SocketAddr,
    /// Tells it to stop.
    pub(crate) stop: oneshot::Sender<()>,
    pub(crate) server: JoinHandle<Stopped>,
}

impl Running {
    pub(crate) async fn with(http: HttpSettings) -> Self {
        let service = Service::with(ServerSettings {
            http: http.clone(),
            ..ServerSettings::default()
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let (endpoints, metrics) = (service.endpoints.clone(), service.metrics.clone());
        let server = tokio::spawn(async move {
            let stopped = async { stopped.await.unwrap_or_default() };
            serve(listener, endpoints, &http, &metrics, stopped)
                .await
                .unwrap()
        });
        Self {
            service,
            address,
            stop,
            server,
        }
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// A new connection with this request written to it.
    pub(crate) async fn sent(&self, request: &str) -> TcpStream {
        let mut stream = self.connect().await;
        stream.write_all(request.as_bytes()).await.unwrap();
        stream
    }
}

/// Everything that comes until the server closes the connection.
pub(crate) async fn read_all(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    text
}

/// Whatever comes next, at least up to `end`.
pub(crate) async fn read_until(stream: &mut TcpStream, end: &str) -> String {
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
