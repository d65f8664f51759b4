//! Certificates for TLS, made by `openssl`.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

/// Options for a new key.
const KEY: &str = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";

/// A directory with two unrelated authorities, `ca` and `other`, and certificates by `ca` for a
/// `server` at 127.0.0.1 and for a `client`. Each is `NAME.pem` with its key in `NAME.key`. The
/// file `names` holds neither.
#[derive(Debug)]
pub struct Certificates {
    directory: TempDir,
}

impl Certificates {
    /// Makes them, valid for two days.
    pub fn make() -> Self {
        let made = Self {
            directory: TempDir::new().unwrap(),
        };
        fs::write(made.path("names"), "subjectAltName=IP:127.0.0.1\n").unwrap();
        for name in ["ca", "other"] {
            made.openssl(&format!(
                "req -x509 {KEY} -keyout {name}.key -out {name}.pem -days 2 -subj /CN={name}"
            ));
        }
        for name in ["server", "client"] {
            made.issue(name, 2);
        }
        made
    }

    /// Makes another key with a certificate by `ca`, for 127.0.0.1 and valid for so many days; with
    /// none it has expired when it is made.
    pub fn issue(&self, name: &str, days: i32) {
        self.openssl(&format!(
            "req {KEY} -keyout {name}.key -out {name}.csr -subj /CN={name}"
        ));
        self.openssl(&format!(
            "x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial \
             -out {name}.pem -days {days} -extfile names"
        ));
    }

    /// Runs `openssl` in the directory, with these arguments between spaces.
    pub fn openssl(&self, arguments: &str) {
        let output = Command::new("openssl")
            .args(arguments.split(' '))
            .current_dir(self.directory.path())
            .output()
            .expect("openssl is there: ./test installs it");
        assert!(output.status.success(), "{arguments}: {output:?}");
    }

    /// Where the file of this name is.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// What the file of this name holds.
    pub fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }
}
