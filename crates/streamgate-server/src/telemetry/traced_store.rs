//! A store whose calls are spans of the requests that make them.

use std::sync::Arc;

use streamgate_clock::{Stopwatch, wall_ns};
use streamgate_core::UserKey;
use streamgate_store::decorator::{Intercept, Intercepted};
use streamgate_store::{Step, Store, Transaction};

use super::trace_context;
use super::tracer::{Span, SpanKind, SpanValue, Tracer};

/// Records the calls of a store. Put it around the store only where traces are exported.
pub struct TracedStore {
    inner: Arc<dyn Store>,
    tracer: Arc<dyn Tracer>,
    /// `db.system.name` of the semantic conventions; `None` for a store in this process.
    system: Option<&'static str>,
}

impl TracedStore {
    /// Around `inner`.
    #[must_use]
    pub fn around(
        inner: Arc<dyn Store>,
        tracer: Arc<dyn Tracer>,
        system: Option<&'static str>,
    ) -> Arc<dyn Store> {
        Arc::new(Intercepted(Self {
            inner,
            tracer,
            system,
        }))
    }
}

impl Intercept for TracedStore {
    fn inner(&self) -> &dyn Store {
        &*self.inner
    }

    fn transact<'a>(&'a self, key: &'a UserKey, step: Step<'a>) -> Transaction<'a> {
        let Some(request) = trace_context::current().filter(|trace| trace.is_recorded()) else {
            return self.inner.transact(key, step);
        };
        let watch = Stopwatch::start();
        let transaction = self.inner.transact(key, step);
        Transaction::Pending(Box::pin(async move {
            let answer = transaction.await;
            let (kind, attributes) = match self.system {
                None => (SpanKind::Internal, Vec::new()),
                Some(system) => {
                    let system = ("db.system.name", SpanValue::from(system));
                    (SpanKind::Client, vec![system])
                }
            };
            self.tracer.ended(Span {
                trace: request.child(),
                name: "store transact".into(),
                kind,
                end_ns: wall_ns(),
                duration: watch.elapsed(),
                attributes,
                error: answer.as_ref().err().map(ToString::to_string),
            });
            answer
        }))
    }
}
