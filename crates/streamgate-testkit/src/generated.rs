//! Files that are generated from the code and committed, and the one switch that rewrites them.

use std::fs;
use std::path::Path;

/// The environment variable that makes tests rewrite generated files instead of only comparing.
pub const UPDATE_GENERATED: &str = "UPDATE_GENERATED";

/// Whether generated files are to be rewritten.
pub fn is_updating() -> bool {
    std::env::var_os(UPDATE_GENERATED).is_some()
}

/// Asserts that the file is committed with exactly this text. Rewrites it first if
/// `UPDATE_GENERATED` is set.
#[track_caller]
pub fn assert_generated(path: impl AsRef<Path>, current: &str) {
    let path = path.as_ref();
    if is_updating() {
        fs::write(path, current).unwrap();
    }
    let committed = fs::read_to_string(path).unwrap_or_default();
    assert!(
        committed == current,
        "{} differs from the code; run this test with {UPDATE_GENERATED}=1",
        path.display()
    );
}
