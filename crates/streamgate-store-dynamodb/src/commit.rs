//! Committing: one conditional write, and the interpretation of its answer.
//!
//! If the condition does not hold, DynamoDB returns the current item, so a conflict needs no second
//! read.

use std::error::Error;

use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure::AllOld;
use streamgate_core::UserKey;
use streamgate_store::StoreError;
use streamgate_store::versioned::{Committed, Version, Write};

use crate::attempts::Attempts;
use crate::failure::NotWritten;
use crate::item::{
    FORMAT, ITEM_MAX_BYTES, Item, KEY, VERSION, binary, format_mark, format_mark_of, is_too_large,
    item,
};
use crate::store::DynamoDbStore;

impl DynamoDbStore {
    pub(crate) async fn commit_on(
        &self,
        key: &UserKey,
        expected: Version,
        write: &Write,
    ) -> Result<Committed, StoreError> {
        // Set since the load, it gets the same refusal before anything was changed.
        self.check_clock()?;
        let attempts = Attempts::default();
        let answer = match &write.record {
            Some(record) if is_too_large(key, record) => {
                return Err(self.too_large(record.len()));
            }
            Some(record) => {
                let item = item(key.as_bytes(), write.version, record, write.garbage_at);
                self.put(item, expected, &attempts).await
            }
            // Nothing to delete: there was no item at the moment of the load.
            None if expected == Version::NONE => Ok(()),
            None => self.delete(key.as_bytes(), expected, &attempts).await,
        };
        if let Err(wrong) = self.check_clock() {
            let nothing_was_changed = answer.is_err() && !attempts.are_in_doubt();
            // The lease that was granted is not the one that the answer would promise.
            return Err(if nothing_was_changed {
                wrong
            } else {
                StoreError::OutcomeUnknown(wrong.to_string())
            });
        }
        match answer {
            Ok(()) => Ok(Committed::Done),
            Err(refusal) => self.judge(refusal, write.version, &attempts),
        }
    }

    /// Interprets a write that did not succeed.
    fn judge(
        &self,
        refusal: NotWritten,
        own: Version,
        attempts: &Attempts,
    ) -> Result<Committed, StoreError> {
        let item = match refusal {
            NotWritten::Condition(item) => item,
            NotWritten::Failed(reason) if attempts.are_in_doubt() => {
                return Err(StoreError::OutcomeUnknown(reason.to_string()));
            }
            NotWritten::Failed(reason) => {
                return Err(StoreError::Unavailable(reason.to_string()));
            }
        };
        match self.loaded(item) {
            // An attempt whose answer was lost had done it.
            Ok(current) if current.version == own => Ok(Committed::Done),
            // It may have been done, and another write may have replaced it.
            _ if attempts.are_in_doubt() => {
                let place = self.table.place();
                let reason = "an answer was lost, and the record is another by now";
                Err(StoreError::OutcomeUnknown(format!("{place}: {reason}")))
            }
            current => current.map(Committed::Conflict),
        }
    }

    fn too_large(&self, record_bytes: usize) -> StoreError {
        let place = self.table.place();
        StoreError::TooLarge(format!(
            "{place}: a record of {record_bytes} bytes, but an item is at most {ITEM_MAX_BYTES}"
        ))
    }

    /// Replaces the item of a key if its version is `expected`.
    pub(crate) async fn put(
        &self,
        item: Item,
        expected: Version,
        attempts: &Attempts,
    ) -> Result<(), NotWritten> {
        let call = self
            .table
            .client
            .put_item()
            .table_name(&self.table.name)
            .set_item(Some(item))
            .return_values_on_condition_check_failure(AllOld);
        let call = if expected == Version::NONE {
            call.condition_expression(format!("attribute_not_exists({KEY})"))
        } else {
            call.condition_expression(has_version())
                .expression_attribute_values(":expected", binary(expected.as_bytes()))
        };
        let answer = call
            .customize()
            .interceptor(attempts.clone())
            .interceptor(self.skew.watch())
            .send()
            .await;
        self.written(answer, |error| match error.into_service_error() {
            PutItemError::ConditionalCheckFailedException(check) => Some(check.item),
            _ => None,
        })
    }

    /// Raises the format mark, unless it is that or higher already; answers the mark that stands.
    pub(crate) async fn raise_mark(&self, to: u8) -> Result<u32, StoreError> {
        let mark = format_mark(to);
        let raised = self
            .table
            .client
            .put_item()
            .table_name(&self.table.name)
            .condition_expression(format!("attribute_not_exists({KEY}) OR {FORMAT} < :to"))
            .expression_attribute_values(":to", mark[FORMAT].clone())
            .set_item(Some(mark))
            .return_values_on_condition_check_failure(AllOld)
            .customize()
            .interceptor(self.skew.watch())
            .send()
            .await;
        let written = self.written(raised, |error| match error.into_service_error() {
            PutItemError::ConditionalCheckFailedException(check) => Some(check.item),
            _ => None,
        });
        match written {
            Ok(()) => Ok(to.into()),
            Err(NotWritten::Condition(stands)) => {
                let mark = stands.as_ref().and_then(format_mark_of);
                mark.ok_or_else(|| StoreError::Unavailable(self.foreign()))
            }
            Err(NotWritten::Failed(reason)) => Err(StoreError::Unavailable(reason.to_string())),
        }
    }

    /// Deletes the item of a key if its version is `expected`.
    pub(crate) async fn delete(
        &self,
        key: &[u8],
        expected: Version,
        attempts: &Attempts,
    ) -> Result<(), NotWritten> {
        let answer = self
            .table
            .client
            .delete_item()
            .table_name(&self.table.name)
            .key(KEY, binary(key))
            .condition_expression(has_version())
            .expression_attribute_values(":expected", binary(expected.as_bytes()))
            .return_values_on_condition_check_failure(AllOld)
            .customize()
            .interceptor(attempts.clone())
            .interceptor(self.skew.watch())
            .send()
            .await;
        self.written(answer, |error| match error.into_service_error() {
            DeleteItemError::ConditionalCheckFailedException(check) => Some(check.item),
            _ => None,
        })
    }

    /// Reads the answer to a write. `found` returns what an error says is there instead, if it says
    /// that the condition did not hold.
    fn written<T, E>(
        &self,
        answer: Result<T, SdkError<E, HttpResponse>>,
        found: impl FnOnce(SdkError<E, HttpResponse>) -> Option<Option<Item>>,
    ) -> Result<(), NotWritten>
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let Err(error) = answer else {
            return Ok(());
        };
        let failed = self.table.failed(&error);
        Err(match found(error) {
            Some(item) => NotWritten::Condition(item),
            None => NotWritten::Failed(failed),
        })
    }
}

fn has_version() -> String {
    format!("{VERSION} = :expected")
}
