//! Fault injection, for tests: [`FaultyStore`] refuses, delays and loses requests and answers.

use std::fmt;
use std::time::Duration;

use parking_lot::Mutex;
use streamgate_core::{TenantId, UserKey};

use crate::decorator::{Intercept, Intercepted};
use crate::port::{BoxFuture, Cursor, Page, Store, StoreError, Swept, Transaction};
use crate::step::{CommitResult, DetachOnDrop, Step};

/// What goes wrong with one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// The store refuses: nothing is changed, and it says so.
    Refuse,
    /// The request is lost on its way: nothing is changed, and the outcome is unknown.
    LoseRequest,
    /// The answer is lost on its way: the change is made, and the outcome is unknown.
    LoseAnswer,
    /// The request takes this long on its way.
    DelayRequest(Duration),
    /// The answer takes this long on its way.
    DelayAnswer(Duration),
}

/// A store with injected faults. Scans and sweeps can be refused and delayed only.
pub type FaultyStore<S> = Intercepted<Faults<S>>;

impl<S: Store> FaultyStore<S> {
    /// Puts faults in front of `inner`; `plan` is asked once for every call.
    pub fn new(inner: S, plan: impl FnMut() -> Fault + Send + 'static) -> Self {
        Self(Faults {
            inner,
            plan: Mutex::new(Box::new(plan)),
        })
    }
}

/// A store, and the faults of its calls.
pub struct Faults<S> {
    inner: S,
    plan: Mutex<Box<dyn FnMut() -> Fault + Send>>,
}

impl<S: fmt::Debug> fmt::Debug for Faults<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Faults")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}

impl<S: Store> Faults<S> {
    fn next_fault(&self) -> Fault {
        (self.plan.lock())()
    }

    /// Applies the next fault to a call that changes nothing.
    async fn before_reading(&self) -> Result<(), StoreError> {
        match self.next_fault() {
            Fault::None => Ok(()),
            Fault::Refuse | Fault::LoseRequest | Fault::LoseAnswer => Err(refused()),
            Fault::DelayRequest(delay) | Fault::DelayAnswer(delay) => {
                tokio::time::sleep(delay).await;
                Ok(())
            }
        }
    }
}

fn refused() -> StoreError {
    StoreError::Unavailable("refused by an injected fault".to_owned())
}

fn lost() -> StoreError {
    StoreError::OutcomeUnknown("lost by an injected fault".to_owned())
}

impl<S: Store> Intercept for Faults<S> {
    fn inner(&self) -> &dyn Store {
        &self.inner
    }

    fn transact<'a>(&'a self, key: &'a UserKey, step: Step<'a>) -> Transaction<'a> {
        Transaction::Pending(Box::pin(async move {
            match self.next_fault() {
                Fault::None => self.inner.transact(key, step).await,
                Fault::Refuse => Err(refused()),
                Fault::LoseRequest => Err(lost()),
                Fault::LoseAnswer => {
                    self.inner.transact(key, step).await?;
                    Err(lost())
                }
                Fault::DelayRequest(delay) => {
                    tokio::time::sleep(delay).await;
                    self.inner.transact(key, step).await
                }
                Fault::DelayAnswer(delay) => {
                    let answer = self.inner.transact(key, step).await;
                    let result = match &answer {
                        Ok(()) => CommitResult::Committed,
                        Err(StoreError::OutcomeUnknown(_)) => CommitResult::Unknown,
                        Err(_) => CommitResult::NotCommitted,
                    };
                    let waiting = DetachOnDrop::new(step, |callback| callback(result));
                    tokio::time::sleep(delay).await;
                    waiting.answered();
                    answer
                }
            }
        }))
    }

    fn scan<'a>(
        &'a self,
        tenant: &'a TenantId,
        from: Option<&'a Cursor>,
        page_size: usize,
    ) -> BoxFuture<'a, Result<Page, StoreError>> {
        Box::pin(async move {
            self.before_reading().await?;
            self.inner.scan(tenant, from, page_size).await
        })
    }

    fn sweep<'a>(
        &'a self,
        from: Option<&'a Cursor>,
        budget: usize,
        step: Step<'a>,
    ) -> BoxFuture<'a, Result<Swept, StoreError>> {
        Box::pin(async move {
            self.before_reading().await?;
            self.inner.sweep(from, budget, step).await
        })
    }

    fn check_ready(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            self.before_reading().await?;
            self.inner.check_ready().await
        })
    }
}
