//! What a backup consists of, as text: the head of the stream, and the file `BACKUP`.
//!
//! ```text
//! streamgate backup 1
//! as_of_ms 1795242600123
//! position 4711
//! release 0.1.0
//! file snapshot-0000000000000002.sg 52333 52333 1c291ca3
//! file log-0000000000000002.sg 4096 16777216 8a9136aa
//! crc32c e3069283
//! ```
//!
//! A file: its name, the length of its content, its length with the zeros behind that, and the
//! checksum of the content. In the stream the checksums are missing, because the files have not
//! been read yet.

use std::fmt::Write as _;

use crate::format::{FileKind, HEADER_BYTES};
use crate::log::Lsn;

/// The version that is written, and the newest that is understood.
pub(crate) const VERSION: u32 = 1;

/// The first word of the text.
const TITLE: &str = "streamgate backup ";

/// Longest text that is read, in bytes: some ten thousand files.
pub(crate) const MANIFEST_MAX_BYTES: usize = 1 << 20;

/// What a backup consists of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Manifest {
    /// Everything that was answered before this time is in it: milliseconds since 1970, by the
    /// server's wall clock.
    pub(crate) as_of_ms: u64,
    /// The position of the last record of the log in it.
    pub(crate) position: Lsn,
    /// The release that made it.
    pub(crate) release: String,
    /// The snapshot, if there is one, then the segments in order.
    pub(crate) files: Vec<BackupFile>,
}

/// A file of a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BackupFile {
    pub(crate) kind: FileKind,
    pub(crate) number: u64,
    /// How many bytes of it count.
    pub(crate) content: u64,
    /// The length of the file; zeros follow the content.
    pub(crate) len: u64,
    /// The checksum of the content, once it is known.
    pub(crate) sum: Option<u32>,
}

/// Why a text is no manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ManifestError {
    /// The text is not what was written.
    Damaged(&'static str),
    /// It was written by a newer version.
    Newer(u32),
}

impl BackupFile {
    /// The name of the file.
    pub(crate) fn name(&self) -> String {
        self.kind.file_name(self.number)
    }
}

impl Manifest {
    /// The bytes of all files, zeros included.
    pub(crate) fn total_len(&self) -> u64 {
        self.files.iter().map(|file| file.len).sum()
    }

    /// The text, with its checksum.
    pub(crate) fn to_text(&self) -> String {
        let mut text = format!(
            "{TITLE}{VERSION}\nas_of_ms {}\nposition {}\nrelease {}\n",
            self.as_of_ms, self.position, self.release
        );
        for file in &self.files {
            // Writing to a String cannot fail.
            let _ = write!(text, "file {} {} {}", file.name(), file.content, file.len);
            let _ = match file.sum {
                Some(sum) => writeln!(text, " {sum:08x}"),
                None => writeln!(text),
            };
        }
        let sum = crc32c::crc32c(text.as_bytes());
        let _ = writeln!(text, "crc32c {sum:08x}");
        text
    }

    /// Reads a text that [`to_text`](Self::to_text) wrote.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        use ManifestError::{Damaged, Newer};
        let text = std::str::from_utf8(bytes).map_err(|_| Damaged("the list is not text"))?;
        let rest = text
            .strip_prefix(TITLE)
            .ok_or(Damaged("the list does not begin with its title"))?;
        // The title and the last line are the same in every version.
        let sum_at = text
            .rfind("crc32c ")
            .ok_or(Damaged("the list has no checksum"))?;
        let sum = crc32c::crc32c(&bytes[..sum_at]);
        if text[sum_at..] != format!("crc32c {sum:08x}\n") {
            return Err(Damaged("the checksum of the list is wrong"));
        }
        let (version, body) = rest
            .split_once('\n')
            .ok_or(Damaged("the list is too short"))?;
        match version.parse() {
            Ok(VERSION) => {}
            Ok(version) => return Err(Newer(version)),
            Err(_) => return Err(Damaged("the version of the list is no number")),
        }
        let body = &body[..sum_at - (text.len() - body.len())];
        let read = read_lines(body).ok_or(Damaged("the list is malformed"))?;
        // What can be written in two ways is not what was written.
        let is_same = read.to_text().as_bytes() == bytes;
        let is_listed = read.check_files();
        (is_same && is_listed)
            .then_some(read)
            .ok_or(Damaged("the list is malformed"))
    }

    /// Whether the files are a snapshot, or none, and the segments behind it without a gap.
    fn check_files(&self) -> bool {
        let is_snapshot = |file: &&BackupFile| file.kind == FileKind::Snapshot;
        let first = self.files.first().filter(is_snapshot);
        let segments = &self.files[usize::from(first.is_some())..];
        let begin = first.map_or(1, |snapshot| snapshot.number);
        let follows = |(file, number): (&BackupFile, u64)| {
            file.kind == FileKind::Segment && file.number == number
        };
        let is_whole = |file: &BackupFile| (HEADER_BYTES as u64..=file.len).contains(&file.content);
        !segments.is_empty()
            && segments.iter().zip(begin..).all(follows)
            && self.files.iter().all(is_whole)
    }
}

/// The lines between the title and the checksum.
fn read_lines(body: &str) -> Option<Manifest> {
    let mut lines = body.lines();
    let mut value = |name: &str| {
        let line = lines.next()?;
        line.strip_prefix(name)?.strip_prefix(' ')
    };
    Some(Manifest {
        as_of_ms: value("as_of_ms")?.parse().ok()?,
        position: value("position")?.parse().ok()?,
        release: value("release")?.to_owned(),
        files: lines.map(read_file).collect::<Option<_>>()?,
    })
}

fn read_file(line: &str) -> Option<BackupFile> {
    let mut words = line.strip_prefix("file ")?.split(' ');
    let (kind, number) = FileKind::parse_name(words.next()?)?;
    Some(BackupFile {
        kind,
        number,
        content: words.next()?.parse().ok()?,
        len: words.next()?.parse().ok()?,
        sum: match words.next() {
            Some(sum) => Some(u32::from_str_radix(sum, 16).ok()?),
            None => None,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        let file = |kind, number| BackupFile {
            kind,
            number,
            content: 64,
            len: 4_096,
            sum: Some(7),
        };
        Manifest {
            as_of_ms: 1_795_242_600_123,
            position: 42,
            release: "1.2.3".to_owned(),
            files: vec![
                file(FileKind::Snapshot, 3),
                file(FileKind::Segment, 3),
                file(FileKind::Segment, 4),
            ],
        }
    }

    #[test]
    fn a_manifest_comes_back_with_sums_and_without() {
        let mut manifest = manifest();
        assert_eq!(
            Manifest::parse(manifest.to_text().as_bytes()),
            Ok(manifest.clone())
        );
        for file in &mut manifest.files {
            file.sum = None;
        }
        assert_eq!(Manifest::parse(manifest.to_text().as_bytes()), Ok(manifest));
    }

    #[test]
    fn a_manifest_with_any_byte_changed_or_lost_is_refused() {
        let text = manifest().to_text().into_bytes();
        for at in 0..text.len() {
            for bit in 0..8 {
                let mut other = text.clone();
                other[at] ^= 1 << bit;
                assert!(Manifest::parse(&other).is_err(), "byte {at}, bit {bit}");
            }
            assert!(Manifest::parse(&text[..at]).is_err(), "{at} bytes");
        }
    }

    #[test]
    fn a_gap_a_foreign_name_and_a_short_file_are_refused() {
        let spoil = |change: fn(&mut Manifest)| {
            let mut manifest = manifest();
            change(&mut manifest);
            Manifest::parse(manifest.to_text().as_bytes())
        };
        assert!(spoil(|it| it.files.retain(|file| file.number != 3)).is_err());
        assert!(spoil(|it| it.files.swap(0, 1)).is_err());
        assert!(spoil(|it| it.files.truncate(1)).is_err());
        assert!(spoil(|it| it.files[1].content = 63).is_err());
        assert!(spoil(|it| it.files[1].len = 63).is_err());
        let text = manifest().to_text();
        let end = text.find("crc32c").unwrap();
        let foreign = text[..end].replace("log-0000000000000003.sg", "../../etc/passwd");
        let sum = crc32c::crc32c(foreign.as_bytes());
        let foreign = format!("{foreign}crc32c {sum:08x}\n");
        assert!(Manifest::parse(foreign.as_bytes()).is_err());
    }

    #[test]
    fn a_newer_version_is_not_called_damaged() {
        let text = manifest().to_text().replace("backup 1", "backup 9");
        let end = text.find("crc32c").unwrap();
        let sum = crc32c::crc32c(&text.as_bytes()[..end]);
        let text = format!("{}crc32c {sum:08x}\n", &text[..end]);
        assert_eq!(
            Manifest::parse(text.as_bytes()),
            Err(ManifestError::Newer(9))
        );
    }
}
