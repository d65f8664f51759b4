//! A store that loses requests or answers, and lets others take their turn before it says so.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex};

use streamgate_clock::ManualClock;
use streamgate_core::{Policy, TenantId, UserKey};
use streamgate_engine::Engine;
use streamgate_store::{
    BoxFuture, Cursor, MemoryStore, Page, Step, Store, StoreError, Swept, View,
};

use crate::support::{START_OF_TIME, World, world_over};

/// What is lost of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lost {
    /// The request: nothing is changed.
    Request,
    /// The answer: the change is made.
    Answer,
    /// The answer to a try that was in vain: it was decided on what the node remembers, and the
    /// record was another by then.
    Guess,
}

/// The record that a node remembers.
type Remembered = Arc<Mutex<Option<Vec<u8>>>>;

type Others = Box<dyn FnOnce(Arc<Engine>) -> BoxFuture<'static, ()> + Send>;

/// The plan: of each call what is lost, and what others do after it; nothing where it is `None`.
type Plan = VecDeque<Option<(Lost, Others)>>;

struct Overtaken {
    inner: Arc<MemoryStore>,
    others: Arc<Engine>,
    plan: Arc<Mutex<Plan>>,
    remembered: Remembered,
}

impl fmt::Debug for Overtaken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Overtaken").finish_non_exhaustive()
    }
}

/// An engine over such a store; the others have one over the same records that loses nothing.
pub(crate) struct Race {
    pub(crate) world: World,
    pub(crate) others: Arc<Engine>,
    records: Arc<MemoryStore>,
    plan: Arc<Mutex<Plan>>,
    remembered: Remembered,
}

impl Race {
    pub(crate) fn new(policy: Policy) -> Self {
        let clock = Arc::new(ManualClock::at(START_OF_TIME));
        let inner = Arc::new(MemoryStore::new(clock.clone()));
        let others = world_over(inner.clone(), clock.clone(), policy.clone());
        let plan = Arc::new(Mutex::new(Plan::new()));
        let remembered = Remembered::default();
        let store = Overtaken {
            inner: Arc::clone(&inner),
            others: Arc::clone(&others.engine),
            plan: Arc::clone(&plan),
            remembered: Arc::clone(&remembered),
        };
        Self {
            world: world_over(Arc::new(store), clock, policy),
            others: others.engine,
            records: inner,
            plan,
            remembered,
        }
    }

    /// From now on the node takes this user's record to be what it is now. Before, it knows of
    /// none.
    pub(crate) async fn remember(&self, user: &UserKey) {
        let mut step = |view: View<'_>| {
            *self.remembered.lock().unwrap() = view.record.map(<[u8]>::to_vec);
            None
        };
        self.records.transact(user, &mut step).await.unwrap();
    }

    /// The next call that is not planned yet passes untouched.
    pub(crate) fn pass(&self) -> &Self {
        self.plan.lock().unwrap().push_back(None);
        self
    }

    /// Of the next call that is not planned yet, this is lost; before it is said, others do this.
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

impl Store for Overtaken {
    fn transact<'a>(
        &'a self,
        key: &'a UserKey,
        step: Step<'a>,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        let planned = self.plan.lock().unwrap().pop_front().flatten();
        Box::pin(async move {
            let Some((lost, others)) = planned else {
                return self.inner.transact(key, step).await;
            };
            let remembered = self.remembered.lock().unwrap().clone();
            // The step runs in each case: what it wants to write may be lost on its way.
            let mut step = |view: View<'_>| {
                let record = match lost {
                    Lost::Guess => remembered.as_deref(),
                    Lost::Request | Lost::Answer => view.record,
                };
                step.run(View { record, ..view })
                    .filter(|_| lost == Lost::Answer)
            };
            self.inner.transact(key, &mut step).await?;
            others(Arc::clone(&self.others)).await;
            Err(StoreError::OutcomeUnknown("lost".into()))
        })
    }

    fn scan<'a>(
        &'a self,
        tenant: &'a TenantId,
        from: Option<&'a Cursor>,
        page_size: usize,
    ) -> BoxFuture<'a, Result<Page, StoreError>> {
        self.inner.scan(tenant, from, page_size)
    }

    fn sweep<'a>(
        &'a self,
        from: Option<&'a Cursor>,
        budget: usize,
        step: Step<'a>,
    ) -> BoxFuture<'a, Result<Swept, StoreError>> {
        self.inner.sweep(from, budget, step)
    }

    fn record_count(&self) -> Option<u64> {
        self.inner.record_count()
    }

    fn check_ready(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.inner.check_ready()
    }

    fn close(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.inner.close()
    }
}
