//! The server to call: URL, address, TLS.

use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};

/// How long each address of a name has to take the first connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A server.
#[derive(Debug, Clone)]
pub struct Target {
    url: String,
    host: String,
    port: u16,
    /// What the header `host` says.
    authority: String,
    /// What goes before every path; empty or as in `/prefix`.
    base: String,
    tls: Option<Tls>,
}

/// What a connection with TLS needs to know.
#[derive(Debug, Clone)]
pub(crate) struct Tls {
    pub(crate) config: Arc<ClientConfig>,
    pub(crate) name: ServerName<'static>,
}

/// Why a server cannot be called.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// The text is no URL of a server.
    #[error("{url:?} is no usable URL: {why}")]
    Url {
        /// The text.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// TLS cannot be used.
    #[error("TLS cannot be used: {0}")]
    Tls(#[from] rustls::Error),
    /// Its name is unknown, or no address takes a connection.
    #[error("no connection to {url}: {error}")]
    Unreachable {
        /// The server's URL.
        url: String,
        /// What the last address said.
        error: io::Error,
    },
}

impl Target {
    /// The server at a URL as in `http://127.0.0.1:8080` or `https://example.com/prefix`. With
    /// https, it must have a certificate from an authority that the web trusts.
    ///
    /// # Errors
    ///
    /// Fails if the text is no such URL.
    pub fn parse(url: &str) -> Result<Self, TargetError> {
        let roots = webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect();
        Self::trusting(url, roots)
    }

    /// The same, where other authorities are trusted.
    ///
    /// # Errors
    ///
    /// Fails if the text is no such URL.
    pub fn trusting(url: &str, roots: RootCertStore) -> Result<Self, TargetError> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self::with_tls(url, config)
    }

    /// The same, where connections with https are made so.
    ///
    /// # Errors
    ///
    /// Fails if the text is no such URL.
    pub fn with_tls(url: &str, config: ClientConfig) -> Result<Self, TargetError> {
        let wrong = |why: &str| TargetError::Url {
            url: url.to_owned(),
            why: why.to_owned(),
        };
        let uri: Uri = url.parse().map_err(|error| wrong(&format!("{error}")))?;
        let is_tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(wrong("it begins with neither http:// nor https://")),
        };
        let authority = uri.authority().ok_or_else(|| wrong("it names no host"))?;
        if authority.as_str().contains('@') {
            return Err(wrong("it has a name or password in it"));
        }
        if uri.query().is_some() {
            return Err(wrong("it has a query"));
        }
        // An address of version 6 stands in brackets there.
        let host = authority.host();
        let host = host
            .strip_prefix('[')
            .map_or(host, |host| host.trim_end_matches(']'));
        let tls = is_tls.then(|| tls(host, config)).transpose()?;
        Ok(Self {
            url: url.trim_end_matches('/').to_owned(),
            host: host.to_owned(),
            port: authority
                .port_u16()
                .unwrap_or(if is_tls { 443 } else { 80 }),
            authority: authority.as_str().to_owned(),
            base: uri.path().trim_end_matches('/').to_owned(),
            tls,
        })
    }

    /// The URL, without a slash at its end.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What goes before the path of a request line.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// The value of the header `host`.
    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }

    pub(crate) fn tls(&self) -> Option<&Tls> {
        self.tls.as_ref()
    }

    /// The address that takes a connection, so that no name is resolved and no address tried while
    /// the clock runs.
    pub(crate) fn resolve(&self) -> Result<SocketAddr, TargetError> {
        let unreachable = |error| TargetError::Unreachable {
            url: self.url.clone(),
            error,
        };
        let name = (self.host.as_str(), self.port);
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in name.to_socket_addrs().map_err(unreachable)? {
            match TcpStream::connect_timeout(&address, CONNECT_TIMEOUT) {
                Ok(_) => return Ok(address),
                Err(error) => last = error,
            }
        }
        Err(unreachable(last))
    }
}

fn tls(host: &str, config: ClientConfig) -> Result<Tls, TargetError> {
    let name = ServerName::try_from(host.to_owned()).map_err(|error| TargetError::Url {
        url: host.to_owned(),
        why: error.to_string(),
    })?;
    Ok(Tls {
        config: Arc::new(config),
        name,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_say_where_and_how() {
        for (url, expected) in [
            (
                "http://127.0.0.1:8080",
                "127.0.0.1 8080 127.0.0.1:8080 '' plain",
            ),
            ("http://localhost/", "localhost 80 localhost '' plain"),
            (
                "https://a.example/b/c/",
                "a.example 443 a.example '/b/c' tls",
            ),
            ("https://[::1]:99", "::1 99 [::1]:99 '' tls"),
        ] {
            let target = Target::parse(url).unwrap();
            let (host, port, authority, base) =
                (&target.host, target.port, target.authority(), target.base());
            let tls = target.tls().map_or("plain", |_| "tls");
            let said = format!("{host} {port} {authority} '{base}' {tls}");
            assert_eq!(said, expected, "{url}");
        }
        for url in [
            "",
            "localhost:8080",
            "ftp://a",
            "http://",
            "http://a:b@c",
            "http://a/?b",
            "no url",
        ] {
            let refused = Target::parse(url).unwrap_err().to_string();
            assert!(refused.contains("is no usable URL"), "{url}: {refused}");
        }
    }

    #[test]
    fn an_unknown_name_is_reported() {
        let target = Target::parse("http://nobody.invalid").unwrap();
        let error = target.resolve().unwrap_err().to_string();
        assert!(
            error.contains("no connection to http://nobody.invalid"),
            "{error}"
        );
    }
}
