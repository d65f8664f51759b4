//! The files of a certificate: which cannot be used, and which are used with a warning.

use std::fs;
use std::path::PathBuf;

use streamgate_clock::wall_ms;
use streamgate_server::TlsFile;
use tempfile::TempDir;

use super::*;

/// A file with these contents.
fn file(dir: &TempDir, contents: &[u8]) -> PathBuf {
    let path = dir.path().join(format!("{}.pem", contents.len()));
    fs::write(&path, contents).unwrap();
    path
}

fn assert_refused(files: &TlsFiles, file: TlsFile, why: &str) {
    let error = files.load().unwrap_err();
    assert_eq!(error.file, file, "{error}");
    assert!(error.why.contains(why), "{error}");
    let said = error.to_string();
    assert!(said.starts_with(file.setting()), "{said}");
    assert!(said.contains(&error.path.display().to_string()), "{said}");
}

#[test]
fn a_pair_that_cannot_be_used_names_its_file_and_nothing_of_a_key() {
    let dir = TempDir::new().unwrap();
    let good = server_files();
    let (certificate, key) = (good.certificate.clone(), good.key.clone());
    let with_certificate = |certificate: PathBuf| TlsFiles {
        certificate,
        ..good.clone()
    };
    let with_key = |key: PathBuf| TlsFiles {
        key,
        ..good.clone()
    };
    let is_missing = "it cannot be read: No such file";
    let missing = dir.path().join("missing");
    assert_refused(
        &with_certificate(missing.clone()),
        TlsFile::Certificate,
        is_missing,
    );
    assert_refused(&with_key(missing.clone()), TlsFile::Key, is_missing);
    let empty = file(&dir, b"");
    let has_none = "there is no certificate in PEM form in it";
    assert_refused(
        &with_certificate(empty.clone()),
        TlsFile::Certificate,
        has_none,
    );
    assert_refused(
        &with_certificate(key.clone()),
        TlsFile::Certificate,
        has_none,
    );
    let has_no_key = "there is no private key in PEM form in it";
    assert_refused(&with_key(empty.clone()), TlsFile::Key, has_no_key);
    assert_refused(&with_key(certificate), TlsFile::Key, has_no_key);
    let other = CERTIFICATES.path("client.key");
    assert_refused(
        &with_key(other),
        TlsFile::Key,
        "the key of another certificate",
    );
    CERTIFICATES.openssl("ec -in server.key -out encrypted.key -aes128 -passout pass:secret");
    let encrypted = CERTIFICATES.path("encrypted.key");
    assert_refused(&with_key(encrypted), TlsFile::Key, "it is encrypted");
    let broken = "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n";
    let broken = file(&dir, broken.as_bytes());
    assert_refused(
        &with_certificate(broken),
        TlsFile::Certificate,
        "it is no PEM",
    );
    let shuffled = [CERTIFICATES.read("ca.pem"), CERTIFICATES.read("server.pem")].concat();
    let shuffled = file(&dir, &shuffled);
    let order = "must be the first in it";
    assert_refused(&with_certificate(shuffled), TlsFile::Certificate, order);
    for (authorities, why) in [(missing, is_missing), (empty, has_none), (key, has_none)] {
        let files = TlsFiles {
            client_authorities: Some(authorities),
            ..good.clone()
        };
        assert_refused(&files, TlsFile::ClientAuthorities, why);
    }
}

#[test]
fn a_certificate_that_clients_refuse_is_warned_of() {
    let good = server_files().load().unwrap();
    let now = wall_ms();
    let day = 24 * 60 * 60 * 1_000;
    assert_eq!(good.warnings(now), [""; 0]);
    let [told] = &good.warnings(now + 3 * day)[..] else {
        panic!("one warning")
    };
    assert!(told.contains("has expired at 20"), "{told}");
    let [told] = &good.warnings(now - 3 * day)[..] else {
        panic!("one warning")
    };
    assert!(told.contains("is valid from 20"), "{told}");
    assert!(good.not_after_s() * 1_000 > now + day);
    assert!(good.not_after().ends_with("00Z"), "{}", good.not_after());
}

#[test]
fn a_chain_in_another_order_is_warned_of() {
    let dir = TempDir::new().unwrap();
    let chain = |names: &[&str]| {
        let pem: Vec<u8> = names
            .iter()
            .flat_map(|name| CERTIFICATES.read(name))
            .collect();
        let files = TlsFiles {
            certificate: file(&dir, &pem),
            ..server_files()
        };
        files.load().unwrap().warnings(wall_ms())
    };
    assert_eq!(chain(&["server.pem", "ca.pem"]), [""; 0]);
    let told = chain(&["server.pem", "other.pem"]);
    assert!(told[0].contains("are not in order"), "{told:?}");
}
