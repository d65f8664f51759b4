//! The store: its parts, loading, and whether the table can be used.

use std::sync::Arc;

use streamgate_clock::{Clock, SystemClock};
use streamgate_core::bounds::CLOCK_SKEW_MAX_S;
use streamgate_core::{Moment, Policy, Seconds, TenantId, UserKey};
use streamgate_store::versioned::{
    Committed, Loaded, NotUsable, RemoteStore, Speculation, Version, VersionedStore, Write,
};
use streamgate_store::{BoxFuture, Cursor, Page, StoreError};

use crate::attempts::Attempts;
use crate::config::{ConfigError, DynamoDbConfig};
use crate::failure::{Failed, NotWritten};
use crate::item::{FORMAT_KEY, Item, KEY, binary, format_mark_of, item, record_of};
use crate::skew::{ClockObserver, Skew};
use crate::table::Table;

/// A key that no user has, because no tenant's id is empty. No item ever has it.
const PROBE_KEY: &[u8] = b"\0ready";

/// Keeps records as items of a DynamoDB table.
#[derive(Debug)]
pub struct DynamoDbStore {
    pub(crate) table: Table,
    clock: Arc<dyn Clock>,
    /// How far the clock is from the table's; unused if clocks are not compared.
    pub(crate) skew: Arc<Skew>,
    /// Whether calls are refused while the clock is too far off.
    compares_clocks: bool,
}

impl DynamoDbStore {
    /// A store over this table, with the node's own clock. Nothing is sent to DynamoDB yet;
    /// [`prove`](RemoteStore::prove) does that. Finding the region can ask the
    /// instance that this runs on.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub async fn connect(config: &DynamoDbConfig) -> Result<Self, ConfigError> {
        let clock = Arc::new(SystemClock::on_the_wall(&Policy::default()));
        Ok(Self {
            table: Table::connect(config).await?,
            skew: Skew::new(Arc::clone(&clock) as Arc<_>, None),
            clock,
            compares_clocks: true,
        })
    }

    /// The same store with another clock.
    #[must_use]
    pub fn with_clock(self, clock: Arc<dyn Clock>) -> Self {
        Self {
            skew: self.skew.with_clock(Arc::clone(&clock)),
            clock,
            ..self
        }
    }

    /// The same store, which reports its clock skew to the observer.
    #[must_use]
    pub fn with_observer(self, observer: Arc<dyn ClockObserver>) -> Self {
        Self {
            skew: self.skew.with_observer(observer),
            ..self
        }
    }

    /// The same store without the comparison of clocks, for tests that set its clock.
    #[must_use]
    pub fn without_comparing_clocks(self) -> Self {
        Self {
            compares_clocks: false,
            ..self
        }
    }

    /// The time to decide by. Every decision takes its time from here or from
    /// [`speculation`](VersionedStore::speculation), so none is made by a wrong clock.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if the clock is wrong by the last answer of the table.
    pub(crate) fn now(&self) -> Result<Moment, StoreError> {
        if self.compares_clocks {
            return self.skew.now();
        }
        Ok(self.clock.now())
    }

    /// Whether the clock may decide now.
    pub(crate) fn check_clock(&self) -> Result<(), StoreError> {
        self.now().map(drop)
    }

    /// The record of an item. The clock is read after the item, so the time is never before the
    /// write by this node's clock.
    pub(crate) fn loaded(&self, item: Option<Item>) -> Result<Loaded, StoreError> {
        let (record, version) = match item {
            None => (None, Version::NONE),
            Some(mut item) => {
                let (record, version) = record_of(&mut item).ok_or_else(|| self.damage())?;
                (Some(record), version)
            }
        };
        Ok(Loaded {
            record,
            version,
            now: self.now()?,
        })
    }

    /// The error for an item of a user that no store of this kind wrote.
    pub(crate) fn damage(&self) -> StoreError {
        StoreError::Damaged(self.foreign())
    }

    /// What is wrong with an item that no store of this kind wrote.
    pub(crate) fn foreign(&self) -> String {
        let place = self.table.place();
        format!("{place}: it holds an item of something else")
    }

    /// Reads the item of a key, whether or not its TTL is past: the ledger knows what is over.
    async fn get(&self, key: &[u8]) -> Result<Option<Item>, Failed> {
        let answer = self
            .table
            .client
            .get_item()
            .table_name(&self.table.name)
            .key(KEY, binary(key))
            .consistent_read(true)
            .customize()
            .interceptor(self.skew.watch())
            .send()
            .await
            .map_err(|error| self.table.failed(&error))?;
        Ok(answer.item)
    }

    /// Reads, writes and deletes an item that is never there, on a condition that never holds. That
    /// fails only where the table, the network, the credentials or one of the three permissions is
    /// missing, and costs a read and two small writes. `DescribeTable` would prove little: it is
    /// another permission, and does not reach the part of DynamoDB that keeps items.
    async fn probe(&self) -> Result<(), Failed> {
        self.get(PROBE_KEY).await?;
        let never = Version::fresh();
        let written = [
            self.put(
                item(PROBE_KEY, never, &[], None),
                never,
                &Attempts::default(),
            )
            .await,
            self.delete(PROBE_KEY, never, &Attempts::default()).await,
        ];
        for answer in written {
            if let Err(NotWritten::Failed(failed)) = answer {
                return Err(failed);
            }
        }
        Ok(())
    }
}

impl RemoteStore for DynamoDbStore {
    fn prove(&self) -> BoxFuture<'_, Result<(), NotUsable>> {
        Box::pin(async move {
            let probed = self.probe().await;
            // With a wrong clock signatures are refused as well, which is not permanent.
            self.check_clock()
                .map_err(|wrong| NotUsable::Unavailable(wrong.to_string()))?;
            probed.map_err(|failed| {
                let words = failed.to_string();
                if failed.is_permanent {
                    NotUsable::Refused(words)
                } else {
                    NotUsable::Unavailable(words)
                }
            })
        })
    }

    fn clock_skew(&self) -> Seconds {
        Seconds(CLOCK_SKEW_MAX_S)
    }
}

impl VersionedStore for DynamoDbStore {
    fn load<'a>(&'a self, key: &'a UserKey) -> BoxFuture<'a, Result<Loaded, StoreError>> {
        Box::pin(async move {
            let item = self.get(key.as_bytes()).await;
            self.check_clock()?;
            self.loaded(item.map_err(|failed| StoreError::Unavailable(failed.to_string()))?)
        })
    }

    fn commit<'a>(
        &'a self,
        key: &'a UserKey,
        expected: Version,
        write: &'a Write,
    ) -> BoxFuture<'a, Result<Committed, StoreError>> {
        Box::pin(self.commit_on(key, expected, write))
    }

    fn backup_advice(&self) -> &'static str {
        "the data is in DynamoDB: use point-in-time recovery (PITR) of the table, or its on-demand \
         backups"
    }

    fn speculation(&self, _key: &UserKey) -> Speculation {
        let now = if self.compares_clocks {
            self.skew.vouched_now()
        } else {
            Some(self.clock.now())
        };
        // Otherwise a load tells whether the clock is right.
        now.map_or(Speculation::Never, Speculation::IfSoleWriter)
    }

    fn scan<'a>(
        &'a self,
        tenant: &'a TenantId,
        from: Option<&'a Cursor>,
        page_size: usize,
    ) -> BoxFuture<'a, Result<Page, StoreError>> {
        Box::pin(self.scan_page(tenant, from, page_size))
    }

    fn format_mark(&self) -> BoxFuture<'_, Result<Option<u32>, StoreError>> {
        Box::pin(async move {
            let item = self.get(FORMAT_KEY).await;
            let item = item.map_err(|failed| StoreError::Unavailable(failed.to_string()))?;
            let wrong = || StoreError::Unavailable(self.foreign());
            let mark = |item| format_mark_of(&item).ok_or_else(wrong);
            item.map(mark).transpose()
        })
    }

    fn raise_format_mark(&self, to: u8) -> BoxFuture<'_, Result<u32, StoreError>> {
        Box::pin(self.raise_mark(to))
    }

    fn check_ready(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            let probed = self.probe().await;
            self.check_clock()?;
            probed.map_err(|failed| StoreError::Unavailable(failed.to_string()))
        })
    }
}
