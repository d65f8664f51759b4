//! Scans: a tenant's records page by page, in the order of DynamoDB's own hash.

use aws_sdk_dynamodb::types::AttributeValue;
use streamgate_core::{TenantId, UserKey};
use streamgate_store::{Cursor, Page, StoreError};

use crate::item::{Item, KEY, binary, key_of, may_end_page, page_end_of, record_of};
use crate::store::DynamoDbStore;

impl DynamoDbStore {
    /// A page. DynamoDB ends one also at 1 MB, and counts other tenants' items into its size, so a
    /// page can be short or empty although the scan goes on.
    pub(crate) async fn scan_page(
        &self,
        tenant: &TenantId,
        from: Option<&Cursor>,
        page_size: usize,
    ) -> Result<Page, StoreError> {
        // A larger page than DynamoDB can count has no bound.
        let limit = i32::try_from(page_size).unwrap_or(i32::MAX);
        let prefix = [tenant.as_str().as_bytes(), &[0]].concat();
        let answer = self
            .table
            .client
            .scan()
            .table_name(&self.table.name)
            .consistent_read(true)
            .limit(limit)
            .filter_expression(format!("begins_with({KEY}, :tenant)"))
            .expression_attribute_values(":tenant", binary(&prefix))
            .set_exclusive_start_key(from.map(start_key).transpose()?)
            .customize()
            .interceptor(self.skew.watch())
            .send()
            .await;
        self.check_clock()?;
        let answer = answer
            .map_err(|error| StoreError::Unavailable(self.table.failed(&error).to_string()))?;
        let next = match answer.last_evaluated_key() {
            Some(key) => Some(self.cursor(key)?),
            None => None,
        };
        let items = answer.items.unwrap_or_default().into_iter();
        Ok(Page {
            records: items.filter_map(entry).collect(),
            next,
            now: self.now()?,
        })
    }

    fn cursor(&self, last: &Item) -> Result<Cursor, StoreError> {
        let key = page_end_of(last).ok_or_else(|| self.damage())?;
        Ok(Cursor(key.to_vec()))
    }
}

/// The key and the record of an item. One with a key that is no user's is left out.
fn entry(mut item: Item) -> Option<(UserKey, Vec<u8>)> {
    let key = key_of(&item)?;
    let record = record_of(&mut item).map_or_else(Vec::new, |(record, _)| record);
    Some((key, record))
}

/// Where a cursor stands. DynamoDB needs no item there, but would take any bytes for a key.
fn start_key(cursor: &Cursor) -> Result<Item, StoreError> {
    if !may_end_page(&cursor.0) {
        return Err(StoreError::BadCursor);
    }
    let key: AttributeValue = binary(&cursor.0);
    Ok(Item::from([(KEY.to_owned(), key)]))
}
