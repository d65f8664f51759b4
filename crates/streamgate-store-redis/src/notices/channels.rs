//! The channels of one subscription connection: which are wanted, which were asked for, and which are confirmed.

use std::collections::HashMap;

use parking_lot::Mutex;
use streamgate_clock::passed_ms;
use tokio::sync::Notify;

/// After this time without a confirmation a subscription is asked for again, in milliseconds.
const CONFIRMED_WITHIN_MS: u64 = 2_000;

/// One channel.
#[derive(Debug, Clone, Copy)]
struct Channel {
    /// Whether it is a user's, and so sharded where the server knows that.
    is_sharded: bool,
    /// When it was asked for; `None` if it was not, on this connection.
    asked_ms: Option<u64>,
    is_confirmed: bool,
    /// Whether it was ever confirmed, here or on another connection.
    was_confirmed: bool,
}

/// What to send to the server.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Requests {
    /// Channels to subscribe to, and whether they are sharded.
    pub(super) subscribe: Vec<(Vec<u8>, bool)>,
    /// Channels to leave.
    pub(super) leave: Vec<(Vec<u8>, bool)>,
}

impl Requests {
    pub(super) const fn is_empty(&self) -> bool {
        self.subscribe.is_empty() && self.leave.is_empty()
    }
}

/// What a confirmation means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Confirmation {
    /// Nothing: it was confirmed already, or is not wanted any more.
    Nothing,
    /// What is published from now on arrives.
    First,
    /// The same, and it did before: something may have been missed.
    Again,
}

#[derive(Debug, Default)]
pub(super) struct Channels {
    state: Mutex<State>,
    /// There is something to send.
    pub(super) changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// The number of the connection. What an earlier one still says is passed over.
    connection: u64,
    wanted: HashMap<Vec<u8>, Channel>,
    /// Wanted ones that are to be asked for, and others that are to be left.
    changes: Vec<(Vec<u8>, bool)>,
}

impl Channels {
    /// Adds a channel. `was_confirmed`: another connection had it.
    pub(super) fn want(&self, name: Vec<u8>, is_sharded: bool, was_confirmed: bool) {
        let mut state = self.state.lock();
        state.changes.push((name.clone(), is_sharded));
        state.wanted.insert(
            name,
            Channel {
                is_sharded,
                asked_ms: None,
                is_confirmed: false,
                was_confirmed,
            },
        );
        drop(state);
        self.changed.notify_one();
    }

    /// Takes a channel away; whether it was ever confirmed.
    pub(super) fn unwant(&self, name: &[u8]) -> bool {
        let mut state = self.state.lock();
        let Some((name, channel)) = state.wanted.remove_entry(name) else {
            return false;
        };
        state.changes.push((name, channel.is_sharded));
        drop(state);
        self.changed.notify_one();
        channel.was_confirmed
    }

    pub(super) fn is_empty(&self) -> bool {
        self.state.lock().wanted.is_empty()
    }

    /// A new connection knows no channels: all are to be asked for. Returns its number.
    pub(super) fn begin_anew(&self) -> u64 {
        let mut state = self.state.lock();
        state.connection += 1;
        let connection = state.connection;
        let State {
            wanted, changes, ..
        } = &mut *state;
        changes.clear();
        for (name, channel) in wanted {
            channel.asked_ms = None;
            channel.is_confirmed = false;
            changes.push((name.clone(), channel.is_sharded));
        }
        connection
    }

    /// Whether this is the number of the connection.
    pub(super) fn is_current(&self, connection: u64) -> bool {
        self.state.lock().connection == connection
    }

    /// At most `max` changes, as requests.
    pub(super) fn take_changes(&self, max: usize) -> Requests {
        let now_ms = passed_ms();
        let mut requests = Requests::default();
        let mut state = self.state.lock();
        let State {
            wanted, changes, ..
        } = &mut *state;
        let from = changes.len().saturating_sub(max);
        for (name, is_sharded) in changes.drain(from..) {
            match wanted.get_mut(&name) {
                None => requests.leave.push((name, is_sharded)),
                Some(channel) if channel.asked_ms.is_none() => {
                    channel.asked_ms = Some(now_ms);
                    requests.subscribe.push((name, is_sharded));
                }
                Some(_) => {}
            }
        }
        requests
    }

    /// The server has confirmed a subscription.
    pub(super) fn confirmed(&self, connection: u64, name: &[u8]) -> Confirmation {
        let mut state = self.state.lock();
        let is_current = state.connection == connection;
        match state.wanted.get_mut(name) {
            Some(channel) if is_current && !channel.is_confirmed => {
                channel.is_confirmed = true;
                if std::mem::replace(&mut channel.was_confirmed, true) {
                    Confirmation::Again
                } else {
                    Confirmation::First
                }
            }
            _ => Confirmation::Nothing,
        }
    }

    /// The server has ended a subscription; `true` if it was wanted, as where a slot has moved.
    pub(super) fn ended(&self, connection: u64, name: &[u8]) -> bool {
        let mut state = self.state.lock();
        let is_current = state.connection == connection;
        let State {
            wanted, changes, ..
        } = &mut *state;
        match wanted.get_mut(name) {
            Some(channel) if is_current && channel.is_confirmed => {
                channel.is_confirmed = false;
                channel.asked_ms = None;
                changes.push((name.to_vec(), channel.is_sharded));
                true
            }
            _ => false,
        }
    }

    /// Asks again for what was asked for long ago and is not confirmed; whether there is any.
    pub(super) fn ask_again(&self) -> bool {
        let now_ms = passed_ms();
        let mut state = self.state.lock();
        let State {
            wanted, changes, ..
        } = &mut *state;
        let mut any = false;
        for (name, channel) in wanted {
            let is_late = |asked_ms: u64| asked_ms + CONFIRMED_WITHIN_MS < now_ms;
            if !channel.is_confirmed && channel.asked_ms.is_some_and(is_late) {
                channel.asked_ms = None;
                changes.push((name.clone(), channel.is_sharded));
                any = true;
            }
        }
        any
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &[u8] = b"sg:{default\0u}";

    fn subscribe() -> Requests {
        Requests {
            subscribe: vec![(NAME.to_vec(), true)],
            leave: Vec::new(),
        }
    }

    #[test]
    fn a_channel_is_asked_for_once_and_after_each_loss() {
        let channels = Channels::default();
        assert_eq!(channels.begin_anew(), 1);
        channels.want(NAME.to_vec(), true, false);
        assert_eq!(channels.take_changes(9), subscribe());
        assert!(channels.take_changes(9).is_empty());
        assert_eq!(channels.confirmed(1, NAME), Confirmation::First);
        assert_eq!(channels.confirmed(1, NAME), Confirmation::Nothing);
        assert!(channels.ended(1, NAME), "its slot has moved");
        assert_eq!(channels.take_changes(9), subscribe());
        assert!(!channels.ended(1, NAME), "it is not confirmed yet");
        assert_eq!(channels.confirmed(1, NAME), Confirmation::Again);
        assert_eq!(channels.begin_anew(), 2);
        assert!(channels.is_current(2) && !channels.is_current(1));
        assert_eq!(channels.take_changes(9), subscribe());
        assert_eq!(channels.confirmed(1, NAME), Confirmation::Nothing);
        assert_eq!(channels.confirmed(2, NAME), Confirmation::Again);
        assert!(!channels.ended(1, NAME), "of the connection before");
    }

    #[test]
    fn a_channel_that_is_not_wanted_is_left() {
        let channels = Channels::default();
        assert_eq!(channels.begin_anew(), 1);
        channels.want(NAME.to_vec(), true, false);
        channels.take_changes(9);
        channels.confirmed(1, NAME);
        assert!(channels.unwant(NAME));
        let left = channels.take_changes(9);
        assert_eq!(left.leave, [(NAME.to_vec(), true)]);
        assert!(!channels.ended(1, NAME), "it was asked to");
        assert_eq!(channels.confirmed(1, NAME), Confirmation::Nothing);
        assert!(channels.is_empty());
        assert!(!channels.unwant(NAME));
    }

    #[test]
    fn requests_come_in_parts() {
        let channels = Channels::default();
        assert_eq!(channels.begin_anew(), 1);
        for i in 0..5_u8 {
            channels.want(vec![i], false, false);
        }
        let parts: Vec<usize> = (0..4)
            .map(|_| channels.take_changes(2).subscribe.len())
            .collect();
        assert_eq!(parts, [2, 2, 1, 0]);
    }
}
