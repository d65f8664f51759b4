//! The files of a certificate: reading, validation, and finding out that they have changed.
//!
//! What is *not* here: which of several readings is served ([`super::Tls`]).

use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::certificate::Fields;
use super::config;
use super::error::{TlsFile, TlsFileError};
use crate::wire::time::rfc3339;

/// Longest file that is read: some thousand certificates. A path can be that of a device.
const FILE_MAX_BYTES: u64 = 8 * 1024 * 1024;

/// Where the certificate, its key, and the authorities of clients are: PEM files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate of the server, and behind it those that lead to its authority.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The authorities of which clients must show a certificate; `None`: clients show none.
    pub client_authorities: Option<PathBuf>,
}

/// The contents of the files, which a server can use. Clones share them.
#[derive(Clone)]
pub struct TlsCredentials(Arc<Contents>);

struct Contents {
    files: TlsFiles,
    /// How the files were before they were read.
    stamps: Stamps,
    pem: Pem,
    chain: Vec<CertificateDer<'static>>,
    config: ServerConfig,
    not_before_s: i64,
    not_after_s: i64,
}

/// What the files hold.
#[derive(PartialEq, Eq)]
struct Pem {
    certificate: Vec<u8>,
    key: Vec<u8>,
    client_authorities: Option<Vec<u8>>,
}

/// What changes when a file, or a symbolic link on the way to it, is replaced; `None` for a file
/// that is not there.
pub(super) type Stamps = [Option<(u64, u64, i64, i64, u64)>; 3];

impl TlsFiles {
    /// Reads and validates the files.
    ///
    /// # Errors
    /// The first file that cannot be used.
    pub fn load(&self) -> Result<TlsCredentials, TlsFileError> {
        let stamps = self.stamps();
        let read = |file| self.read(file);
        let pem = Pem {
            certificate: read(TlsFile::Certificate)?,
            key: read(TlsFile::Key)?,
            client_authorities: match self.client_authorities {
                Some(_) => Some(read(TlsFile::ClientAuthorities)?),
                None => None,
            },
        };
        let chain =
            certificates_in_pem(&pem.certificate).map_err(self.wrong(TlsFile::Certificate))?;
        let key = private_key(&pem.key).map_err(self.wrong(TlsFile::Key))?;
        let authorities = match &pem.client_authorities {
            Some(pem) => {
                certificates_in_pem(pem).map_err(self.wrong(TlsFile::ClientAuthorities))?
            }
            None => Vec::new(),
        };
        let config = config::build(&chain, &key, &authorities)
            .map_err(|(file, why)| self.wrong(file)(why))?;
        let Some(leaf) = Fields::of(&chain[0]) else {
            let why = "its validity cannot be read".to_owned();
            return Err(self.wrong(TlsFile::Certificate)(why));
        };
        let (not_before_s, not_after_s) = (leaf.not_before_s, leaf.not_after_s);
        Ok(TlsCredentials(Arc::new(Contents {
            files: self.clone(),
            stamps,
            pem,
            chain,
            config,
            not_before_s,
            not_after_s,
        })))
    }

    fn path(&self, file: TlsFile) -> &Path {
        match file {
            TlsFile::Certificate => &self.certificate,
            TlsFile::Key => &self.key,
            TlsFile::ClientAuthorities => self.client_authorities.as_deref().unwrap_or(&self.key),
        }
    }

    fn read(&self, file: TlsFile) -> Result<Vec<u8>, TlsFileError> {
        let path = self.path(file);
        let read = || {
            let mut contents = Vec::new();
            io::Read::read_to_end(
                &mut io::Read::take(fs::File::open(path)?, FILE_MAX_BYTES),
                &mut contents,
            )?;
            Ok(contents)
        };
        read().map_err(|error: io::Error| self.wrong(file)(format!("it cannot be read: {error}")))
    }

    fn wrong(&self, file: TlsFile) -> impl FnOnce(String) -> TlsFileError {
        let path = self.path(file).to_owned();
        move |why| TlsFileError { file, path, why }
    }

    /// How the files are now. Symbolic links are followed: Kubernetes replaces one of a directory.
    pub(super) fn stamps(&self) -> Stamps {
        let paths = [
            Some(&self.certificate),
            Some(&self.key),
            self.client_authorities.as_ref(),
        ];
        paths.map(|path| {
            let file = fs::metadata(path?).ok()?;
            let (seconds, nanoseconds) = (file.mtime(), file.mtime_nsec());
            Some((file.dev(), file.ino(), seconds, nanoseconds, file.size()))
        })
    }
}

impl TlsCredentials {
    /// Where they were read.
    pub(super) fn files(&self) -> &TlsFiles {
        &self.0.files
    }

    /// How the files were when they were read.
    pub(super) fn stamps(&self) -> Stamps {
        self.0.stamps
    }

    pub(super) fn config(&self) -> &ServerConfig {
        &self.0.config
    }

    /// The last second in which the certificate is valid, since 1970.
    #[must_use]
    pub fn not_after_s(&self) -> i64 {
        self.0.not_after_s
    }

    /// The time until which the certificate is valid, as answers have times.
    #[must_use]
    pub fn not_after(&self) -> String {
        text_of(self.0.not_after_s)
    }

    /// Whether they are of the same clients.
    pub(super) fn has_clients_of(&self, other: &Self) -> bool {
        self.0.pem.client_authorities == other.0.pem.client_authorities
    }

    /// What an operator should change although a server can use them, a sentence each. `now_ms` is
    /// the time on the wall clock.
    #[must_use]
    pub fn warnings(&self, now_ms: i64) -> Vec<String> {
        let file = self.0.files.certificate.display();
        let now_s = now_ms.div_euclid(1_000);
        let mut warnings = Vec::new();
        if now_s > self.0.not_after_s {
            warnings.push(format!(
                "the certificate in {file} (tls.cert_file) has expired at {}: clients refuse it",
                self.not_after()
            ));
        } else if now_s < self.0.not_before_s {
            warnings.push(format!(
                "the certificate in {file} (tls.cert_file) is valid from {} on only: until then \
                 clients refuse it",
                text_of(self.0.not_before_s)
            ));
        }
        let fields: Vec<Option<Fields<'_>>> =
            self.0.chain.iter().map(|it| Fields::of(it)).collect();
        let is_chain = fields.windows(2).all(|pair| match pair {
            [Some(one), Some(next)] => one.issuer == next.subject,
            _ => false,
        });
        if !is_chain {
            warnings.push(format!(
                "the certificates in {file} (tls.cert_file) are not in order: each must be \
                 followed by that of its issuer, or some clients refuse them"
            ));
        }
        warnings
    }
}

impl PartialEq for TlsCredentials {
    /// Whether the files are the same and hold the same.
    fn eq(&self, other: &Self) -> bool {
        self.0.files == other.0.files && self.0.pem == other.0.pem
    }
}

impl fmt::Debug for TlsCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.files.fmt(f)
    }
}

/// A time in seconds since 1970, as answers have times.
fn text_of(seconds: i64) -> String {
    rfc3339(u64::try_from(seconds).unwrap_or_default() * 1_000)
}

/// The certificates of a PEM file.
///
/// # Errors
/// There is none in it, or it is no PEM.
pub fn certificates_in_pem(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let certificates: Result<Vec<_>, pem::Error> = CertificateDer::pem_slice_iter(pem).collect();
    match certificates {
        Ok(certificates) if certificates.is_empty() => {
            Err("there is no certificate in PEM form in it".to_owned())
        }
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(format!("it is no PEM: {error}")),
    }
}

fn private_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, String> {
    if String::from_utf8_lossy(pem).contains("ENCRYPTED") {
        return Err("it is encrypted, and its password cannot be entered here".to_owned());
    }
    // The error could repeat a part of the key.
    PrivateKeyDer::from_pem_slice(pem)
        .map_err(|_| "there is no private key in PEM form in it".to_owned())
}
