//! What the system tells of the process, its clock and its disk. It is asked when the page is, so
//! that it costs a running service nothing.
//!
//! The names of the process are those that every client library of Prometheus uses.

use std::fmt;
use std::fs;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use streamgate_clock::{Disturbances, processor_time, wall_ms};

use super::level;
use super::page::{OptionalGauge, Page};

/// The size of a volume, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Volume {
    /// The whole size.
    pub size: u64,
    /// What this process may still use.
    pub free: u64,
}

/// Asks for the volume of the data directory; `None` if the system does not tell.
pub type AskVolume = Box<dyn Fn() -> Option<Volume> + Send + Sync>;

/// Metrics of the system.
pub(super) struct System {
    cpu: Counter<f64, AtomicU64>,
    resident: Gauge,
    open_fds: Gauge,
    max_fds: Gauge,
    stalls: Counter,
    steps: Counter,
    pub(super) settings_refused: Gauge,
    pub(super) panics: Counter,
    volume_size: OptionalGauge,
    volume_free: OptionalGauge,
    ask_volume: OnceLock<AskVolume>,
    /// Held while the system is asked: a disk that does not answer holds one reader, not all.
    asking: Mutex<()>,
}

impl System {
    /// Nothing was asked yet. The process starts now.
    pub(super) fn new(page: &mut Page) -> Self {
        let started = page.add(
            "process_start_time_seconds",
            "When the process started, in seconds since 1970",
            Gauge::<f64, AtomicU64>::default(),
        );
        started.set(wall_ms() as f64 / 1_000.0);
        Self {
            cpu: page.total(
                "process_cpu_seconds",
                "Processor time that the process has used, in user mode and in the kernel",
                Counter::default(),
            ),
            resident: page.gauge(
                "process_resident_memory_bytes",
                "Memory of the process in RAM",
            ),
            open_fds: page.gauge("process_open_fds", "Open file descriptors"),
            max_fds: page.gauge(
                "process_max_fds",
                "Most file descriptors that the process may open",
            ),
            stalls: page.counter(
                "streamgate_stalls",
                "Times that the process stood still (paused, suspended, out of memory)",
            ),
            steps: page.counter(
                "streamgate_clock_steps",
                "Times that the wall clock was set by 0.1 s or more",
            ),
            settings_refused: page.gauge(
                "streamgate_settings_refused",
                "1 while the settings that were read last (SIGHUP) are wrong and older ones are in \
                 use: alarm on 1",
            ),
            panics: page.counter(
                "streamgate_panics",
                "Faults of the program that ended a request: alarm on any increase",
            ),
            volume_size: page.optional_gauge(
                "streamgate_data_volume_size_bytes",
                "Size of the volume that the embedded store writes to",
            ),
            volume_free: page.optional_gauge(
                "streamgate_data_volume_free_bytes",
                "What the embedded store may still use of that volume",
            ),
            ask_volume: OnceLock::new(),
            asking: Mutex::new(()),
        }
    }

    /// Asks for this volume from here on. The first one stays.
    pub(super) fn watch_volume(&self, ask: AskVolume) {
        // There is one store, so this is called once.
        let _ = self.ask_volume.set(ask);
    }

    /// Asks the system, unless another call waits for its answer. May block on a disk.
    pub(super) fn ask(&self) {
        let Some(_asking) = self.asking.try_lock() else {
            return;
        };
        let cpu = processor_time().as_secs_f64();
        self.cpu.inner().store(cpu.to_bits(), Ordering::Relaxed);
        self.resident.set(level(resident_bytes().unwrap_or(0)));
        self.open_fds.set(level(open_fds().unwrap_or(0)));
        self.max_fds.set(level(max_fds().unwrap_or(0)));
        // Until the disk answers, what it said last is not on the page.
        self.volume_size.clear();
        self.volume_free.clear();
        if let Some(volume) = self.ask_volume.get().and_then(|ask| ask()) {
            self.volume_size.get_or_create(&[]).set(level(volume.size));
            self.volume_free.get_or_create(&[]).set(level(volume.free));
        }
    }

    /// Sets what has disturbed the clock.
    pub(super) fn set_disturbances(&self, disturbances: Disturbances) {
        let set = |counter: &Counter, count| counter.inner().store(count, Ordering::Relaxed);
        set(&self.stalls, disturbances.stalls);
        set(&self.steps, disturbances.steps);
    }
}

impl fmt::Debug for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("System").finish_non_exhaustive()
    }
}

/// The memory in RAM, in bytes.
fn resident_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    Some(number_behind(&status, "VmRSS:")? * 1_024)
}

/// The open file descriptors, without the one that reads the list.
fn open_fds() -> Option<usize> {
    let count = fs::read_dir("/proc/self/fd").ok()?.count();
    Some(count.saturating_sub(1))
}

/// The soft limit of open file descriptors.
fn max_fds() -> Option<u64> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    number_behind(&limits, "Max open files")
}

/// The first number of the line that begins so.
fn number_behind(lines: &str, name: &str) -> Option<u64> {
    let line = lines.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_tells_of_this_process() {
        let resident = resident_bytes().unwrap();
        assert!((1 << 20..1 << 40).contains(&resident), "{resident}");
        let (open, max) = (open_fds().unwrap(), max_fds().unwrap());
        assert!(open >= 3 && open as u64 <= max, "{open} of {max}");
        let file = fs::File::open("/proc/self/status").unwrap();
        assert!(open_fds().unwrap() > 3);
        drop(file);
    }

    #[test]
    fn a_number_is_found_by_the_beginning_of_its_line() {
        let lines =
            "VmPeak:\t  9 kB\nVmRSS:\t   120 kB\nMax open files            1024   4096  files\n";
        assert_eq!(number_behind(lines, "VmRSS:"), Some(120));
        assert_eq!(number_behind(lines, "Max open files"), Some(1_024));
        assert_eq!(
            number_behind("Max open files unlimited", "Max open files"),
            None
        );
        assert_eq!(number_behind(lines, "VmSwap:"), None);
    }
}
