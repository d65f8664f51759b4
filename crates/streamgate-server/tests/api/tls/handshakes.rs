//! Handshakes: versions, protocols, deadline, clients without TLS or without a certificate.

use std::io::{self, Write};
use std::num::NonZeroU32;

use rustls::ClientConnection;
use rustls::version::{TLS12, TLS13};
use streamgate_server::Stopped;
use tokio::io::AsyncReadExt as _;

use super::*;
use crate::support::running::{Over, Stream, read_all};

const QUICK: Duration = Duration::from_millis(200);

const CONNECTIONS: &str = "streamgate_http_connections";

#[tokio::test]
async fn versions_1_2_and_1_3_are_spoken_and_resumed() {
    let running = Running::over(Over::Tls, HttpSettings::default()).await;
    for version in [&TLS12, &TLS13] {
        let config = Arc::new(client_of(&[version]));
        for expected in [false, true, true] {
            let stream = call(&running, Arc::clone(&config)).await.unwrap();
            let spoken = stream.get_ref().1.protocol_version();
            assert_eq!(spoken, Some(version.version));
            assert_eq!(is_resumed(&stream), expected, "{version:?}");
        }
    }
    let count = |kind| format!("streamgate_tls_handshakes_total{{kind=\"{kind}\"}}");
    assert_eq!(running.service.metric(&count("full")).await, "2");
    assert_eq!(running.service.metric(&count("resumed")).await, "4");
}

#[tokio::test]
async fn http_1_1_is_negotiated_and_http_2_alone_is_refused() {
    let running = Running::over(Over::Tls, HttpSettings::default()).await;
    for (offered, chosen) in [
        (&[][..], None),
        (&["http/1.1"], Some("http/1.1")),
        (&["h2", "http/1.1"], Some("http/1.1")),
        (&["http/1.0"], Some("http/1.0")),
    ] {
        let mut config = client_of(&[&TLS13]);
        config.alpn_protocols = offered
            .iter()
            .map(|name| name.as_bytes().to_vec())
            .collect();
        let stream = call(&running, Arc::new(config)).await.unwrap();
        let spoken = stream.get_ref().1.alpn_protocol();
        assert_eq!(spoken, chosen.map(str::as_bytes), "{offered:?}");
    }
    let mut config = client_of(&[&TLS13]);
    config.alpn_protocols = vec![b"h2".to_vec()];
    assert!(call(&running, Arc::new(config)).await.is_err());
    wait_for_failures(&running, "incompatible", 1).await;
}

/// The first bytes of a client.
fn hello() -> Vec<u8> {
    let mut hello = Vec::new();
    let mut client = ClientConnection::new(client_config(), server_name()).unwrap();
    client.write_tls(&mut hello).unwrap();
    hello
}

#[tokio::test]
async fn a_handshake_that_never_ends_is_cut_off_at_its_deadline() {
    let files = Some(server_files());
    let running = Running::with_files(HttpSettings::default(), files, QUICK).await;
    let hello = hello();
    let beginnings = [0, 1, 5, hello.len() - 1, hello.len()];
    for length in beginnings {
        let mut socket = TcpStream::connect(running.address).await.unwrap();
        socket.write_all(&hello[..length]).await.unwrap();
        // Its end need not be in order.
        let _ = socket.read_to_end(&mut Vec::new()).await;
    }
    wait_for_failures(&running, "timeout", beginnings.len()).await;
}

/// The first bytes of a hello of 64,000 bytes, in records of 16 KiB.
fn endless_hello(length: usize) -> Vec<u8> {
    let mut message = vec![1, 0, 0xfa, 0];
    message.resize(length, 0);
    let record = |part: &[u8]| {
        let length = u16::try_from(part.len()).unwrap();
        [&[22, 3, 1], &length.to_be_bytes()[..], part].concat()
    };
    message.chunks(16 * 1024).flat_map(record).collect()
}

fn files_with_clients() -> TlsFiles {
    TlsFiles {
        client_authorities: Some(CERTIFICATES.path("ca.pem")),
        ..server_files()
    }
}

#[tokio::test]
async fn a_hello_beyond_the_bound_of_a_flight_is_closed_at_once() {
    let running = running_with(server_files()).await;
    let mut socket = TcpStream::connect(running.address).await.unwrap();
    // A server that has closed need not take the rest.
    let _ = socket.write_all(&endless_hello(60 * 1024)).await;
    wait_for_failures(&running, "invalid", 1).await;
    wait_for(&running, CONNECTIONS, 0).await;
}

#[tokio::test]
async fn a_long_hello_within_the_bound_is_waited_for() {
    for (files, length) in [
        (server_files(), 20 * 1024),
        (files_with_clients(), 60 * 1024),
    ] {
        let running = Running::with_files(HttpSettings::default(), Some(files), QUICK).await;
        let mut socket = TcpStream::connect(running.address).await.unwrap();
        socket.write_all(&endless_hello(length)).await.unwrap();
        wait_for_failures(&running, "timeout", 1).await;
    }
}

/// What the client writes.
fn written(client: &mut ClientConnection) -> Vec<u8> {
    let mut bytes = Vec::new();
    while client.wants_write() {
        client.write_tls(&mut bytes).unwrap();
    }
    bytes
}

/// What the client reads next, as text.
async fn read_on(client: &mut ClientConnection, socket: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    assert!(socket.read_buf(&mut bytes).await.unwrap() > 0, "closed");
    let mut rest = &bytes[..];
    let mut text = Vec::new();
    while !rest.is_empty() {
        client.read_tls(&mut rest).unwrap();
        let state = client.process_new_packets().unwrap();
        let mut plain = vec![0; state.plaintext_bytes_to_read()];
        io::Read::read_exact(&mut client.reader(), &mut plain).unwrap();
        text.extend(plain);
    }
    String::from_utf8(text).unwrap()
}

/// They arrive with the last message of the handshake, and do not count against it.
#[tokio::test]
async fn whole_records_of_a_request_may_come_right_behind_the_handshake() {
    let running = running_with(server_files()).await;
    for version in [&TLS12, &TLS13] {
        let config = Arc::new(client_of(&[version]));
        let mut client = ClientConnection::new(config, server_name()).unwrap();
        client.set_buffer_limit(None);
        let mut socket = TcpStream::connect(running.address).await.unwrap();
        while client.is_handshaking() {
            // All but the last message of the client, which waits for the request.
            socket.write_all(&written(&mut client)).await.unwrap();
            read_on(&mut client, &mut socket).await;
        }
        let body = format!("{{\"heartbeats\":[]{}}}", " ".repeat(200 << 10));
        let head = format!(
            "POST /v1/heartbeats HTTP/1.1\r\nhost: x\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        client.writer().write_all(head.as_bytes()).unwrap();
        client.writer().write_all(body.as_bytes()).unwrap();
        socket.write_all(&written(&mut client)).await.unwrap();
        let mut answer = String::new();
        while answer.is_empty() {
            answer = read_on(&mut client, &mut socket).await;
        }
        assert!(answer.starts_with("HTTP/1.1 200 "), "{version:?}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_slow_handshakes_keep_nobody_waiting_and_end_at_their_deadline() {
    const SLOW: usize = 1_000;
    let files = Some(server_files());
    let deadline = Duration::from_secs(10);
    let running = Running::with_files(HttpSettings::default(), files, deadline).await;
    let hello = hello();
    let mut slow = Vec::new();
    for i in 0..SLOW {
        let mut socket = TcpStream::connect(running.address).await.unwrap();
        let length = i % hello.len();
        socket.write_all(&hello[..length]).await.unwrap();
        slow.push(socket);
    }
    let stream = call(&running, client_config()).await.unwrap();
    // Those in their handshake count.
    wait_for(&running, CONNECTIONS, SLOW + 1).await;
    wait_for_failures(&running, "timeout", SLOW).await;
    drop((stream, slow));
}

#[tokio::test]
async fn a_handshake_counts_among_the_connections_of_its_peer() {
    let http = HttpSettings {
        max_connections_per_peer: NonZeroU32::new(2),
        ..HttpSettings::default()
    };
    let running = Running::over(Over::Tls, http).await;
    let _first = call(&running, client_config()).await.unwrap();
    let silent = TcpStream::connect(running.address).await.unwrap();
    let mut refused = TcpStream::connect(running.address).await.unwrap();
    let mut said = Vec::new();
    let _ = refused.read_to_end(&mut said).await;
    assert!(said.is_empty());
    let refusals = "streamgate_http_connections_refused_total";
    assert_eq!(running.service.metric(refusals).await, "1");
    drop(silent);
    wait_for_failures(&running, "disconnected", 1).await;
    call(&running, client_config()).await.unwrap();
}

#[tokio::test]
async fn a_request_in_clear_text_is_told_to_use_https() {
    let running = Running::over(Over::Tls, HttpSettings::default()).await;
    let long = format!("GET / HTTP/1.1\r\nx-long: {}\r\n\r\n", "x".repeat(32_000));
    for request in ["GET / HTTP/1.1\r\nhost: x\r\n\r\n", "P", &long] {
        let mut socket = TcpStream::connect(running.address).await.unwrap();
        socket.write_all(request.as_bytes()).await.unwrap();
        let answer = read_all(&mut socket).await;
        assert!(
            answer.starts_with("HTTP/1.1 400 Bad Request\r\n"),
            "{answer}"
        );
        assert!(answer.contains("\"code\":\"invalid_request\""), "{answer}");
        assert!(answer.contains("use https"), "{answer}");
        drop(socket);
    }
    wait_for_failures(&running, "plain_http", 3).await;
}

#[tokio::test]
async fn what_is_no_tls_is_told_apart_from_a_client_that_leaves() {
    let running = Running::over(Over::Tls, HttpSettings::default()).await;
    let mut socket = TcpStream::connect(running.address).await.unwrap();
    socket
        .write_all(&[22, 3, 1, 0, 4, 0xff, 0, 0, 0])
        .await
        .unwrap();
    let _ = socket.read_to_end(&mut Vec::new()).await;
    wait_for_failures(&running, "invalid", 1).await;
    drop(TcpStream::connect(running.address).await.unwrap());
    wait_for_failures(&running, "disconnected", 1).await;
}

#[tokio::test]
async fn a_client_that_does_not_trust_the_certificate_is_counted() {
    let running = Running::over(Over::Tls, HttpSettings::default()).await;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let trusts_none = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    assert!(call(&running, Arc::new(trusts_none)).await.is_err());
    wait_for_failures(&running, "certificate_refused", 1).await;
}

/// With `tls.client_ca_file`, clients must show a certificate of it.
#[tokio::test]
async fn a_client_without_a_certificate_of_the_authority_is_refused() {
    let running = running_with(files_with_clients()).await;
    call(&running, client_with("client")).await.unwrap();
    assert!(call(&running, client_config()).await.is_err());
    assert!(call(&running, client_with("other")).await.is_err());
    wait_for_failures(&running, "client_certificate", 2).await;
}

/// No request can have arrived on a connection in its handshake.
#[tokio::test]
async fn a_handshake_under_way_does_not_delay_the_end() {
    let running = Running::over(Over::Tls, HttpSettings::default()).await;
    let idle = running.connect().await;
    let mut silent = TcpStream::connect(running.address).await.unwrap();
    wait_for(&running, CONNECTIONS, 2).await;
    running.stop.send(()).unwrap();
    assert_eq!(running.server.await.unwrap(), Stopped { cut_off: 0 });
    let _ = silent.read_to_end(&mut Vec::new()).await;
    drop(idle);
}

/// What the client sent behind its handshake is carried out, although nothing can be written to it
/// any more: not even the tickets that end the handshake.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_behind_the_handshake_is_carried_out_for_a_client_that_has_left() {
    const CLIENTS: usize = 200;
    let running = Running::over(Over::Tls, HttpSettings::default()).await;
    for i in 0..CLIENTS {
        let Stream::Tls(mut stream) = running.connect().await else {
            panic!("it speaks TLS")
        };
        let request = format!("PUT /v1/users/u{i}/sessions/s HTTP/1.1\r\nhost: x\r\n\r\n");
        let (socket, connection) = stream.get_mut();
        connection.writer().write_all(request.as_bytes()).unwrap();
        let mut bytes = Vec::new();
        connection.write_tls(&mut bytes).unwrap();
        socket.write_all(&bytes).await.unwrap();
        socket.set_zero_linger().unwrap();
    }
    wait_for(&running, "streamgate_live_sessions", CLIENTS).await;
}

/// A server that ends a connection says so, lest it be taken for an attack.
#[tokio::test]
async fn an_idle_connection_is_closed_in_order() {
    let http = HttpSettings {
        header_timeout: QUICK,
        ..HttpSettings::default()
    };
    let running = Running::over(Over::Tls, http).await;
    let mut stream = running.connect().await;
    assert_eq!(read_all(&mut stream).await, "");
}

/// A FIN without `close_notify`, as many clients end a connection.
#[tokio::test]
async fn a_request_before_a_bare_fin_is_answered() {
    let running = Running::over(Over::Tls, HttpSettings::default()).await;
    let Stream::Tls(mut stream) = running.connect().await else {
        panic!("it speaks TLS")
    };
    let request = b"PUT /v1/users/u/sessions/s HTTP/1.1\r\nhost: x\r\n\r\n";
    stream.write_all(request).await.unwrap();
    stream.flush().await.unwrap();
    stream.get_mut().0.shutdown().await.unwrap();
    let answer = read_all(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
}

#[tokio::test]
async fn a_client_that_sends_rubbish_behind_its_handshake_is_closed() {
    let running = Running::over(Over::Tls, HttpSettings::default()).await;
    let Stream::Tls(mut stream) = running.connect().await else {
        panic!("it speaks TLS")
    };
    ask(&mut stream).await.unwrap();
    stream
        .get_mut()
        .0
        .write_all(&[23, 3, 3, 0, 20])
        .await
        .unwrap();
    stream.get_mut().0.write_all(&[7; 20]).await.unwrap();
    let error: io::Result<usize> = stream.read_to_end(&mut Vec::new()).await;
    assert!(error.is_err(), "an alert");
    wait_for(&running, CONNECTIONS, 0).await;
}
