//! Opening a table, and making one.

use std::fmt::Display;
use std::sync::Arc;

use streamgate_store::Store;
use streamgate_store::versioned::{Optimistic, VersionedStore as _};
use streamgate_store_dynamodb::{self as dynamodb, Created, DynamoDbConfig, DynamoDbStore};

use crate::config::sections::store::TableSettings;
use crate::exit::{Code, Failure};

/// The variable by which an earlier system named the region; it goes before `AWS_REGION`.
const REGION: &str = "REGION";

/// Opens the table, and proves that it can be read and written.
pub(crate) async fn open(settings: &TableSettings) -> Result<Arc<dyn Store>, Failure> {
    let store = DynamoDbStore::connect(&config(settings))
        .await
        .map_err(unusable)?;
    store.check_ready().await.map_err(unusable)?;
    Ok(Arc::new(Optimistic::new(store)))
}

/// Makes the table, and tells what was done. It is safe to repeat.
pub(crate) async fn create_table(settings: &TableSettings) -> Result<String, Failure> {
    let created = dynamodb::create_table(&config(settings))
        .await
        .map_err(unusable)?;
    Ok(match created {
        Created::New => format!("table {} is made and can be used", settings.table),
        Created::AlreadyThere => format!("table {} is there and can be used", settings.table),
    })
}

fn config(settings: &TableSettings) -> DynamoDbConfig {
    let region = std::env::var(REGION)
        .ok()
        .filter(|region| !region.is_empty());
    DynamoDbConfig {
        region: settings.region.clone().or(region),
        endpoint: settings.endpoint.clone(),
        ..DynamoDbConfig::new(settings.table.clone())
    }
}

fn unusable(error: impl Display) -> Failure {
    Failure::new(Code::Store, error.to_string()).hint(
        "check the table, the region and the credentials; `streamgate store create-table` makes a table",
    )
}
