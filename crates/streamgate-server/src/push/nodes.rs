//! What other nodes do: notices of the store go to the hub, and refusals of this node to others.
//!
//! A notice is a hint. Where one may be missing or cannot be read, the streams read the record.

use std::fmt;
use std::sync::Arc;

use streamgate_core::admission::Refused;
use streamgate_core::codec::{decode_notice, decode_refusal, encode_refusal};
use streamgate_core::{TenantId, UserKey};
use streamgate_store::{Notice, Notices, Scope};

use super::hub::Hub;
use super::queue::shortened;

/// After so many notices in a row other tasks get their turn.
const IN_A_ROW: u32 = 128;

impl Hub {
    /// Tells streams what other nodes do, until dropped. Returns at once if the store has no
    /// notices. No answer depends on it.
    pub async fn follow_notices(&self) {
        let Some(notices) = self.notices() else {
            return;
        };
        for count in 1_u32.. {
            self.take(notices.next().await);
            if count % IN_A_ROW == 0 {
                tokio::task::yield_now().await;
            }
        }
    }

    fn take(&self, notice: Notice) {
        match notice {
            Notice::Committed { scope, key, change } => match decode_notice(&change) {
                Ok(events) => self.remote(scope, &key, &events),
                // A node of a later release wrote it.
                Err(error) => self.unreadable(scope, &key, &error),
            },
            Notice::Told {
                scope,
                key,
                message,
            } => match decode_refusal(&message) {
                Ok(refused) => self.remote_refused(scope, &key, &refused),
                Err(error) => tracing::debug!(%error, "what another node says cannot be read"),
            },
            Notice::UserSince(key) => self.recheck(&key),
            Notice::TenantSince { tenant, again } => {
                if again {
                    self.missed(&tenant);
                }
            }
            Notice::Dropped(_) => {
                self.recheck_all();
                self.missed_all();
            }
        }
    }

    /// A change cannot be read: streams have to look for themselves.
    fn unreadable(&self, scope: Scope, key: &UserKey, error: &dyn fmt::Display) {
        tracing::debug!(%error, "a notice of another node cannot be read");
        match scope {
            Scope::User => self.recheck(key),
            Scope::Tenant => {
                if let Ok(tenant) = TenantId::new(key.tenant()) {
                    self.missed(&tenant);
                }
            }
        }
    }
}

/// Tells other nodes that a start of this user is refused.
pub(super) fn publish_refusal(notices: &Arc<dyn Notices>, user: &UserKey, refused: &Refused) {
    notices.tell(user, &|| encode_refusal(&shortened(refused)));
}
