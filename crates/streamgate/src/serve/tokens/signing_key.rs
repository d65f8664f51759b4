//! The signing key of a server with a data directory, unless a setting names one: made at the first
//! start, and the same from then on.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use streamgate_tokens::SigningKey;

use crate::exit::{Code, Failure};

/// Its file. No file of the store is called so.
const FILE: &str = "token-signing-key.pem";

/// Whether only the owner may read it.
const OWNER_ONLY: u32 = 0o600;

/// The key of this directory. It is made if there is none.
pub(super) fn of_directory(dir: &Path) -> Result<SigningKey, Failure> {
    let path = dir.join(FILE);
    let failed = |why: String| {
        let message = format!("the key that signs tokens, {}, {why}", path.display());
        Failure::new(Code::Store, message).hint(
            "make it readable; or name another by tokens.signing_key_file; or move it away, and \
             tokens that it signed are refused",
        )
    };
    let pem = match read(&path) {
        Ok(pem) => pem,
        Err(error) if error.kind() == io::ErrorKind::NotFound => make(dir, &path)
            .and_then(|()| read(&path))
            .map_err(|error| failed(format!("cannot be made: {error}")))?,
        Err(error) => return Err(failed(format!("cannot be read: {error}"))),
    };
    SigningKey::from_pem(&pem).map_err(|why| failed(why.to_string()))
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut pem = Vec::new();
    File::open(path)?.read_to_end(&mut pem)?;
    Ok(pem)
}

/// Makes the key under another name, and gives it its name once it is on disk. If another process
/// was faster, its key stays.
fn make(dir: &Path, path: &Path) -> io::Result<()> {
    let pem = SigningKey::generate_pem().map_err(io::Error::other)?;
    let made = dir.join(format!("{FILE}.{:016x}", getrandom::u64()?));
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(OWNER_ONLY)
        .open(&made)?;
    file.write_all(pem.as_bytes())?;
    file.sync_all()?;
    // A link does not replace a file that is there, as a new name would.
    let linked = std::fs::hard_link(&made, path);
    std::fs::remove_file(&made)?;
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::sync::Barrier;

    use super::*;

    #[test]
    fn the_signing_key_is_made_once_although_many_starts_race() {
        let dir = tempfile::tempdir().unwrap();
        let barrier = Barrier::new(8);
        let keys: Vec<String> = std::thread::scope(|scope| {
            let start = || {
                barrier.wait();
                of_directory(dir.path()).unwrap().public().id().to_owned()
            };
            let starts: Vec<_> = (0..8).map(|_| scope.spawn(start)).collect();
            starts.into_iter().map(|it| it.join().unwrap()).collect()
        });
        assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
        let names: Vec<_> = std::fs::read_dir(dir.path()).unwrap().collect();
        assert_eq!(names.len(), 1, "{names:?}");
        let mode = std::fs::metadata(dir.path().join(FILE)).unwrap();
        assert_eq!(mode.permissions().mode() & 0o777, OWNER_ONLY);
        assert_eq!(of_directory(dir.path()).unwrap().public().id(), keys[0]);
    }

    #[test]
    fn a_damaged_signing_key_is_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(FILE), "no key").unwrap();
        let failure = of_directory(dir.path()).unwrap_err();
        assert!(failure.message().contains(FILE), "{}", failure.message());
        assert_eq!(read(&dir.path().join(FILE)).unwrap(), b"no key");
    }
}
