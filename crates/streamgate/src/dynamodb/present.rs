//! Opening a table, and making one.

use std::fmt::Display;
use std::sync::Arc;

use streamgate_clock::Clock;
use streamgate_store::versioned::Optimistic;
use streamgate_store_dynamodb::{
    self as dynamodb, Created, DynamoDbConfig, DynamoDbStore, NotUsable,
};

use crate::config::sections::store::TableSettings;
use crate::exit::{Code, Failure};
use crate::serve::{Started, format};

/// The variable by which an earlier system named the region; it goes before `AWS_REGION`.
const REGION: &str = "REGION";

/// Finds the way to the table, and looks whether it can be read and written.
pub(crate) async fn start(
    settings: &TableSettings,
    clock: Arc<dyn Clock>,
) -> Result<Started, Failure> {
    let store = DynamoDbStore::connect(&config(settings))
        .await
        .map_err(unusable)?
        .with_clock(clock);
    let away = match store.prove().await {
        Ok(()) => None,
        Err(NotUsable::Unavailable(why)) => Some(why),
        Err(error @ NotUsable::Refused(_)) => return Err(unusable(error)),
    };
    let store = Arc::new(Optimistic::new(store));
    format::guard(&store).await?;
    Ok(Started { store, away })
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
