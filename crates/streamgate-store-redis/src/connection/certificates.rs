//! Certificates and keys for TLS, and their validation.

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

/// Certificates and keys, each the contents of a PEM file.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Certificates {
    /// The authorities that server certificates must come from; `None` for the public ones.
    pub authorities: Option<Vec<u8>>,
    /// The certificate and the key of this node, for servers that ask for them.
    pub client: Option<(Vec<u8>, Vec<u8>)>,
}

/// The certificates that new connections use, replaceable while there is a store. Clones share
/// them.
#[derive(Debug, Clone, Default)]
pub struct CurrentCertificates(Arc<Mutex<Certificates>>);

impl CurrentCertificates {
    pub(crate) fn new(certificates: Certificates) -> Self {
        Self(Arc::new(Mutex::new(certificates)))
    }

    pub(crate) fn get(&self) -> Certificates {
        self.0.lock().clone()
    }

    /// New connections use these; those that are open go on as they began. The caller has
    /// [checked](Certificates::check) them.
    pub fn replace(&self, certificates: Certificates) {
        *self.0.lock() = certificates;
    }
}

/// Which of them cannot be used, and why. Nothing of a key is repeated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// The certificates of the authorities.
    #[error("the authorities: {0}")]
    Authorities(String),
    /// The certificate to show.
    #[error("the certificate to show: {0}")]
    Certificate(String),
    /// Its key.
    #[error("the key of the certificate to show: {0}")]
    Key(String),
}

impl Certificates {
    /// Validates them.
    ///
    /// # Errors
    /// The first that cannot be used.
    pub fn check(&self) -> Result<(), CertificateError> {
        let mut authorities = RootCertStore::empty();
        for authority in self.authorities()? {
            authorities
                .add(authority)
                .map_err(|error| CertificateError::Authorities(error.to_string()))?;
        }
        let Some((certificate, key)) = &self.client else {
            return Ok(());
        };
        let certificate = read(certificate).map_err(CertificateError::Certificate)?;
        let key = read_key(key).map_err(CertificateError::Key)?;
        // Building a configuration finds out whether certificate and key belong together.
        ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|config| {
                let config = config.with_root_certificates(authorities);
                config.with_client_auth_cert(certificate, key)
            })
            .map(|_| ())
            .map_err(|error| match error {
                rustls::Error::InconsistentKeys(_) => {
                    CertificateError::Key("it is the key of another certificate".to_owned())
                }
                rustls::Error::InvalidCertificate(why) => {
                    CertificateError::Certificate(why.to_string())
                }
                other => CertificateError::Key(other.to_string()),
            })
    }

    fn authorities(&self) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
        let Some(pem) = &self.authorities else {
            return Ok(Vec::new());
        };
        read(pem).map_err(CertificateError::Authorities)
    }
}

/// The certificates of a PEM file; none is an error.
fn read(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let certificates: Result<Vec<_>, pem::Error> = CertificateDer::pem_slice_iter(pem).collect();
    match certificates {
        Ok(certificates) if certificates.is_empty() => {
            Err("there is no certificate in PEM form in it".to_owned())
        }
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(format!("it is no PEM: {error}")),
    }
}

fn read_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, String> {
    if String::from_utf8_lossy(pem).contains("ENCRYPTED") {
        return Err("it is encrypted, and its password cannot be entered here".to_owned());
    }
    // The error could repeat a part of the key.
    PrivateKeyDer::from_pem_slice(pem)
        .map_err(|_| "there is no private key in PEM form in it".to_owned())
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificates")
            .field("authorities", &self.authorities.is_some())
            .field("client", &self.client.is_some())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_certificate_and_no_key_is_told_apart() {
        let broken = b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----".to_vec();
        let encrypted = b"-----BEGIN ENCRYPTED PRIVATE KEY-----".to_vec();
        assert!(Certificates::default().check().is_ok());
        for pem in [Vec::new(), b"secret".to_vec(), broken, encrypted] {
            let authorities = Certificates {
                authorities: Some(pem.clone()),
                client: None,
            };
            let error = authorities.check().unwrap_err();
            assert!(matches!(error, CertificateError::Authorities(_)), "{error}");
            assert!(!error.to_string().contains("secret"), "{error}");
            assert!(read_key(&pem).is_err());
        }
        let told = read_key(b"-----BEGIN ENCRYPTED PRIVATE KEY-----").unwrap_err();
        assert!(told.contains("encrypted"), "{told}");
    }
}
