//! TLS of the client commands: which authorities they trust, and the certificate that they show.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use streamgate_server::certificates_in_pem;
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig, TlsConfigBuilder};

use super::arguments::PathParser;
use crate::exit::{Code, Failure};

/// How to prove who is who, with https.
#[derive(Debug, Default, Args)]
pub(crate) struct TlsArgs {
    /// A PEM file with the authorities to trust [default: the public ones]
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "STREAMGATE_CA_FILE",
        hide_env_values = true,
        value_parser = PathParser
    )]
    ca_file: Option<PathBuf>,

    /// A PEM file with the certificate to show, if the server asks for one
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "STREAMGATE_CLIENT_CERT_FILE",
        hide_env_values = true,
        value_parser = PathParser,
        requires = "client_key_file"
    )]
    client_cert_file: Option<PathBuf>,

    /// A PEM file with the key of that certificate
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "STREAMGATE_CLIENT_KEY_FILE",
        hide_env_values = true,
        value_parser = PathParser,
        requires = "client_cert_file"
    )]
    client_key_file: Option<PathBuf>,
}

/// What the files hold.
#[derive(Debug)]
pub(crate) struct ClientTls {
    /// `None`: the public ones.
    authorities: Option<Vec<CertificateDer<'static>>>,
    identity: Option<Identity>,
}

/// The certificate to show.
#[derive(Debug)]
struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    /// The same key, as the blocking client takes it.
    key_for_calls: PrivateKey<'static>,
}

impl TlsArgs {
    /// Reads the files.
    pub(crate) fn load(&self) -> Result<ClientTls, Failure> {
        let authorities = named(&self.ca_file).map(certificates);
        let identity = named(&self.client_cert_file).zip(named(&self.client_key_file));
        let identity = identity.map(|(certificate, key)| {
            let why = "there is no private key in PEM form in it, or it is encrypted";
            let pem = read(key)?;
            Ok::<_, Failure>(Identity {
                chain: certificates(certificate)?,
                key: PrivateKeyDer::from_pem_slice(&pem).map_err(|_| wrong(key, why))?,
                key_for_calls: PrivateKey::from_pem(&pem).map_err(|_| wrong(key, why))?,
            })
        });
        Ok(ClientTls {
            authorities: authorities.transpose()?,
            identity: identity.transpose()?,
        })
    }
}

impl ClientTls {
    /// For the blocking client.
    pub(super) fn for_calls(&self) -> TlsConfig {
        self.builder().build()
    }

    /// The same, for any server whatever its certificate.
    pub(super) fn unverified(&self) -> TlsConfig {
        self.builder().disable_verification(true).build()
    }

    fn builder(&self) -> TlsConfigBuilder {
        let roots = match &self.authorities {
            Some(authorities) => RootCerts::new_with_certs(&ureq_certificates(authorities)),
            None => RootCerts::WebPki,
        };
        let identity = self.identity.as_ref().map(|identity| {
            let key = identity.key_for_calls.to_owned();
            ClientCert::new_with_certs(&ureq_certificates(&identity.chain), key)
        });
        TlsConfig::builder().root_certs(roots).client_cert(identity)
    }

    /// For the load generator.
    pub(crate) fn for_load(&self) -> Result<ClientConfig, Failure> {
        let unusable = |error: rustls::Error| {
            Failure::new(Code::Usage, format!("TLS cannot be used: {error}"))
        };
        let mut roots = RootCertStore::empty();
        match &self.authorities {
            Some(authorities) => {
                for authority in authorities {
                    roots.add(authority.clone()).map_err(unusable)?;
                }
            }
            None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        }
        let config = ClientConfig::builder().with_root_certificates(roots);
        match &self.identity {
            None => Ok(config.with_no_client_auth()),
            Some(identity) => config
                .with_client_auth_cert(identity.chain.clone(), identity.key.clone_key())
                .map_err(unusable),
        }
    }
}

/// A file that is named: an empty variable names none.
fn named(file: &Option<PathBuf>) -> Option<&Path> {
    file.as_deref().filter(|file| !file.as_os_str().is_empty())
}

/// Certificates as the blocking client takes them.
pub(crate) fn ureq_certificates(
    certificates: &[CertificateDer<'static>],
) -> Vec<Certificate<'static>> {
    let owned = |der: &CertificateDer<'static>| Certificate::from_der(der).to_owned();
    certificates.iter().map(owned).collect()
}

/// The certificates of a file; none is an error.
fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, Failure> {
    certificates_in_pem(&read(file)?).map_err(|why| wrong(file, &why))
}

fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(file).map_err(|error| wrong(file, &format!("it cannot be read: {error}")))
}

fn wrong(file: &Path, why: &str) -> Failure {
    Failure::new(Code::Usage, format!("{}: {why}", file.display()))
}
