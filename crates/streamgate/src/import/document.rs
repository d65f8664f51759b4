//! Files that are one JSON document with the users as the members of an object inside.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

use super::source::Stop;
use super::{Input, System};
use crate::exit::Failure;

/// Reads a document and gives each member of the object at `path`, one at a time.
pub(super) fn read(
    system: System,
    input: &Input,
    path: &[&str],
    each: impl FnMut(String, Value) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut walk = Walk {
        system,
        each,
        stopped: None,
        has_users: false,
    };
    let mut json = serde_json::Deserializer::from_reader(input.open(system)?);
    let at = At {
        walk: &mut walk,
        path,
        is_top: true,
    };
    let read = at.deserialize(&mut json).and_then(|()| json.end());
    input.ended(system, walk.stopped, read)?;
    if walk.has_users {
        return Ok(());
    }
    let why = format!("it has no {:?}", path.join("."));
    Err(input.not_of(system, &why, None))
}

struct Walk<F> {
    system: System,
    each: F,
    stopped: Option<Stop>,
    /// Whether there is an object at the path.
    has_users: bool,
}

/// A value, and the way from it to the users.
struct At<'a, F> {
    walk: &'a mut Walk<F>,
    path: &'a [&'a str],
    is_top: bool,
}

impl<'de, F> DeserializeSeed<'de> for At<'_, F>
where
    F: FnMut(String, Value) -> Result<(), Failure>,
{
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, F> Visitor<'de> for At<'_, F>
where
    F: FnMut(String, Value) -> Result<(), Failure>,
{
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let stop = || A::Error::custom("stopped");
        let Some((next, rest)) = self.path.split_first() else {
            self.walk.has_users = true;
            while let Some((key, row)) = map.next_entry::<String, Value>()? {
                if let Err(failure) = (self.walk.each)(key, row) {
                    self.walk.stopped = Some(Stop::Failed(failure));
                    return Err(stop());
                }
            }
            return Ok(());
        };
        while let Some(key) = map.next_key::<String>()? {
            let system = System::with_member(&key).filter(|_| self.is_top);
            match system {
                Some(other) if other != self.walk.system => {
                    self.walk.stopped = Some(Stop::Other(key, other));
                    return Err(stop());
                }
                _ if key == *next => map.next_value_seed(At {
                    walk: &mut *self.walk,
                    path: rest,
                    is_top: false,
                })?,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}
