//! The data directory: created if missing, used by one process, foreign files left alone.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::common::{contents, open, open_small, small, start};
use streamgate_store::Store;
use streamgate_store_embedded::OpenError;
use tempfile::tempdir;

#[tokio::test]
async fn a_missing_directory_is_made_for_its_owner_only() {
    let parent = tempdir().unwrap();
    let dir = parent.path().join("var").join("streamgate");
    open_small(&dir);
    assert_eq!(
        fs::metadata(&dir).unwrap().permissions().mode() & 0o777,
        0o700
    );
    for entry in fs::read_dir(&dir).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{entry:?}");
    }
}

#[tokio::test]
async fn a_directory_is_open_once_at_a_time() {
    let dir = tempdir().unwrap();
    let store = open_small(dir.path());
    let refused = open(small(dir.path())).unwrap_err();
    let text = refused.to_string();
    let OpenError::InUse { pid, .. } = refused else {
        panic!("{text}");
    };
    assert_eq!(pid, Some(std::process::id()));
    assert!(text.contains(&dir.path().display().to_string()), "{text}");
    start(&store, "user", "a").await.unwrap();
    store.close().await.unwrap();
    // A store that is closed has given its directory back, though it still exists.
    open_small(dir.path());
}

#[tokio::test]
async fn foreign_files_are_left_alone_and_unfinished_ones_removed() {
    let dir = tempdir().unwrap();
    let put = |name: &str| fs::write(dir.path().join(name), "text").unwrap();
    let ours = "log-0000000000000009.sg.tmp";
    for name in ["notes.txt", "log.sg", "something.tmp", ours] {
        put(name);
    }
    let store = open_small(dir.path());
    start(&store, "user", "a").await.unwrap();
    drop(store);
    assert_eq!(contents(&open_small(dir.path())).await.len(), 1);
    for name in ["notes.txt", "log.sg", "something.tmp"] {
        assert_eq!(fs::read_to_string(dir.path().join(name)).unwrap(), "text");
    }
    assert!(!dir.path().join(ours).exists());
}

#[tokio::test]
async fn a_path_that_is_not_a_directory_is_an_error_with_its_path() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("file");
    fs::write(&path, "text").unwrap();
    let error = open(small(&path)).unwrap_err().to_string();
    assert!(error.contains(&path.display().to_string()), "{error}");
}
