//! The memory store passes the conformance suite, alone and behind fault injection.

use std::sync::Arc;

use streamgate_clock::SystemClock;
use streamgate_store::faults::{Fault, FaultyStore};
use streamgate_store::{MemoryStore, Store};

fn memory() -> MemoryStore {
    MemoryStore::new(Arc::new(SystemClock::new()))
}

mod alone {
    use super::{Arc, Store, memory};

    async fn open() -> Arc<dyn Store> {
        Arc::new(memory())
    }

    streamgate_store::conformance_suite!(open);
}

mod behind_no_faults {
    use super::{Arc, Fault, FaultyStore, Store, memory};

    async fn open() -> Arc<dyn Store> {
        Arc::new(FaultyStore::new(memory(), || Fault::None))
    }

    streamgate_store::conformance_suite!(open);
}
