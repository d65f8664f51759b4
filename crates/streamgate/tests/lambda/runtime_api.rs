//! A stand-in of Lambda's Runtime API: events wait in a queue, and any number of instances take
//! them, each one at a time.

use std::collections::{HashMap, VecDeque};
use std::io::BufReader;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::lambda::http;

/// How long an answer may take on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// What an instance sent about an event: the answer, or the error.
pub(crate) type Outcome = Result<Value, Value>;

#[derive(Default)]
struct State {
    count: usize,
    queue: VecDeque<(String, Value)>,
    waiting: HashMap<String, Sender<Outcome>>,
    /// The errors of instances that could not start.
    init_errors: Vec<Value>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    queued: Condvar,
}

/// The stand-in.
#[derive(Clone)]
pub(crate) struct RuntimeApi {
    address: SocketAddr,
    shared: Arc<Shared>,
}

/// An event that was sent.
pub(crate) struct Pending(Receiver<Outcome>);

impl Pending {
    /// What the instance sent about it.
    pub(crate) fn outcome(self) -> Outcome {
        self.0.recv_timeout(PATIENCE).expect("an instance answers")
    }
}

impl RuntimeApi {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let api = Self {
            address: listener.local_addr().unwrap(),
            shared: Arc::default(),
        };
        let serving = api.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let api = serving.clone();
                thread::spawn(move || api.serve(stream.unwrap()));
            }
        });
        api
    }

    /// The value of `AWS_LAMBDA_RUNTIME_API`.
    pub(crate) fn host(&self) -> String {
        self.address.to_string()
    }

    /// Sends an event to the instance that is free first.
    pub(crate) fn send(&self, event: Value) -> Pending {
        let (sender, receiver) = channel();
        let mut state = self.shared.state.lock().unwrap();
        state.count += 1;
        let id = format!("8476a536-e9f4-11e8-9739-{:012}", state.count);
        state.waiting.insert(id.clone(), sender);
        state.queue.push_back((id, event));
        self.shared.queued.notify_one();
        Pending(receiver)
    }

    /// Sends an event and waits for what becomes of it.
    pub(crate) fn invoke(&self, event: Value) -> Outcome {
        self.send(event).outcome()
    }

    pub(crate) fn init_errors(&self) -> Vec<Value> {
        self.shared.state.lock().unwrap().init_errors.clone()
    }

    /// Serves the connection of an instance until that is gone.
    fn serve(&self, mut stream: TcpStream) {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        while let Ok(request) = http::read(&mut reader) {
            let path = request.target.strip_prefix("/2018-06-01/runtime/");
            let path: Vec<&str> = path.expect("the version").split('/').collect();
            let written = match (request.method.as_str(), path.as_slice()) {
                ("GET", ["invocation", "next"]) => self.give_event(&mut stream),
                ("POST", ["invocation", id, "response"]) => {
                    self.take(id, Ok(json(&request.body)));
                    http::write(&mut stream, 202, &[], b"")
                }
                ("POST", ["invocation", id, "error"]) => {
                    self.take(id, Err(json(&request.body)));
                    http::write(&mut stream, 202, &[], b"")
                }
                ("POST", ["init", "error"]) => {
                    let mut state = self.shared.state.lock().unwrap();
                    state.init_errors.push(json(&request.body));
                    drop(state);
                    http::write(&mut stream, 202, &[], b"")
                }
                _ => panic!("{request:?}"),
            };
            if written.is_err() {
                return;
            }
        }
    }

    fn give_event(&self, stream: &mut TcpStream) -> std::io::Result<()> {
        let mut state = self.shared.state.lock().unwrap();
        let (id, event) = loop {
            match state.queue.pop_front() {
                Some(next) => break next,
                None => state = self.shared.queued.wait(state).unwrap(),
            }
        };
        drop(state);
        // A peek tells an instance that has gone while it waited.
        stream.set_nonblocking(true)?;
        let is_gone = matches!(stream.peek(&mut [0]), Ok(0));
        stream.set_nonblocking(false)?;
        if is_gone {
            self.shared
                .state
                .lock()
                .unwrap()
                .queue
                .push_front((id, event));
            self.shared.queued.notify_one();
            return Err(std::io::ErrorKind::BrokenPipe.into());
        }
        let headers = [
            ("lambda-runtime-aws-request-id".to_owned(), id),
            (
                "lambda-runtime-deadline-ms".to_owned(),
                "4102444800000".to_owned(),
            ),
            ("content-type".to_owned(), "application/json".to_owned()),
        ];
        http::write(stream, 200, &headers, event.to_string().as_bytes())
    }

    fn take(&self, id: &str, outcome: Outcome) {
        let sender = self.shared.state.lock().unwrap().waiting.remove(id);
        // The test that sent the event may no longer wait.
        let _ = sender.expect("each event is answered once").send(outcome);
    }
}

fn json(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_else(|error| panic!("{error}: {body:?}"))
}
