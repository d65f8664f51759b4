//! Fetches the keys of an issuer over https.

use std::time::Duration;

use streamgate_server::certificates_in_pem;
use streamgate_tokens::{FetchKeys, Fetched, KEY_SET_MAX_BYTES, Location};
use ureq::Agent;
use ureq::http::{HeaderMap, header};
use ureq::tls::{RootCerts, TlsConfig};

use crate::client::ureq_certificates;

/// How long a fetch may take in all.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Fetches over https. It follows no redirect: the URL of the keys is a setting.
#[derive(Debug)]
pub(super) struct Https;

impl FetchKeys for Https {
    fn fetch(&self, at: &Location) -> Result<Fetched, String> {
        let mut tls = TlsConfig::builder();
        if let Some(pem) = &at.authorities {
            tls = tls.root_certs(authorities(pem)?);
        }
        let agent: Agent = Agent::config_builder()
            .https_only(true)
            .max_redirects(0)
            .http_status_as_error(false)
            .timeout_global(Some(TIMEOUT))
            .tls_config(tls.build())
            .user_agent(concat!("streamgate/", env!("CARGO_PKG_VERSION")))
            .build()
            .into();
        let request = agent.get(&at.url).header("accept", "application/json");
        let mut answer = request.call().map_err(|error| error.to_string())?;
        if answer.status() != 200 {
            return Err(format!("the answer has the status {}", answer.status()));
        }
        let max_age = max_age(answer.headers());
        let body = answer.body_mut().with_config();
        let body = body.limit(KEY_SET_MAX_BYTES as u64).read_to_vec();
        Ok(Fetched {
            body: body.map_err(|error| error.to_string())?,
            max_age,
        })
    }
}

/// The certificates of a PEM file.
fn authorities(pem: &[u8]) -> Result<RootCerts, String> {
    Ok(RootCerts::new_with_certs(&ureq_certificates(
        &certificates_in_pem(pem)?,
    )))
}

/// How long an answer may be used, as it says.
fn max_age(headers: &HeaderMap) -> Option<Duration> {
    let said = headers.get(header::CACHE_CONTROL)?.to_str().ok()?;
    let mut directives = said.split(',').map(str::trim);
    let seconds = directives.find_map(|it| it.strip_prefix("max-age="))?;
    seconds.parse().ok().map(Duration::from_secs)
}
