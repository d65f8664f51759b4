//! The certificate of the server: looked at all the time, because it is renewed while the server
//! runs.
//!
//! What is *not* here: what a look does (`streamgate_server::Tls`).

use std::sync::Arc;
use std::time::Duration;

use streamgate_server::{Metrics, Tls};
use tokio::time::sleep;

use crate::config::sections::tls::Tls as Settings;
use crate::exit::{Code, Failure};

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// TLS as it is set, and the looks at its files. Called on the runtime.
pub(super) fn start(
    settings: Option<&Settings>,
    metrics: &Arc<Metrics>,
) -> Result<Option<Tls>, Failure> {
    let Some(settings) = settings else {
        return Ok(None);
    };
    let credentials = settings.credentials.clone();
    let tls = Tls::new(credentials, settings.handshake_timeout, metrics).map_err(|error| {
        Failure::new(
            Code::Problem,
            format!("no keys for tickets of TLS: {error}"),
        )
    })?;
    tokio::spawn(look_forever(tls.clone()));
    Ok(Some(tls))
}

async fn look_forever(tls: Tls) {
    loop {
        sleep(LOOK_EVERY).await;
        let tls = tls.clone();
        // A file can be on a file system that does not answer.
        if let Err(error) = tokio::task::spawn_blocking(move || tls.look()).await {
            tracing::error!(%error, "the files of tls were not looked at");
        }
    }
}
