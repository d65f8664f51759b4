//! Dynoxide, an emulator of DynamoDB, as a process of its own.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::Duration;

use tokio::net::TcpStream;

/// Where `./test` installs it, below the workspace.
const INSTALLED: &str = ".tools/node_modules/@dynoxide/linux-x64/dynoxide";

/// Says where it is instead.
const VARIABLE: &str = "STREAMGATE_TEST_DYNOXIDE";

/// How many ports are tried, because another process may take one that was free.
const PORTS_MAX: u32 = 20;

/// An empty server on a port of its own. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Dynoxide {
    process: Child,
    // Open as long as the process, which must be able to say its last words.
    _words: BufReader<ChildStderr>,
    url: String,
}

impl Dynoxide {
    pub(crate) async fn start() -> Self {
        for _ in 0..PORTS_MAX {
            if let Some(server) = Self::start_on(free_port()) {
                server.wait_until_it_listens().await;
                return server;
            }
        }
        panic!("dynoxide found no free port of {PORTS_MAX}");
    }

    /// Such as `http://127.0.0.1:8000`.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// `None` where it ended at once, as it does where the port is taken.
    fn start_on(port: u16) -> Option<Self> {
        let mut process = Command::new(binary())
            .args(["serve", "--host", "127.0.0.1", "--port", &port.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("dynoxide can be started");
        let mut words = BufReader::new(process.stderr.take().expect("it is piped"));
        let mut line = String::new();
        words.read_line(&mut line).expect("it says something");
        let server = Self {
            process,
            _words: words,
            url: format!("http://127.0.0.1:{port}"),
        };
        line.contains("listening on").then_some(server)
    }

    async fn wait_until_it_listens(&self) {
        let address = self.url.strip_prefix("http://").expect("as made above");
        let connected = async {
            while TcpStream::connect(address).await.is_err() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), connected)
            .await
            .expect("dynoxide listens within 20 s");
    }
}

impl Drop for Dynoxide {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn binary() -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let path = std::env::var_os(VARIABLE).map_or_else(|| workspace.join(INSTALLED), PathBuf::from);
    assert!(
        path.is_file(),
        "the emulator of DynamoDB is not at {}: run ./test, which installs it, or set {VARIABLE} \
         to a dynoxide binary",
        path.display()
    );
    path
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.local_addr().expect("it is bound").port()
}
