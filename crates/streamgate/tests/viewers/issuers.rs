//! Tokens of an identity provider, whose keys are at an https URL.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use rustix::process::Signal;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use streamgate_testkit::{Certificates, Server, call, eventually};
use streamgate_tokens::{SigningKey, key_set_of};
use tempfile::TempDir;

use super::{SERVICE, call_with, key_in, list, service_key, signed};

const NAMES: (&str, &str) = ("https://login.example/", "streams");

/// A site that publishes keys over https, with a certificate of the tests' authority.
struct Site {
    address: SocketAddr,
    certificates: Certificates,
    /// The whole answer.
    answer: Arc<Mutex<String>>,
    asked: Arc<AtomicU32>,
}

impl Site {
    fn start(keys: &[&SigningKey]) -> Self {
        let certificates = Certificates::make();
        let chain = CertificateDer::from_pem_slice(&certificates.read("server.pem")).unwrap();
        let key = PrivateKeyDer::from_pem_slice(&certificates.read("server.key")).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![chain], key)
            .unwrap();
        let (config, listener) = (Arc::new(config), TcpListener::bind("127.0.0.1:0").unwrap());
        let site = Self {
            address: listener.local_addr().unwrap(),
            certificates,
            answer: Arc::default(),
            asked: Arc::default(),
        };
        site.publish(keys);
        let (answer, asked) = (Arc::clone(&site.answer), Arc::clone(&site.asked));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
                let mut stream = StreamOwned::new(connection, stream.unwrap());
                let mut head = [0; 4_096];
                // A client that does not trust the certificate says nothing.
                if stream.read(&mut head).is_ok_and(|read| read > 0) {
                    asked.fetch_add(1, Ordering::SeqCst);
                    let answer = answer.lock().unwrap().clone();
                    let _ = stream.write_all(answer.as_bytes());
                    stream.conn.send_close_notify();
                    let _ = stream.flush();
                }
            }
        });
        site
    }

    fn publish(&self, keys: &[&SigningKey]) {
        self.answer_with("200 OK", &key_set_of(keys.iter().map(|key| key.public())));
    }

    fn answer_with(&self, status: &str, body: &str) {
        *self.answer.lock().unwrap() = format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncache-control: max-age=60\r\n\
             location: https://{}/other\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        );
    }

    /// The issuer as a configuration file has it; `ca` is the authority that it is believed by.
    fn issuer(&self, ca: &str) -> String {
        let (issuer, audience) = NAMES;
        format!(
            "[[issuers]]\nname = \"login\"\nissuer = \"{issuer}\"\naudience = \"{audience}\"\n\
             jwks_url = \"https://{}/keys\"\njwks_ca_file = {:?}\nplan_claim = \"plan\"\n",
            self.address,
            self.certificates.path(ca),
        )
    }
}

fn node(dir: &TempDir, settings: &str) -> Server {
    let file = dir.path().join("streamgate.toml");
    fs::write(&file, settings).unwrap();
    let config = ["--config", file.to_str().unwrap()];
    Server::start_with(&dir.path().join("data"), &config)
}

fn key(dir: &TempDir) -> SigningKey {
    key_in(&dir.path().join("key-of-login.pem"))
}

/// Also the first token after a start is accepted: its call waits for the keys.
#[test]
fn the_keys_of_an_issuer_are_fetched_over_https_and_its_tokens_are_accepted() {
    let dir = TempDir::new().unwrap();
    let key = key(&dir);
    let site = Site::start(&[&key]);
    let node = node(&dir, &site.issuer("ca.pem"));
    let token = signed(&key, NAMES, "anna", 600);
    let path = "/v1/users/anna/sessions/tv";
    let start = call_with(node.address, &token, "PUT", path);
    assert_eq!(start.status, 201, "{}", start.text);
    assert_eq!(list(&node, &token, "bob"), 403);
    assert_eq!(site.asked.load(Ordering::SeqCst), 1);
    // Without keys, and with an issuer, the server is not open.
    assert_eq!(node.call("PUT", path, None).status, 401);
    let age: i64 = node.metric("streamgate_issuer_keys_age_seconds{issuer=\"login\"}");
    assert!((0..60).contains(&age), "{age}");
    // A site that is down later changes nothing for a day.
    site.answer_with("500 Internal Server Error", "");
    assert_eq!(list(&node, &token, "anna"), 200);
}

#[test]
fn keys_that_cannot_be_fetched_are_503_with_a_reason() {
    let dir = TempDir::new().unwrap();
    let key = key(&dir);
    let site = Site::start(&[&key]);
    let token = signed(&key, NAMES, "anna", 600);
    let refused = |mut node: Server, logged: &str| {
        let line = node.wait_for_log("the keys of an issuer could not be fetched");
        assert!(line.contains(logged), "{line}");
        let path = "/v1/users/anna/sessions";
        let answer = call_with(node.address, &token, "GET", path);
        assert_eq!(answer.status, 503, "{}", answer.text);
        assert_eq!(answer.json()["code"], "issuer_unavailable");
        assert_eq!(answer.header("retry-after"), "5");
        // Keys work all the while.
        let answer = call(node.address, "GET", path, Some(SERVICE), None);
        assert_eq!(answer.status, 200);
        node.kill();
    };
    let settings = |ca| format!("{}{}", service_key(), site.issuer(ca));
    // The certificate is of another authority.
    refused(node(&dir, &settings("other.pem")), "certificate");
    assert_eq!(site.asked.load(Ordering::SeqCst), 0);
    site.answer_with("404 Not Found", "");
    refused(node(&dir, &settings("ca.pem")), "404");
    // A redirect could lead anywhere.
    site.answer_with("302 Found", "");
    refused(node(&dir, &settings("ca.pem")), "302");
    site.answer_with("200 OK", &" ".repeat(64 * 1024 + 1));
    refused(node(&dir, &settings("ca.pem")), "error");
    site.answer_with("200 OK", "<html>");
    refused(node(&dir, &settings("ca.pem")), "no JSON web key set");
}

/// A call that fails at first is accepted once the site is back, without a restart.
#[test]
fn an_issuer_that_comes_back_is_asked_again() {
    let dir = TempDir::new().unwrap();
    let key = key(&dir);
    let site = Site::start(&[&key]);
    site.answer_with("503 Service Unavailable", "");
    let mut node = node(&dir, &site.issuer("ca.pem"));
    node.wait_for_log("the keys of an issuer could not be fetched");
    let token = signed(&key, NAMES, "anna", 600);
    assert_eq!(list(&node, &token, "anna"), 503);
    site.publish(&[&key]);
    eventually("the keys are fetched again", || {
        list(&node, &token, "anna") == 200
    });
}

#[test]
fn issuers_are_added_and_taken_away_without_a_restart() {
    let dir = TempDir::new().unwrap();
    let key = key(&dir);
    let site = Site::start(&[&key]);
    let token = signed(&key, NAMES, "anna", 600);
    let mut node = node(&dir, &service_key());
    assert_eq!(list(&node, &token, "anna"), 401);
    let reload = |node: &mut Server, settings: &str, logged: &str| {
        fs::write(dir.path().join("streamgate.toml"), settings).unwrap();
        node.signal(Signal::HUP);
        node.wait_for_log(logged)
    };
    let both = format!("{}{}", service_key(), site.issuer("ca.pem"));
    let taken = "SIGHUP: the settings were read again";
    let line = reload(&mut node, &both, taken);
    assert!(line.contains("issuers"), "{line}");
    assert_eq!(list(&node, &token, "anna"), 200);
    // The same settings again: the keys are not fetched again.
    reload(&mut node, &both, taken);
    assert_eq!(list(&node, &token, "anna"), 200);
    assert_eq!(site.asked.load(Ordering::SeqCst), 1);
    // An issuer without keys beside it keeps the server closed; neither would open it.
    reload(&mut node, &site.issuer("ca.pem"), taken);
    let path = "/v1/users/anna/sessions";
    assert_eq!(
        call(node.address, "GET", path, Some(SERVICE), None).status,
        401
    );
    let line = reload(&mut node, "", "need a restart");
    assert!(line.contains("issuers"), "{line}");
    assert_eq!(node.call("GET", path, None).status, 401);
    assert_eq!(list(&node, &token, "anna"), 200);
    reload(&mut node, &service_key(), taken);
    assert_eq!(list(&node, &token, "anna"), 401);
    assert_eq!(
        call(node.address, "GET", path, Some(SERVICE), None).status,
        200
    );
}
