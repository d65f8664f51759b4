//! Which file cannot be used, and why.

use std::path::PathBuf;

/// One of the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsFile {
    /// [`certificate`](super::TlsFiles::certificate).
    Certificate,
    /// [`key`](super::TlsFiles::key).
    Key,
    /// [`client_authorities`](super::TlsFiles::client_authorities).
    ClientAuthorities,
}

/// A file that cannot be used. Nothing of a key is repeated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} ({}): {why}", .file.setting(), .path.display())]
pub struct TlsFileError {
    /// Which one.
    pub file: TlsFile,
    /// Where it is.
    pub path: PathBuf,
    /// What is wrong with it.
    pub why: String,
}

impl TlsFile {
    /// The setting that names it.
    #[must_use]
    pub const fn setting(self) -> &'static str {
        match self {
            Self::Certificate => "tls.cert_file",
            Self::Key => "tls.key_file",
            Self::ClientAuthorities => "tls.client_ca_file",
        }
    }
}
