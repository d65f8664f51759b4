//! A store that loses requests or answers, and serves other calls before it reports the loss.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex};

use streamgate_clock::ManualClock;
use streamgate_core::{Policy, UserKey};
use streamgate_engine::Engine;
use streamgate_store::decorator::{Intercept, Intercepted};
use streamgate_store::{BoxFuture, MemoryStore, Step, Store, StoreError, Transaction, View};

use crate::support::{START_OF_TIME, World, world_over};

/// What is lost of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lost {
    /// The request: nothing is changed.
    Request,
    /// The answer: the change is committed.
    Answer,
    /// The answer to a speculative commit that failed: it was decided on the node's cached record,
    /// and the record had changed by then.
    Speculative,
}

/// The record that a node has cached.
type Cached = Arc<Mutex<Option<Vec<u8>>>>;

type Others = Box<dyn FnOnce(Arc<Engine>) -> BoxFuture<'static, ()> + Send>;

/// The plan: for each call, what is lost and which other calls follow; `None` for a call without
/// faults.
type Plan = VecDeque<Option<(Lost, Others)>>;

struct Overtaken {
    inner: Arc<MemoryStore>,
    others: Arc<Engine>,
    plan: Arc<Mutex<Plan>>,
    cached: Cached,
}

impl fmt::Debug for Overtaken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Overtaken").finish_non_exhaustive()
    }
}

/// An engine over such a store, and for the other calls one over the same records that loses
/// nothing.
pub(crate) struct Race {
    pub(crate) world: World,
    pub(crate) others: Arc<Engine>,
    records: Arc<MemoryStore>,
    plan: Arc<Mutex<Plan>>,
    cached: Cached,
}

impl Race {
    pub(crate) fn new(policy: Policy) -> Self {
        let clock = Arc::new(ManualClock::at(START_OF_TIME));
        let inner = Arc::new(MemoryStore::new(clock.clone()));
        let others = world_over(inner.clone(), clock.clone(), policy.clone());
        let plan = Arc::new(Mutex::new(Plan::new()));
        let cached = Cached::default();
        let store = Overtaken {
            inner: Arc::clone(&inner),
            others: Arc::clone(&others.engine),
            plan: Arc::clone(&plan),
            cached: Arc::clone(&cached),
        };
        Self {
            world: world_over(Arc::new(Intercepted(store)), clock, policy),
            others: others.engine,
            records: inner,
            plan,
            cached,
        }
    }

    /// Caches this user's record in the node, as it is now. Until then the node has none.
    pub(crate) async fn cache(&self, user: &UserKey) {
        let mut step = |view: View<'_>| {
            *self.cached.lock().unwrap() = view.record.map(<[u8]>::to_vec);
            None
        };
        self.records.transact(user, &mut step).await.unwrap();
    }

    /// Plans the next call without a fault.
    pub(crate) fn pass(&self) -> &Self {
        self.plan.lock().unwrap().push_back(None);
        self
    }

    /// Plans the next call: this is lost, and the other calls run before the loss is reported.
    pub(crate) fn lose<F>(
        &self,
        lost: Lost,
        others: impl FnOnce(Arc<Engine>) -> F + Send + 'static,
    ) -> &Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let others: Others = Box::new(|engine| Box::pin(others(engine)));
        self.plan.lock().unwrap().push_back(Some((lost, others)));
        self
    }
}

impl Intercept for Overtaken {
    fn inner(&self) -> &dyn Store {
        &*self.inner
    }

    fn transact<'a>(&'a self, key: &'a UserKey, step: Step<'a>) -> Transaction<'a> {
        let planned = self.plan.lock().unwrap().pop_front().flatten();
        Transaction::Pending(Box::pin(async move {
            let Some((lost, others)) = planned else {
                return self.inner.transact(key, step).await;
            };
            let cached = self.cached.lock().unwrap().clone();
            // The step runs in each case: a lost request loses its write.
            let mut step = |view: View<'_>| {
                let record = match lost {
                    Lost::Speculative => cached.as_deref(),
                    Lost::Request | Lost::Answer => view.record,
                };
                step.run(View { record, ..view })
                    .filter(|_| lost == Lost::Answer)
            };
            self.inner.transact(key, &mut step).await?;
            others(Arc::clone(&self.others)).await;
            Err(StoreError::OutcomeUnknown("lost".into()))
        }))
    }
}
