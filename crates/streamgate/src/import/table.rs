//! Files that are the rows of a DynamoDB table: one object a line as an export has them, the
//! document that `aws dynamodb scan` prints, or a list.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::source::{Line, Stop};
use super::{Input, Place, System};
use crate::exit::Failure;

/// Reads the rows and gives them one at a time.
pub(super) fn read(
    system: System,
    input: &Input,
    each: impl FnMut(Place, Value) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let source = input.open(system)?;
    let mut walk = Walk {
        system,
        line: source.line(),
        row: 0,
        each,
        stopped: None,
    };
    let mut json = serde_json::Deserializer::from_reader(source);
    loop {
        match json.end() {
            Ok(()) => return Ok(()),
            Err(error) if error.is_io() => return input.ended(system, None, Err(error)),
            // Something follows.
            Err(_) => {}
        }
        let value = TopLevel(&mut walk).deserialize(&mut json);
        input.ended(system, walk.stopped.take(), value)?;
    }
}

struct Walk<F> {
    system: System,
    line: Line,
    /// The number of rows so far.
    row: u64,
    each: F,
    stopped: Option<Stop>,
}

impl<F: FnMut(Place, Value) -> Result<(), Failure>> Walk<F> {
    fn give<E: Error>(&mut self, row: Value) -> Result<(), E> {
        self.row += 1;
        let at = Place::Row {
            row: self.row,
            line: self.line.number(),
        };
        (self.each)(at, row).map_err(|failure| {
            self.stopped = Some(Stop::Failed(failure));
            E::custom("stopped")
        })
    }
}

/// A row, a list of rows, or a document that has such a list.
struct TopLevel<'a, F>(&'a mut Walk<F>);

impl<'de, F> DeserializeSeed<'de> for TopLevel<'_, F>
where
    F: FnMut(Place, Value) -> Result<(), Failure>,
{
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, F> Visitor<'de> for TopLevel<'_, F>
where
    F: FnMut(Place, Value) -> Result<(), Failure>,
{
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or a list of objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<(), A::Error> {
        while let Some(row) = rows.next_element::<Value>()? {
            self.0.give(row)?;
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut row = Map::new();
        let mut is_document = false;
        while let Some(key) = map.next_key::<String>()? {
            match System::with_member(&key) {
                // Before its value is read, which may be the whole file.
                Some(other) if other != self.0.system => {
                    self.0.stopped = Some(Stop::Other(key, other));
                    return Err(A::Error::custom("stopped"));
                }
                _ if key == "Items" => {
                    is_document = true;
                    map.next_value_seed(TopLevel(&mut *self.0))?;
                }
                // `Count` and the like, beside the rows.
                _ if is_document => {
                    map.next_value::<IgnoredAny>()?;
                }
                _ => {
                    row.insert(key, map.next_value()?);
                }
            }
        }
        if is_document {
            return Ok(());
        }
        self.0.give(Value::Object(row))
    }
}
