//! Load over TLS.

use std::cell::RefCell;
use std::io::{self, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use streamgate_loadgen::{Drive, DriveError, Span, Stop, Target};
use streamgate_testkit::Certificates;

use crate::server::{Reply, stall, status, talk};
use crate::{SECOND, closed, open, outcomes, requests};

/// Serves over TLS for as long as the test runs; its URL.
fn serve(made: &Certificates) -> String {
    let certificate = CertificateDer::from_pem_file(made.path("server.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(made.path("server.key")).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let count = Arc::new(AtomicU64::new(0));
    thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            stream.set_nodelay(true).unwrap();
            let (config, count) = (Arc::clone(&config), Arc::clone(&count));
            thread::spawn(move || {
                let connection = ServerConnection::new(config).unwrap();
                let stream = StreamOwned::new(connection, stream);
                let stream = Shared(Rc::new(RefCell::new(stream)));
                let next = || count.fetch_add(1, Ordering::SeqCst);
                // Long enough for several records.
                let body = "x".repeat(40_000);
                let long = format!("HTTP/1.1 200 OK\r\ncontent-length: 40000\r\n\r\n{body}");
                let reply = |count: u64, _: &str| match count % 10 {
                    4 => Reply::Bytes(long.clone()),
                    _ => Reply::Bytes(status(201)),
                };
                talk(BufReader::new(stream.clone()), stream, &reply, &next);
            });
        }
    });
    url
}

/// One stream for reading and writing, in turn.
#[derive(Clone)]
struct Shared(Rc<RefCell<StreamOwned<ServerConnection, TcpStream>>>);

impl Read for Shared {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0.borrow_mut().read(into)
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().write(bytes)
    }

    /// Says something a little later that is no answer: it comes when nobody waits for one.
    fn flush(&mut self) -> io::Result<()> {
        let mut stream = self.0.borrow_mut();
        stream.flush()?;
        stall(Duration::from_millis(3));
        let renewed = stream.conn.refresh_traffic_keys();
        renewed.map_err(io::Error::other)?;
        stream.flush()
    }
}

#[test]
fn load_over_tls_is_load_and_only_on_whom_it_trusts() {
    let made = Certificates::make();
    let url = serve(&made);
    let mut roots = RootCertStore::empty();
    let authority = CertificateDer::from_pem_file(made.path("ca.pem")).unwrap();
    roots.add(authority).unwrap();
    let trusting = Drive::new(Target::trusting(&url, roots).unwrap(), 3);
    let driven = open(&trusting, 200.0, SECOND / 2);
    let total = driven.record.tally().total();
    assert!((99..=101).contains(&total), "{:?}", outcomes(&driven));
    let names: Vec<String> = outcomes(&driven)
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(names, ["200", "201"]);
    assert_eq!(driven.record.connections_lost, 0);
    let driven = closed(&trusting, SECOND * 3);
    assert!(driven.record.tally().total() > 10 && driven.record.tally().errors() == 0);

    // The web trusts no authority of our own.
    let wary = Drive::new(Target::parse(&url).unwrap(), 3);
    let load = vec![requests(&wary)];
    let span = Span::of(Duration::ZERO, SECOND);
    let error = wary.run(load, span, &Stop::default(), &mut |_| {});
    let Err(error @ DriveError::Connect { .. }) = error else {
        panic!("{error:?}");
    };
    assert!(error.to_string().contains("certificate"), "{error}");
}
