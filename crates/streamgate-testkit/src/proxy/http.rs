//! An HTTP proxy before a server, which records the calls and disturbs those that a test chooses.

use std::io;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What becomes of a request.
#[derive(Debug, Clone)]
pub enum Act {
    /// It is passed on, and the answer back.
    Pass,
    /// It is answered with this status and body, and not passed on.
    Answer(u16, String),
    /// It is passed on and done; then the connection is closed without an answer.
    LoseAnswer,
    /// It is passed on and done; the answer never comes, and the connection stays open.
    Hang,
    /// The connection is closed, and the request is not passed on.
    LoseRequest,
}

impl Act {
    /// What DynamoDB answers to a request that it refuses, with this code.
    pub fn refuse(code: &str) -> Self {
        let body =
            format!(r#"{{"__type":"com.amazonaws.dynamodb.v20120810#{code}","message":"no"}}"#);
        Self::Answer(400, body)
    }
}

/// A request, for the function that chooses what becomes of it.
#[derive(Debug, Clone)]
pub struct Request {
    /// Such as `PutItem`; for other services than DynamoDB, such as `GET /path`.
    pub operation: String,
    /// The request line and the headers.
    pub head: String,
}

type Plan = dyn FnMut(&Request) -> Act + Send;

/// What all connections share.
struct Shared {
    upstream: Option<String>,
    plan: Mutex<Box<Plan>>,
    seen: Mutex<Vec<String>>,
}

/// A proxy on a port of its own, until it is dropped.
pub struct Proxy {
    url: String,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    /// A proxy before the server at this URL.
    pub async fn before(url: &str, plan: impl FnMut(&Request) -> Act + Send + 'static) -> Self {
        let upstream = url.strip_prefix("http://").expect("a URL of a test");
        Self::open(Some(upstream.to_owned()), plan).await
    }

    /// A server that must answer every request by itself.
    pub async fn alone(plan: impl FnMut(&Request) -> Act + Send + 'static) -> Self {
        Self::open(None, plan).await
    }

    async fn open(
        upstream: Option<String>,
        plan: impl FnMut(&Request) -> Act + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared {
            upstream,
            plan: Mutex::new(Box::new(plan)),
            seen: Mutex::default(),
        });
        let accepting = tokio::spawn({
            let shared = Arc::clone(&shared);
            async move {
                while let Ok((client, _)) = listener.accept().await {
                    tokio::spawn(serve(client, Arc::clone(&shared)));
                }
            }
        });
        Self {
            url,
            shared,
            accepting,
        }
    }

    /// Its URL, without a path.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The operations that were asked for, in order, since this was asked last.
    pub fn take_seen(&self) -> Vec<String> {
        std::mem::take(&mut *self.shared.seen.lock().unwrap())
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Does this to the first requests for an operation, and passes all others.
pub fn first(
    count: usize,
    operation: &'static str,
    act: Act,
) -> impl FnMut(&Request) -> Act + Send + 'static {
    let mut left = count;
    move |request| {
        if left == 0 || request.operation != operation {
            return Act::Pass;
        }
        left -= 1;
        act.clone()
    }
}

/// Serves a connection. A client that goes away ends it.
async fn serve(mut client: TcpStream, shared: Arc<Shared>) {
    while let Ok(message) = read_message(&mut client).await {
        let request = message.request();
        shared.seen.lock().unwrap().push(request.operation.clone());
        let act = (shared.plan.lock().unwrap())(&request);
        let sent = match act {
            Act::Pass => match ask(&shared, &message).await {
                Ok(answer) => client.write_all(&answer.bytes()).await,
                Err(error) => Err(error),
            },
            Act::Answer(status, body) => {
                let length = body.len();
                // The time to live is for those who ask an instance for a token; others ignore it.
                let head = format!(
                    "HTTP/1.1 {status} Spoiled\r\ncontent-type: application/json\r\n\
                     x-aws-ec2-metadata-token-ttl-seconds: 21600\r\n\
                     content-length: {length}\r\n\r\n"
                );
                client.write_all(format!("{head}{body}").as_bytes()).await
            }
            Act::LoseAnswer => ask(&shared, &message).await.and(Err(lost())),
            Act::LoseRequest => Err(lost()),
            Act::Hang => {
                let _ = ask(&shared, &message).await;
                std::future::pending().await
            }
        };
        if sent.is_err() {
            return;
        }
    }
}

fn lost() -> io::Error {
    io::ErrorKind::ConnectionAborted.into()
}

async fn ask(shared: &Shared, request: &Message) -> io::Result<Message> {
    let upstream = shared.upstream.as_ref().expect("a server to pass it on to");
    let mut server = TcpStream::connect(upstream).await?;
    server.write_all(&request.bytes()).await?;
    read_message(&mut server).await
}

/// A request or an answer.
struct Message {
    head: String,
    body: Vec<u8>,
}

impl Message {
    fn bytes(&self) -> Vec<u8> {
        [self.head.as_bytes(), &self.body].concat()
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }

    fn request(&self) -> Request {
        let target = self
            .header("x-amz-target")
            .and_then(|it| it.rsplit('.').next());
        let line = self.head.lines().next().unwrap_or_default();
        let line = line.trim_end_matches(" HTTP/1.1");
        Request {
            operation: target.unwrap_or(line).to_owned(),
            head: self.head.clone(),
        }
    }
}

async fn read_message(stream: &mut TcpStream) -> io::Result<Message> {
    let mut read = Vec::new();
    let end = loop {
        if let Some(end) = read.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            break end + 4;
        }
        if stream.read_buf(&mut read).await? == 0 {
            return Err(lost());
        }
    };
    let mut message = Message {
        body: read.split_off(end),
        head: String::from_utf8(read).expect("headers are text"),
    };
    let length = message.header("content-length").unwrap_or("0");
    let length: usize = length.parse().expect("a length");
    while message.body.len() < length {
        if stream.read_buf(&mut message.body).await? == 0 {
            return Err(lost());
        }
    }
    Ok(message)
}
