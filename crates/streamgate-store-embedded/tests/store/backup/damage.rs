//! Damage: of any byte of a backup or of its stream is found, and leaves nothing behind.

use std::fs;
use std::io::{self, Read};

use streamgate_store_embedded::tools::{BackupToolError, receive, restore};
use tempfile::tempdir;

use super::{entries, small_backup, write};

#[tokio::test]
async fn damage_of_any_byte_of_a_backup_is_found_and_restores_nothing() {
    let base = tempdir().unwrap();
    let bytes = small_backup(base.path()).await;
    let (dir, data) = (base.path().join("backup"), base.path().join("restored"));
    write(&bytes, &dir).unwrap();
    let listed = entries(&dir);
    assert!(listed.len() >= 3, "{listed:?}");
    for path in listed {
        let whole = fs::read(&path).unwrap();
        for at in 0..whole.len() {
            let mut other = whole.clone();
            other[at] ^= 1 << (at % 8);
            fs::write(&path, &other).unwrap();
            let error = restore(&dir, &data).unwrap_err();
            assert!(
                matches!(error, BackupToolError::Damaged(_)),
                "{}, byte {at}: {error}",
                path.display()
            );
        }
        for len in [0, 1, whole.len() / 2, whole.len() - 1] {
            fs::write(&path, &whole[..len]).unwrap();
            let error = restore(&dir, &data).unwrap_err();
            assert!(matches!(error, BackupToolError::Damaged(_)), "{error}");
        }
        fs::remove_file(&path).unwrap();
        restore(&dir, &data).unwrap_err();
        fs::write(&path, &whole).unwrap();
    }
    assert!(!data.exists(), "nothing was restored");
    // A file of another directory is not a part of it.
    let stray = dir.join("log-0000000000000009.sg");
    fs::copy(dir.join("log-0000000000000002.sg"), &stray).unwrap();
    restore(&dir, &data).unwrap_err();
    fs::remove_file(stray).unwrap();
    restore(&dir, &data).unwrap();
}

#[tokio::test]
async fn a_stream_that_is_damaged_or_ends_early_leaves_nothing_behind() {
    let base = tempdir().unwrap();
    let bytes = small_backup(base.path()).await;
    let out = tempdir().unwrap();
    let dir = out.path().join("backup");
    let fails = |stream: &[u8], what: &str| {
        let error = write(stream, &dir).unwrap_err();
        assert!(
            matches!(error, BackupToolError::Stream(_)),
            "{what}: {error}"
        );
        assert!(entries(out.path()).is_empty(), "{what}");
    };
    for at in (0..bytes.len())
        .step_by(5)
        .chain(bytes.len() - 64..bytes.len())
    {
        let mut other = bytes.clone();
        other[at] ^= 1 << (at % 8);
        fails(&other, &format!("byte {at}"));
    }
    for len in (0..bytes.len())
        .step_by(41)
        .chain(bytes.len() - 9..bytes.len())
    {
        fails(&bytes[..len], &format!("{len} bytes"));
    }
    fails(&[bytes.as_slice(), b"x"].concat(), "a byte more");
    write(&bytes, &dir).unwrap();
}

/// Ends as a connection does whose server was killed.
struct Reset<'a>(&'a [u8]);

impl Read for Reset<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match self.0.read(bytes)? {
            0 => Err(io::ErrorKind::ConnectionReset.into()),
            read => Ok(read),
        }
    }
}

#[tokio::test]
async fn a_connection_that_is_reset_at_the_end_is_no_backup() {
    let base = tempdir().unwrap();
    let bytes = small_backup(base.path()).await;
    let dir = base.path().join("backup");
    let error = receive(&mut Reset(&bytes), &dir).unwrap_err();
    assert!(matches!(error, BackupToolError::Stream(_)), "{error}");
    assert!(!dir.exists());
}

#[test]
fn what_is_no_backup_is_called_so() {
    let base = tempdir().unwrap();
    let data = base.path().join("restored");
    let error = restore(base.path(), &data).unwrap_err();
    assert!(matches!(error, BackupToolError::NotABackup(_)), "{error}");
    let error = restore(&base.path().join("nowhere"), &data).unwrap_err();
    assert!(matches!(error, BackupToolError::Io { .. }), "{error}");
    let mut nonsense: &[u8] = b"<html>not a backup</html>";
    let error = receive(&mut nonsense, &base.path().join("backup")).unwrap_err();
    assert!(
        error.to_string().contains("does not begin as a backup"),
        "{error}"
    );
}
