//! Creating the table, idempotently.

use std::time::Duration;

use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::operation::create_table::CreateTableError as Refused;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
    TableDescription, TableStatus, TimeToLiveSpecification, TimeToLiveStatus,
};
use streamgate_clock::Stopwatch;

use crate::config::{ConfigError, DynamoDbConfig};
use crate::item::{GARBAGE_AT, KEY};
use crate::table::Table;

/// How long a new table may take until it can be used. It usually takes a few seconds.
const READY_AFTER_MAX: Duration = Duration::from_secs(120);

/// How often the state of a new table is read.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// The result of creating a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    /// The table is new.
    New,
    /// It existed, and Streamgate can use it.
    AlreadyThere,
}

/// Why the table cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CreateTableError {
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A table of this name has another key, so it belongs to something else.
    #[error(
        "{place}: it exists with the key {found}, but Streamgate needs the one key `{KEY}` (HASH, \
         binary). Name another table"
    )]
    WrongKey {
        /// The table and its region.
        place: String,
        /// Its key, in words.
        found: String,
    },
    /// A table of this name expires items by another attribute.
    #[error(
        "{place}: its time to live is the attribute `{found}`, but Streamgate needs \
         `{GARBAGE_AT}`. Name another table, or switch its time to live off first"
    )]
    OtherTimeToLive {
        /// The table and its region.
        place: String,
        /// The attribute.
        found: String,
    },
    /// It did not become usable in time. It may yet; trying again is safe.
    #[error("{place}: it is still {status} after {} s", READY_AFTER_MAX.as_secs())]
    NotReady {
        /// The table and its region.
        place: String,
        /// Its state, in DynamoDB's word.
        status: String,
    },
    /// DynamoDB refused, or did not answer. Trying again is safe.
    #[error("{0}")]
    Failed(String),
}

/// Creates the table of this configuration, with billing on demand and time to live, and waits
/// until it can be used. An existing table is checked, and its time to live is enabled.
///
/// # Errors
/// [`CreateTableError`].
pub async fn create_table(config: &DynamoDbConfig) -> Result<Created, CreateTableError> {
    let table = Table::connect(config).await?;
    let created = table.create().await?;
    let description = table.wait_until_active().await?;
    table.check_key(&description)?;
    table.switch_time_to_live_on().await?;
    Ok(created)
}

impl Table {
    async fn create(&self) -> Result<Created, CreateTableError> {
        let attribute = AttributeDefinition::builder()
            .attribute_name(KEY)
            .attribute_type(ScalarAttributeType::B)
            .build()
            .expect("both fields are set");
        let key = KeySchemaElement::builder()
            .attribute_name(KEY)
            .key_type(KeyType::Hash)
            .build()
            .expect("both fields are set");
        let answer = self
            .client
            .create_table()
            .table_name(&self.name)
            .attribute_definitions(attribute)
            .key_schema(key)
            .billing_mode(BillingMode::PayPerRequest)
            .send()
            .await;
        let Err(error) = answer else {
            return Ok(Created::New);
        };
        let reason = self.failed(&error);
        match error.into_service_error() {
            // Also where an attempt made it whose answer was lost.
            Refused::ResourceInUseException(_) => Ok(Created::AlreadyThere),
            _ => Err(CreateTableError::Failed(reason.to_string())),
        }
    }

    async fn wait_until_active(&self) -> Result<TableDescription, CreateTableError> {
        let waiting = Stopwatch::start();
        loop {
            let description = self.describe().await?;
            let status = description
                .as_ref()
                .and_then(TableDescription::table_status);
            match (&description, status) {
                // A table that is being updated can be used all the while.
                (Some(found), Some(TableStatus::Active | TableStatus::Updating)) => {
                    return Ok(found.clone());
                }
                _ if waiting.elapsed() >= READY_AFTER_MAX => {
                    return Err(CreateTableError::NotReady {
                        place: self.place(),
                        status: status.map_or("MISSING", TableStatus::as_str).to_owned(),
                    });
                }
                _ => tokio::time::sleep(LOOK_EVERY).await,
            }
        }
    }

    /// The description of the table; `None` if it does not exist (yet).
    async fn describe(&self) -> Result<Option<TableDescription>, CreateTableError> {
        let call = self.client.describe_table().table_name(&self.name);
        match call.send().await {
            Ok(answer) => Ok(answer.table),
            Err(error) if error.code() == Some("ResourceNotFoundException") => Ok(None),
            Err(error) => Err(CreateTableError::Failed(self.failed(&error).to_string())),
        }
    }

    fn check_key(&self, table: &TableDescription) -> Result<(), CreateTableError> {
        let type_of = |name: &str| {
            let mut attributes = table.attribute_definitions().iter();
            let attribute = attributes.find(|attribute| attribute.attribute_name() == name);
            attribute.map_or("?", |attribute| attribute.attribute_type().as_str())
        };
        let found: Vec<String> = table
            .key_schema()
            .iter()
            .map(|key| {
                let name = key.attribute_name();
                format!("`{name}` ({}, {})", key.key_type(), type_of(name))
            })
            .collect();
        let found = found.join(", ");
        if found == format!("`{KEY}` (HASH, B)") {
            return Ok(());
        }
        Err(CreateTableError::WrongKey {
            place: self.place(),
            found,
        })
    }

    async fn switch_time_to_live_on(&self) -> Result<(), CreateTableError> {
        if self.has_time_to_live().await? {
            return Ok(());
        }
        let specification = TimeToLiveSpecification::builder()
            .attribute_name(GARBAGE_AT)
            .enabled(true)
            .build()
            .expect("both fields are set");
        let answer = self
            .client
            .update_time_to_live()
            .table_name(&self.name)
            .time_to_live_specification(specification)
            .send()
            .await;
        let Err(error) = answer else {
            return Ok(());
        };
        // Another process may have done it, or an attempt whose answer was lost.
        if self.has_time_to_live().await? {
            return Ok(());
        }
        Err(CreateTableError::Failed(self.failed(&error).to_string()))
    }

    async fn has_time_to_live(&self) -> Result<bool, CreateTableError> {
        let answer = self
            .client
            .describe_time_to_live()
            .table_name(&self.name)
            .send()
            .await
            .map_err(|error| CreateTableError::Failed(self.failed(&error).to_string()))?;
        let Some(found) = answer.time_to_live_description() else {
            return Ok(false);
        };
        let status = found.time_to_live_status();
        if !matches!(
            status,
            Some(TimeToLiveStatus::Enabled | TimeToLiveStatus::Enabling)
        ) {
            return Ok(false);
        }
        match found.attribute_name() {
            Some(GARBAGE_AT) => Ok(true),
            other => Err(CreateTableError::OtherTimeToLive {
                place: self.place(),
                found: other.unwrap_or_default().to_owned(),
            }),
        }
    }
}
