//! Clients of other makers: OpenSSL and curl.

use super::Node;

#[test]
fn openssl_speaks_1_2_and_1_3_and_nothing_older() {
    let node = Node::start(|_| Vec::new());
    for (version, is_spoken) in [
        ("-tls1_3", true),
        ("-tls1_2", true),
        ("-tls1_1", false),
        ("-tls1", false),
    ] {
        let mut client = node.s_client();
        // Without this, the client itself refuses what is old.
        client.args([version, "-cipher", "ALL:@SECLEVEL=0"]);
        let output = client.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.success(), is_spoken, "{version}: {said}");
        if is_spoken {
            assert!(said.contains("Verify return code: 0 (ok)"), "{said}");
        }
    }
    let reason = "streamgate_tls_handshake_failures_total{reason=\"incompatible\"}";
    assert_eq!(node.metric(reason), 2);
}

#[test]
fn curl_starts_renews_and_stops_a_session() {
    let node = Node::start(|_| Vec::new());
    assert!(
        node.server.url().starts_with("https://"),
        "{}",
        node.server.url()
    );
    let session = "/v1/users/u/sessions/s";
    assert_eq!(node.called("PUT", session, &[]).0, 201);
    let heartbeat = format!("{session}/heartbeat");
    for version in [
        "--tlsv1.2",
        "--tls-max 1.2",
        "--http1.0",
        "--http1.1",
        "--http2",
    ] {
        let options: Vec<&str> = version.split(' ').collect();
        let (status, body) = node.called("POST", &heartbeat, &options);
        assert_eq!(status, 200, "{version}: {body}");
    }
    assert_eq!(node.called("DELETE", session, &[]).0, 204);
}

#[test]
fn curl_in_clear_text_is_told_to_use_https() {
    let node = Node::start(|_| Vec::new());
    let url = format!("http://{}/v1/users", node.server.address);
    let output = node.curl(&["--include", &url]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.starts_with("HTTP/1.1 400 "), "{output:?}");
    assert!(said.contains("use https"), "{said}");
}

#[test]
fn clients_must_show_a_certificate_if_an_authority_is_set() {
    let node = Node::start(|made| {
        let file = made.path("ca.pem");
        vec![
            "--set".to_owned(),
            format!("tls.client_ca_file={}", file.display()),
        ]
    });
    let url = format!("{}/healthz", node.server.url());
    assert!(!node.curl(&[&url]).status.success());
    let [cert, key] = ["client.pem", "client.key"].map(|name| node.made.path(name));
    let (cert, key) = (cert.to_str().unwrap(), key.to_str().unwrap());
    let (status, _) = node.called("GET", "/healthz", &["--cert", cert, "--key", key]);
    assert_eq!(status, 200);
}
