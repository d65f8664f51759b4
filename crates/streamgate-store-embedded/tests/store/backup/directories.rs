//! The directories of backups and restores: what is overwritten, removed and opened.

use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use streamgate_store_embedded::OpenError;
use streamgate_store_embedded::tools::{BackupToolError, receive_and_keep, restore};
use tempfile::{TempDir, tempdir};

use super::{entries, small_backup, write};
use crate::common::{files, open, open_small, small};

#[tokio::test]
async fn of_a_directory_of_backups_the_newest_stay_and_what_is_no_backup() {
    let base = tempdir().unwrap();
    let bytes = small_backup(base.path()).await;
    let dir = base.path().join("daily");
    let keep = |mut stream: &[u8], time: &str, count| {
        receive_and_keep(&mut stream, &dir, time, NonZeroUsize::new(count).unwrap())
    };
    let names = || -> Vec<String> {
        let paths = entries(&dir).into_iter();
        let name = |path: PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
        paths.map(name).filter(|name| name != "LOCK").collect()
    };
    for time in ["1", "2", "3"] {
        assert!(keep(&bytes, time, 3).unwrap().1.is_empty());
    }
    // What looks like a backup and is none, and one that was killed.
    for other in ["streamgate-0", "notes", "streamgate-0.partial"] {
        fs::create_dir(dir.join(other)).unwrap();
    }
    let removed = keep(&bytes, "4", 2).unwrap().1;
    assert_eq!(
        removed,
        [dir.join("streamgate-1"), dir.join("streamgate-2")]
    );
    let left = ["notes", "streamgate-0", "streamgate-3", "streamgate-4"];
    assert_eq!(names(), left);
    // One that fails removes none.
    keep(&bytes[..bytes.len() - 1], "5", 1).unwrap_err();
    assert_eq!(names(), left);
    // A clock that was set back does not cost the new one.
    assert_eq!(keep(&bytes, "2", 1).unwrap().1.len(), 2);
    assert_eq!(names(), ["notes", "streamgate-0", "streamgate-2"]);
}

#[tokio::test]
async fn a_backup_overwrites_nothing() {
    let base = tempdir().unwrap();
    let bytes = small_backup(base.path()).await;
    let dir = base.path().join("backup");
    for make in [
        (|dir| fs::create_dir(dir).unwrap()) as fn(&Path),
        |dir| fs::write(dir, "text").unwrap(),
        |dir| std::os::unix::fs::symlink("nowhere", dir).unwrap(),
    ] {
        make(&dir);
        let error = write(&bytes, &dir).unwrap_err();
        assert!(matches!(error, BackupToolError::Exists(_)), "{error}");
        let is_dir = dir.is_dir();
        if is_dir {
            fs::remove_dir(&dir)
        } else {
            fs::remove_file(&dir)
        }
        .unwrap();
    }
    let partial = base.path().join("backup.partial");
    fs::create_dir(&partial).unwrap();
    fs::write(partial.join("mine"), "text").unwrap();
    let error = write(&bytes, &dir).unwrap_err();
    assert!(matches!(error, BackupToolError::Unfinished(_)), "{error}");
    assert!(partial.join("mine").exists());
}

#[tokio::test]
async fn a_restore_overwrites_nothing() {
    let base = tempdir().unwrap();
    let bytes = small_backup(base.path()).await;
    let (dir, data) = (base.path().join("backup"), base.path().join("restored"));
    write(&bytes, &dir).unwrap();
    fs::create_dir(&data).unwrap();
    fs::write(data.join("mine"), "text").unwrap();
    let error = restore(&dir, &data).unwrap_err();
    assert!(matches!(error, BackupToolError::NotEmpty { .. }), "{error}");
    fs::remove_file(data.join("mine")).unwrap();
    restore(&dir, &data).unwrap();
    let again = restore(&dir, &data).unwrap_err();
    assert!(matches!(again, BackupToolError::NotEmpty { .. }), "{again}");
    // Nor while a server uses the directory.
    let store = open_small(&data);
    let busy = restore(&dir, &data).unwrap_err();
    let is_in_use = matches!(busy, BackupToolError::Open(OpenError::InUse { .. }));
    assert!(is_in_use, "{busy}");
    drop(store);
}

/// A server that started in a backup would change it; one that started where a restore was killed
/// would begin with a part of the sessions, or with none.
#[tokio::test]
async fn no_store_opens_a_backup_or_half_of_a_restore() {
    let base = tempdir().unwrap();
    let bytes = small_backup(base.path()).await;
    let dir = base.path().join("backup");
    write(&bytes, &dir).unwrap();
    let refused = open(small(&dir)).unwrap_err();
    assert!(matches!(refused, OpenError::IsBackup { .. }), "{refused}");
    let names = files(&dir);
    for count in 0..names.len() {
        let half: TempDir = tempdir().unwrap();
        for name in ["BACKUP"]
            .into_iter()
            .chain(names[..count].iter().map(String::as_str))
        {
            fs::copy(dir.join(name), half.path().join(name)).unwrap();
        }
        let refused = open(small(half.path())).unwrap_err();
        assert!(matches!(refused, OpenError::IsBackup { .. }), "{refused}");
    }
    restore(&dir, &base.path().join("restored")).unwrap();
}
