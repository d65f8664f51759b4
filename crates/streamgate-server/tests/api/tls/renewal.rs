//! Renewal of a certificate while connections are open.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use tempfile::TempDir;

use super::*;

/// A directory as Kubernetes mounts a Secret: the files are links through `..data`, which a renewal
/// replaces.
struct Mounted(TempDir);

impl Mounted {
    fn new(certificate: &str) -> Self {
        let mounted = Self(TempDir::new().unwrap());
        mounted.fill("first", certificate, certificate);
        symlink("first", mounted.path("..data")).unwrap();
        for name in ["tls.crt", "tls.key"] {
            symlink(format!("..data/{name}"), mounted.path(name)).unwrap();
        }
        mounted
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    fn fill(&self, directory: &str, certificate: &str, key: &str) {
        let directory = self.path(directory);
        fs::create_dir(&directory).unwrap();
        put(&directory.join("tls.crt"), &format!("{certificate}.pem"));
        put(&directory.join("tls.key"), &format!("{key}.key"));
    }

    /// Replaces both files in one step.
    fn swap(&self, directory: &str, certificate: &str, key: &str) {
        self.fill(directory, certificate, key);
        symlink(directory, self.path("..new")).unwrap();
        fs::rename(self.path("..new"), self.path("..data")).unwrap();
    }

    fn files(&self) -> TlsFiles {
        TlsFiles {
            certificate: self.path("tls.crt"),
            key: self.path("tls.key"),
            client_authorities: None,
        }
    }
}

fn put(path: &Path, name: &str) {
    fs::write(path, CERTIFICATES.read(name)).unwrap();
}

async fn not_after(running: &Running) -> i64 {
    let not_after = running.service.metric("streamgate_tls_not_after{}").await;
    not_after.parse().unwrap()
}

#[tokio::test]
async fn a_swapped_link_is_a_new_certificate_for_new_connections() {
    CERTIFICATES.issue("renewed", 30);
    let mounted = Mounted::new("server");
    let running = running_with(mounted.files()).await;
    let tls = running.tls.clone().unwrap();
    let before = not_after(&running).await;
    let mut open = call(&running, client_config()).await.unwrap();
    assert_eq!(shown(&open), certificate("server.pem"));
    tls.look();
    mounted.swap("second", "renewed", "renewed");
    tls.look();
    let fresh = call(&running, client_config()).await.unwrap();
    assert_eq!(shown(&fresh), certificate("renewed.pem"));
    assert!(not_after(&running).await > before + 20 * 24 * 60 * 60);
    // Nothing has happened to the connection that was open.
    ask(&mut open).await.unwrap();
    assert_eq!(shown(&open), certificate("server.pem"));
}

#[tokio::test]
async fn a_pair_that_cannot_be_used_leaves_the_old_one_until_it_is_mended() {
    CERTIFICATES.issue("mended", 30);
    let mounted = Mounted::new("server");
    let running = running_with(mounted.files()).await;
    let tls = running.tls.clone().unwrap();
    let before = not_after(&running).await;
    mounted.swap("wrong", "mended", "server");
    tls.look();
    let serves = async |name: &str| {
        let stream = call(&running, client_config()).await.unwrap();
        assert_eq!(shown(&stream), certificate(name));
    };
    serves("server.pem").await;
    fs::remove_file(mounted.path("tls.key")).unwrap();
    tls.look();
    serves("server.pem").await;
    assert_eq!(not_after(&running).await, before);
    put(&mounted.path("tls.key"), "mended.key");
    tls.look();
    serves("mended.pem").await;
    assert!(not_after(&running).await > before);
}

/// The first renewal of players that come back: they resume what they began with the certificate
/// before it.
#[tokio::test]
async fn a_session_is_resumed_after_a_renewal() {
    CERTIFICATES.issue("next", 30);
    let mounted = Mounted::new("server");
    let running = running_with(mounted.files()).await;
    let config = client_config();
    call(&running, Arc::clone(&config)).await.unwrap();
    mounted.swap("second", "next", "next");
    running.tls.clone().unwrap().look();
    let stream = call(&running, config).await.unwrap();
    assert!(is_resumed(&stream));
}

/// A resumed session is not asked for its certificate again, so one of an authority that is no
/// longer accepted must not be resumed.
#[tokio::test]
async fn a_session_is_not_resumed_once_its_authority_is_gone() {
    let accepting = |name: &str| TlsFiles {
        client_authorities: Some(CERTIFICATES.path(name)),
        ..server_files()
    };
    let running = running_with(accepting("ca.pem")).await;
    let tls = running.tls.clone().unwrap();
    let config = client_with("client");
    call(&running, Arc::clone(&config)).await.unwrap();
    assert!(is_resumed(
        &call(&running, Arc::clone(&config)).await.unwrap()
    ));
    assert!(tls.replace(accepting("other.pem").load().unwrap()));
    assert!(call(&running, config).await.is_err());
    wait_for_failures(&running, "client_certificate", 1).await;
}

#[tokio::test]
async fn the_same_files_again_are_no_change() {
    let running = running_with(server_files()).await;
    let tls = running.tls.clone().unwrap();
    assert!(!tls.replace(server_files().load().unwrap()));
    let config = client_config();
    call(&running, Arc::clone(&config)).await.unwrap();
    tls.look();
    assert!(is_resumed(&call(&running, config).await.unwrap()));
}
