//! The embedded store keeps the contract of a store, however durable it is asked to be.

use std::sync::Arc;

use streamgate_clock::SystemClock;
use streamgate_store::Store;
use streamgate_store_embedded::{DurabilityMode, EmbeddedConfig, EmbeddedStore, NoLogObserver};
use tempfile::tempdir;

/// A fresh store of small files: segments roll and snapshots are written while the suite runs.
fn open_with(durability: DurabilityMode) -> Arc<dyn Store> {
    let dir = tempdir().unwrap();
    let config = EmbeddedConfig {
        durability,
        segment_bytes: 64 << 10,
        snapshot_min_log_bytes: 256 << 10,
        ..EmbeddedConfig::new(dir.path())
    };
    // The hook lives as long as the store, and so does the directory that it keeps.
    let hook = Arc::new(move |error| panic!("{error} in {}", dir.path().display()));
    let clock = Arc::new(SystemClock::new());
    Arc::new(EmbeddedStore::open(config, clock, Arc::new(NoLogObserver), hook).unwrap())
}

mod synced {
    use super::{Arc, DurabilityMode, Store, open_with};

    async fn open() -> Arc<dyn Store> {
        open_with(DurabilityMode::Fsync)
    }

    streamgate_store::conformance_suite!(open);
}

mod written {
    use super::{Arc, DurabilityMode, Store, open_with};

    async fn open() -> Arc<dyn Store> {
        open_with(DurabilityMode::Os)
    }

    streamgate_store::conformance_suite!(open);
}

mod in_memory {
    use super::{Arc, DurabilityMode, Store, open_with};

    async fn open() -> Arc<dyn Store> {
        open_with(DurabilityMode::None)
    }

    streamgate_store::conformance_suite!(open);
}
