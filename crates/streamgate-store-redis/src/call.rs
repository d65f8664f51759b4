//! One script, sent to one server: load, commit, confirm, raise the format mark, or tell.

use std::sync::LazyLock;

use redis::aio::{ConnectionLike as _, MultiplexedConnection};
use redis::{Cmd, ErrorKind, Pipeline, RedisError, RedisResult, ServerErrorKind, Value};

/// A script, and the hash under which servers cache it.
#[derive(Debug)]
pub(crate) struct Script {
    source: &'static str,
    sha1: LazyLock<String>,
}

static LOAD: Script = Script {
    source: include_str!("scripts/load.lua"),
    sha1: LazyLock::new(|| sha1_of(include_str!("scripts/load.lua"))),
};

pub(crate) static COMMIT: Script = Script {
    source: include_str!("scripts/commit.lua"),
    sha1: LazyLock::new(|| sha1_of(include_str!("scripts/commit.lua"))),
};

pub(crate) static CONFIRM: Script = Script {
    source: include_str!("scripts/confirm.lua"),
    sha1: LazyLock::new(|| sha1_of(include_str!("scripts/confirm.lua"))),
};

pub(crate) static RAISE_MARK: Script = Script {
    source: include_str!("scripts/raise_mark.lua"),
    sha1: LazyLock::new(|| sha1_of(include_str!("scripts/raise_mark.lua"))),
};

pub(crate) static TELL: Script = Script {
    source: include_str!("scripts/tell.lua"),
    sha1: LazyLock::new(|| sha1_of(include_str!("scripts/tell.lua"))),
};

fn sha1_of(source: &str) -> String {
    redis::Script::new(source).get_hash().to_owned()
}

/// How many replicas to wait for, and for how long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wait {
    pub(crate) replicas: u32,
    pub(crate) timeout_ms: u64,
}

/// A script with its key and its arguments.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    pub(crate) script: &'static Script,
    pub(crate) key: &'a [u8],
    pub(crate) arguments: &'a [&'a [u8]],
    pub(crate) wait: Option<Wait>,
}

/// The answer to a call.
#[derive(Debug)]
pub(crate) struct Reply {
    /// What the script answered.
    pub(crate) value: Value,
    /// How many replicas have everything that this connection wrote, if the call waited for them.
    pub(crate) replicas: Option<i64>,
}

impl<'a> Call<'a> {
    /// Loads the record of this name.
    pub(crate) fn load(name: &'a [u8]) -> Self {
        Self {
            script: &LOAD,
            key: name,
            arguments: &[],
            wait: None,
        }
    }

    /// Sends it by its hash. A server that does not know the script did nothing, and gets the
    /// source.
    pub(crate) async fn send(
        &self,
        connection: &mut MultiplexedConnection,
        asking: bool,
    ) -> RedisResult<Reply> {
        let by_name = self.command("EVALSHA", &self.script.sha1);
        match self.send_as(by_name, connection, asking).await {
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                let in_full = self.command("EVAL", self.script.source);
                self.send_as(in_full, connection, asking).await
            }
            other => other,
        }
    }

    fn command(&self, how: &str, script: &str) -> Cmd {
        let mut command = redis::cmd(how);
        command.arg(script).arg(1).arg(self.key);
        for argument in self.arguments {
            command.arg(argument);
        }
        command
    }

    async fn send_as(
        &self,
        command: Cmd,
        connection: &mut MultiplexedConnection,
        asking: bool,
    ) -> RedisResult<Reply> {
        if !asking && self.wait.is_none() {
            let value = connection.req_packed_command(&command).await?;
            let value = value.extract_error()?;
            return Ok(Reply {
                value,
                replicas: None,
            });
        }
        // One message, so that nothing of another call comes between: ASKING holds for the next
        // command only, and WAIT counts what this connection wrote before it.
        let mut message = Pipeline::new();
        if asking {
            message.cmd("ASKING");
        }
        message.add_command(command);
        if let Some(wait) = self.wait {
            message.cmd("WAIT").arg(wait.replicas).arg(wait.timeout_ms);
        }
        let count = message.len();
        let answers = connection.req_packed_commands(&message, 0, count).await?;
        let mut answers = answers.into_iter().skip(usize::from(asking));
        let value = answers.next().ok_or_else(too_short)?.extract_error()?;
        let replicas = match self.wait {
            None => None,
            Some(_) => match answers.next().ok_or_else(too_short)? {
                Value::Int(replicas) => Some(replicas),
                // Done on the primary; the number of replicas is not known.
                _ => Some(0),
            },
        };
        Ok(Reply { value, replicas })
    }
}

fn too_short() -> RedisError {
    RedisError::from((ErrorKind::UnexpectedReturnType, "an answer is missing"))
}
