//! The connection loop. (Skeleton.)

use std::future::Future;
use std::io;
use std::sync::Arc;

use axum::Router;
use tokio::net::TcpListener;

use crate::metrics::Metrics;
use crate::settings::HttpSettings;

/// How serving ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopped {
    /// Connections whose requests did not finish within the grace, and were cut off.
    pub cut_off: usize,
}

/// Serves until `shutdown` completes, then lets requests under way finish within the grace.
///
/// # Errors
/// The listener's address cannot be read.
pub async fn serve(
    _listener: TcpListener,
    _app: Router,
    _http: &HttpSettings,
    _metrics: &Arc<Metrics>,
    shutdown: impl Future<Output = ()>,
) -> io::Result<Stopped> {
    shutdown.await;
    Ok(Stopped { cut_off: 0 })
}
