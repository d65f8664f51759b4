//! Golden files: bytes as readable hex, with a first line that says what they are.
#![expect(
    clippy::disallowed_methods,
    reason = "the golden files are files; the core itself reads none"
)]

use std::fmt::Write as _;
use std::path::PathBuf;

/// Bytes on one line of a file.
const LINE_BYTES: usize = 16;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

pub(crate) fn path(name: &str) -> PathBuf {
    folder().join(format!("{name}.hex"))
}

/// The names and bytes of all files, in the order of their names.
pub(crate) fn all() -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(folder()).expect("the folder tests/golden");
    let mut files: Vec<(String, Vec<u8>)> = entries
        .map(|entry| {
            let path = entry.expect("a readable folder").path();
            assert_eq!(
                path.extension().and_then(|e| e.to_str()),
                Some("hex"),
                "{path:?}"
            );
            let name = path.file_stem().and_then(|stem| stem.to_str());
            let text = std::fs::read_to_string(&path).expect("a readable file");
            (name.expect("a name in ASCII").to_owned(), parse(&text))
        })
        .collect();
    files.sort();
    files
}

/// The bytes in the text of a file; lines with `#` are comments.
pub(crate) fn parse(text: &str) -> Vec<u8> {
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .flat_map(str::split_whitespace)
        .map(|byte| u8::from_str_radix(byte, 16).expect("two hex digits a byte"))
        .collect()
}

/// The text of a file.
pub(crate) fn text(comment: &str, bytes: &[u8]) -> String {
    let mut text = format!("# {comment}\n");
    for line in bytes.chunks(LINE_BYTES) {
        let line: Vec<String> = line.iter().map(|byte| format!("{byte:02x}")).collect();
        writeln!(text, "{}", line.join(" ")).expect("a String takes any text");
    }
    text
}
