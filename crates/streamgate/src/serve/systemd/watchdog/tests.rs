//! The watchdog on real runtimes with threads that are held up.

use std::os::unix::net::UnixDatagram;
use std::sync::mpsc::{Sender, channel};

use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use super::*;

/// The interval of these tests.
const INTERVAL: Duration = Duration::from_secs(1);

/// The stand-in of the service manager.
struct Stand {
    socket: UnixDatagram,
    manager: Manager,
    _dir: TempDir,
}

impl Stand {
    /// One that a watchdog on this runtime is about to feed.
    fn on(runtime: &Runtime) -> Self {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(2 * INTERVAL)).unwrap();
        let manager = runtime.block_on(async { Manager::at(path.as_ref()) });
        Self {
            socket,
            manager,
            _dir: dir,
        }
    }

    /// Whether a message came within two intervals: a manager would have ended the process after
    /// one.
    fn is_fed(&self) -> bool {
        let mut message = [0; 100];
        let length = match self.socket.recv(&mut message) {
            Ok(length) => length,
            Err(error) => {
                assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
                return false;
            }
        };
        assert_eq!(&message[..length], b"WATCHDOG=1\n");
        true
    }

    /// Whether the messages stop.
    fn starves(&self) -> bool {
        (0..4 * LOOKS).any(|_| !self.is_fed())
    }
}

fn runtime(workers: usize) -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(workers)
        .enable_all()
        .build()
        .unwrap()
}

/// Holds up as many workers, until the senders are dropped.
fn hold_up(runtime: &Runtime, workers: usize) -> Vec<Sender<()>> {
    let (entered, all_entered) = channel();
    let held = (0..workers)
        .map(|_| {
            let (release, released) = channel::<()>();
            let entered = entered.clone();
            runtime.spawn(async move {
                let _ = entered.send(());
                // A task that waits for another thread, as in a deadlock.
                let _ = released.recv();
            });
            release
        })
        .collect();
    for _ in 0..workers {
        all_entered.recv().unwrap();
    }
    held
}

/// Feeds on a thread of its own, as the accept loop does, until the sender is dropped.
fn feed(runtime: &Runtime, stand: &Stand) -> tokio::sync::oneshot::Sender<Infallible> {
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let (handle, manager) = (runtime.handle().clone(), stand.manager.clone());
    std::thread::spawn(move || {
        handle.block_on(async {
            let watchdog = Watchdog::every(INTERVAL, manager, None);
            tokio::select! {
                never = watchdog.feed() => match never {},
                _ = stopped => {}
            }
        });
    });
    stop
}

#[test]
fn an_idle_runtime_and_a_busy_one_feed_the_watchdog() {
    let runtime = runtime(2);
    let stand = Stand::on(&runtime);
    let _feeding = feed(&runtime, &stand);
    for look in 0..2 * LOOKS {
        assert!(stand.is_fed(), "idle, look {look}");
    }
    // Tasks that come back at once and are never done: no worker ever waits for work.
    let busy: Vec<_> = (0..4)
        .map(|_| {
            runtime.spawn(async {
                loop {
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    for look in 0..4 * LOOKS {
        assert!(stand.is_fed(), "busy, look {look}");
    }
    busy.iter().for_each(tokio::task::JoinHandle::abort);
}

#[test]
fn one_worker_that_stands_still_starves_the_watchdog_until_it_goes_on() {
    let runtime = runtime(3);
    let stand = Stand::on(&runtime);
    let _feeding = feed(&runtime, &stand);
    assert!(stand.is_fed());
    let held = hold_up(&runtime, 1);
    assert!(stand.starves(), "a stuck worker is not noticed");
    drop(held);
    assert!(stand.is_fed(), "it is fed again once the worker goes on");
}

#[test]
fn a_runtime_that_stands_still_starves_the_watchdog() {
    let runtime = runtime(2);
    let stand = Stand::on(&runtime);
    let _feeding = feed(&runtime, &stand);
    assert!(stand.is_fed());
    let held = hold_up(&runtime, 2);
    assert!(stand.starves(), "a stuck runtime is not noticed");
    drop(held);
    assert!(stand.is_fed());
}

#[test]
fn the_variables_of_the_manager_are_checked() {
    let own = std::process::id().to_string();
    let of = |usec: &str, pid: Option<&str>| asked(Some(usec.into()), pid.map(Into::into));
    let half_a_minute = Some(Ok(Duration::from_secs(30)));
    assert_eq!(of("30000000", None), half_a_minute);
    assert_eq!(of("30000000", Some(&own)), half_a_minute);
    assert_eq!(of("30000000", Some("1")), None, "another process");
    assert_eq!(asked(None, Some(own)), None);
    for wrong in ["", "30s", "-1", "0", "399999"] {
        let problem = of(wrong, None).unwrap().unwrap_err();
        assert!(problem.contains("WATCHDOG_USEC is"), "{problem}");
    }
}
