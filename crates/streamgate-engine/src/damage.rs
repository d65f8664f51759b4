//! Records that cannot be read, because they are damaged or newer than this program, and records
//! that the store cannot hold: reported to the operator without naming the user.
//!
//! What is *not* here: a second attempt. A damaged record stays so until an operator repairs it.

use sha2::{Digest as _, Sha256};
use streamgate_core::UserKey;

use crate::engine::Engine;
use crate::error::EngineError;

/// Bytes of the hash that stands for a user in the log.
const HASH_BYTES: usize = 8;

impl Engine {
    /// The error of a call about a user whose record cannot be read.
    fn damaged(&self, user: &UserKey, error: EngineError) -> EngineError {
        self.observer.damaged(1);
        tracing::error!(
            %error,
            tenant = user.tenant(),
            user_sha256 = user_hash(user.user()),
            "the record of a user cannot be read: its calls are answered 500 until it is repaired"
        );
        error
    }

    /// The error of a call about a user, for an error of the store or of the user's record.
    pub(crate) async fn failed(
        &self,
        user: &UserKey,
        error: impl Into<EngineError>,
    ) -> EngineError {
        match error.into() {
            error @ EngineError::Damaged(_) => self.damaged(user, error),
            EngineError::NewerRecord(why) if Box::pin(self.is_above_the_mark()).await => {
                let why = format!(
                    "{why}; but the format mark of the store, which is raised first, is lower: the \
                     record is damaged, or the mark was lost"
                );
                self.damaged(user, EngineError::Damaged(why))
            }
            error @ EngineError::NewerRecord(_) => self.newer(user, error),
            error @ EngineError::TooLarge(_) => too_large(user, error),
            other => other,
        }
    }

    /// Whether a record of a newer version, which has been read before, is above the format mark of
    /// the store. A node raises the mark before it writes such a record, so that is damage: one
    /// flipped bit must not make a node unready.
    async fn is_above_the_mark(&self) -> bool {
        // Its success means that the mark was read, and that this program reads that version.
        let ready = self.within_deadline(self.store.check_ready());
        self.store.is_shared() && matches!(ready.await, Ok(Ok(())))
    }

    /// The error of a call about a user whose record is newer than this program. The log has the
    /// first of many.
    fn newer(&self, user: &UserKey, error: EngineError) -> EngineError {
        if self.newer.met(&error) {
            tracing::error!(
                %error,
                tenant = user.tenant(),
                user_sha256 = user_hash(user.user()),
                "calls about such users are answered 503, and their records are left as they are: \
                 run the newer version on this node, too"
            );
        }
        error
    }
}

/// The error of a call that would make the record of a user too large for the store.
fn too_large(user: &UserKey, error: EngineError) -> EngineError {
    tracing::error!(
        %error,
        tenant = user.tenant(),
        user_sha256 = user_hash(user.user()),
        "the record of a user would be larger than the store can hold: calls that add to it are \
         answered 500"
    );
    error
}

/// What the log has in place of a user's id: the beginning of its SHA-256. `printf %s ID | sha256sum`
/// tells whether it is this user, and the log names no user.
#[must_use]
pub fn user_hash(user: &str) -> String {
    hex::encode(&Sha256::digest(user.as_bytes())[..HASH_BYTES])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_of_a_user_is_the_beginning_of_its_sha256() {
        assert_eq!(user_hash("abc"), "ba7816bf8f01cfea");
    }
}
