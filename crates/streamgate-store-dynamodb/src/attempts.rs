//! The attempts of one write, and whether the outcome of any of them is unknown.
//!
//! The SDK retries a write whose answer was lost, and returns only the result of the last attempt.
//! A retry that is refused says nothing about the attempt before it.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_sdk_dynamodb::config::interceptors::{
    BeforeTransmitInterceptorContextRef, FinalizerInterceptorContextRef,
};
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;
use hyper_util::client::legacy::Error as ConnectionError;

/// Watches the attempts of one write. A clone watches the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Attempts(Arc<Seen>);

#[derive(Debug, Default)]
struct Seen {
    /// The attempt under way has been handed to the connection.
    is_sent: AtomicBool,
    /// The outcome of an attempt is unknown.
    is_in_doubt: AtomicBool,
}

impl Attempts {
    /// Whether an attempt may have been done without an answer that said so.
    pub(crate) fn are_in_doubt(&self) -> bool {
        self.0.is_in_doubt.load(Ordering::SeqCst)
    }
}

impl Intercept for Attempts {
    fn name(&self) -> &'static str {
        "Attempts"
    }

    fn read_before_attempt(
        &self,
        _context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.0.is_sent.store(false, Ordering::SeqCst);
        Ok(())
    }

    fn read_before_transmit(
        &self,
        _context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.0.is_sent.store(true, Ordering::SeqCst);
        Ok(())
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if self.0.is_sent.load(Ordering::SeqCst) && may_have_been_done(context) {
            self.0.is_in_doubt.store(true, Ordering::SeqCst);
        }
        Ok(())
    }
}

/// Whether the attempt failed in a way that leaves open whether it was done.
fn may_have_been_done(context: &FinalizerInterceptorContextRef<'_>) -> bool {
    let Some(Err(error)) = context.output_or_error() else {
        return false;
    };
    match context.response() {
        // DynamoDB does nothing of what it answers with 400; a 500 is open, and so is an answer
        // that breaks off.
        Some(response) => !response.status().is_client_error(),
        None => !was_never_connected(error),
    }
}

/// Whether there was no connection to send the request on: refused, unreachable, no such name, or
/// no TLS. Any other failure counts as one after sending.
fn was_never_connected(error: &(dyn Error + 'static)) -> bool {
    std::iter::successors(Some(error), |error| (*error).source())
        .filter_map(|error| error.downcast_ref::<ConnectionError>())
        .any(ConnectionError::is_connect)
}
