//! The real process logs no mark: every operation of every document, with the store there and with
//! the store away, in both formats.

use serde_json::Value;
use streamgate_server::DialectName;
use streamgate_testkit::marks::{MARK, MarkedCall, marked_calls, marked_calls_below, marked_lines};
use streamgate_testkit::{Server, exchange, run, serve_arguments, streamgate};
use tempfile::TempDir;

fn document(arguments: &[&str]) -> Value {
    let arguments = [&["openapi"], arguments].concat();
    serde_json::from_str(&run(&arguments).ok()).unwrap()
}

fn calls() -> Vec<MarkedCall> {
    let mut calls = marked_calls(&document(&[]));
    for name in DialectName::ALL {
        let document = document(&["--dialect", name.as_str()]);
        let prefix = format!("/compat/{}", name.as_str());
        calls.extend(marked_calls_below(&prefix, &document));
    }
    // A backup is an answer of bytes, and holds names as it must.
    calls.retain(|call| !call.path.starts_with("/admin/backup"));
    for call in &mut calls {
        // An event stream has no end; its head is logged as the whole is.
        if call.path.contains("/events") {
            "HEAD".clone_into(&mut call.method);
        }
    }
    calls
}

/// Sends a call with marked headers; the status.
fn send(server: &Server, call: &MarkedCall) -> u16 {
    let (kind, body) = call.body.clone().unwrap_or_default();
    let text = format!(
        "{} {} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nx-api-key: {MARK}\r\n\
         cookie: {MARK}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n{body}",
        call.method,
        call.path,
        body.len()
    );
    exchange(server.address, text.as_bytes()).status
}

#[test]
fn the_process_logs_no_mark_at_info() {
    let calls = calls();
    for store in ["embedded", "redis://127.0.0.1:1"] {
        for format in ["human", "json"] {
            let dir = TempDir::new().unwrap();
            let mut command = streamgate(&serve_arguments(dir.path()));
            command.args([
                "--set",
                &format!("store.url={store}"),
                "--log-format",
                format,
            ]);
            let mut server = Server::spawn_logging(command);
            let line = match format {
                "json" => server.wait_for_log("listening on"),
                _ => server.wait_for_output("listening on"),
            };
            let (_, address) = line.split_once("http://").unwrap();
            let address = address.split(['"', '\n']).next().unwrap().trim();
            server.address = address.parse().unwrap();
            let failed = calls
                .iter()
                .filter(|call| send(&server, call) >= 500)
                .count();
            let ended = server.terminate();
            assert_eq!(ended.status.code(), Some(0), "{ended:?}");
            assert!(store == "embedded" || failed > 100, "{failed} failed");
            assert!(ended.stderr.lines().count() > 1, "{}", ended.stderr);
            assert_eq!(marked_lines(&ended.stderr), [""; 0]);
        }
    }
}
