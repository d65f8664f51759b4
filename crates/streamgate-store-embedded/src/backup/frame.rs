//! The frames of a backup stream: a mark, then length, checksum and bytes of each piece.
//!
//! ```text
//! "SGBACKUP" · ( length u32 · checksum u32 · bytes )*
//! ```
//!
//! The first frame is the manifest. Each further one is a piece of a file, in the order of the
//! manifest; no piece belongs to two files.

use std::io::{self, Read};

use crate::format::u32_at;

/// The first bytes of a stream.
pub(crate) const MARK: &[u8; 8] = b"SGBACKUP";

/// The length of a frame's head.
pub(crate) const FRAME_HEAD_BYTES: usize = 8;

/// Most bytes of a file in one frame.
pub(crate) const PIECE_BYTES: usize = 256 << 10;

/// Fills in the head of a frame: `frame` begins with room for it.
pub(crate) fn seal(frame: &mut [u8]) {
    let payload = &frame[FRAME_HEAD_BYTES..];
    let len = u32::try_from(payload.len()).expect("a piece is a megabyte at most");
    let sum = crc32c::crc32c(payload);
    frame[..4].copy_from_slice(&len.to_le_bytes());
    frame[4..8].copy_from_slice(&sum.to_le_bytes());
}

/// The bytes that a file of this length takes in the stream.
pub(crate) fn framed_len(content: u64) -> u64 {
    content + content.div_ceil(PIECE_BYTES as u64) * FRAME_HEAD_BYTES as u64
}

/// Reads the mark.
pub(crate) fn read_mark(stream: &mut dyn Read) -> io::Result<()> {
    let mut mark = [0; MARK.len()];
    read_exact(stream, &mut mark)?;
    if mark == *MARK {
        return Ok(());
    }
    Err(invalid("it does not begin as a backup does"))
}

/// Reads a frame into `payload`; its length must be one of `lens`.
pub(crate) fn read(
    stream: &mut dyn Read,
    payload: &mut Vec<u8>,
    lens: std::ops::RangeInclusive<usize>,
) -> io::Result<()> {
    let mut head = [0; FRAME_HEAD_BYTES];
    read_exact(stream, &mut head)?;
    let len = u32_at(&head, 0) as usize;
    if !lens.contains(&len) {
        return Err(invalid("the length of a piece is wrong"));
    }
    payload.resize(len, 0);
    read_exact(stream, payload)?;
    if crc32c::crc32c(payload) == u32_at(&head, 4) {
        return Ok(());
    }
    Err(invalid("the checksum of a piece is wrong"))
}

/// Checks that nothing follows.
pub(crate) fn read_end(stream: &mut dyn Read) -> io::Result<()> {
    let mut more = [0];
    loop {
        match stream.read(&mut more) {
            Ok(0) => return Ok(()),
            Ok(_) => return Err(invalid("more bytes follow the last piece")),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn read_exact(stream: &mut dyn Read, bytes: &mut [u8]) -> io::Result<()> {
    stream
        .read_exact(bytes)
        .map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => {
                io::Error::new(error.kind(), "it ended before the last piece")
            }
            _ => error,
        })
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
