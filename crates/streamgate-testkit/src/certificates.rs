//! Certificates for TLS, made by `openssl`.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

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
        let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
        for name in ["ca", "other"] {
            made.openssl(&format!(
                "req -x509 {key} -keyout {name}.key -out {name}.pem -days 2 -subj /CN={name}"
            ));
        }
        for name in ["server", "client"] {
            made.openssl(&format!(
                "req {key} -keyout {name}.key -out {name}.csr -subj /CN={name}"
            ));
            made.openssl(&format!(
                "x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial \
                 -out {name}.pem -days 2 -extfile names"
            ));
        }
        made
    }

    fn openssl(&self, arguments: &str) {
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
