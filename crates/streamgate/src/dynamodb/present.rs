//! Starting the store of a table, and creating a table.

use std::sync::Arc;

use streamgate_clock::Clock;
use streamgate_server::Metrics;
use streamgate_store_dynamodb::{
    self as dynamodb, ClockObserver, Created, DynamoDbConfig, DynamoDbStore,
};

use crate::config::sections::store::TableSettings;
use crate::exit::{Code, Failure};
use crate::serve::remote::{Remote, start_remote};

/// What to check if DynamoDB refuses.
const CHECK: &str = "check the table, the region and the credentials; `streamgate store \
     create-table` makes a table";

/// Reports the skew of this node's clock to the metrics.
#[derive(Debug)]
struct Skew(Arc<Metrics>);

impl ClockObserver for Skew {
    fn skew(&self, ahead_ms: i64) {
        self.0.set_clock_skew(ahead_ms);
    }
}

/// Connects to the table, and starts the store.
pub(crate) async fn start(
    settings: &TableSettings,
    format: u8,
    clock: Arc<dyn Clock>,
    metrics: &Arc<Metrics>,
) -> Result<Remote, Failure> {
    let store = DynamoDbStore::connect(&config(settings))
        .await
        .map_err(|error| failure(&error.to_string()))?
        .with_clock(clock)
        .with_observer(Arc::new(Skew(Arc::clone(metrics))));
    start_remote(store, format, CHECK).await
}

/// Creates the table, and says what was done. Idempotent.
pub(crate) async fn create_table(settings: &TableSettings) -> Result<String, Failure> {
    let created = dynamodb::create_table(&config(settings))
        .await
        .map_err(|error| failure(&error.to_string()))?;
    Ok(match created {
        Created::New => format!("table {} is made and can be used", settings.table),
        Created::AlreadyThere => format!("table {} is there and can be used", settings.table),
    })
}

fn config(settings: &TableSettings) -> DynamoDbConfig {
    DynamoDbConfig {
        region: settings.region.clone().or_else(dynamodb::region_from_env),
        endpoint: settings.endpoint.clone(),
        ..DynamoDbConfig::new(settings.table.clone())
    }
}

fn failure(message: &str) -> Failure {
    Failure::new(Code::Store, message).hint(CHECK)
}
