//! The search for an order of events that explains what many callers were answered at once.
//!
//! Some dialects tell so little that many orders fit for a long while. A search that forgets where
//! it has been does not end then; this one goes on from each state at each point once.

use std::collections::HashSet;
use std::hash::Hash;

use crate::call::{Call, Reply};

/// What a history is compared with: something that answers one call at a time.
pub(crate) trait Reference: Clone + Eq + Hash {
    /// Makes the call, and says whether it can be answered so.
    fn answers(&mut self, call: &Call, reply: &Reply) -> bool;
}

/// Calls and answers of several players, each of whom waits for one answer at a time.
#[derive(Debug, Default)]
pub(crate) struct History {
    by_player: Vec<Vec<Event>>,
    /// Counts beginnings and ends.
    moment: usize,
}

/// Calls and answers, one after the other.
pub(crate) type Order<'a> = Vec<(&'a Call, &'a Reply)>;

#[derive(Debug, Clone)]
struct Event {
    call: Call,
    reply: Reply,
    began: usize,
    ended: usize,
}

impl History {
    pub(crate) fn new(players: usize) -> Self {
        Self {
            by_player: vec![Vec::new(); players],
            moment: 0,
        }
    }

    /// A call begins now; gives the moment, to be given back with the answer.
    pub(crate) fn begin(&mut self) -> usize {
        self.moment += 1;
        self.moment
    }

    /// The answer to a call of a player is there.
    pub(crate) fn end(&mut self, player: usize, began: usize, call: Call, reply: Reply) {
        let ended = self.begin();
        self.by_player[player].push(Event {
            call,
            reply,
            began,
            ended,
        });
    }

    /// An order in which the reference gives the same answers, and in which no call comes before
    /// one that was answered before it was made. The longest attempt where there is none.
    pub(crate) fn explain<R: Reference>(&self, reference: &R) -> Result<Order<'_>, Order<'_>> {
        let mut search = Search {
            history: self,
            next: vec![0; self.by_player.len()],
            order: Vec::new(),
            longest: Vec::new(),
            tried: HashSet::new(),
        };
        match search.goes_on(reference) {
            true => Ok(search.order),
            false => Err(search.longest),
        }
    }
}

struct Search<'a, R> {
    history: &'a History,
    /// The next event of each player.
    next: Vec<usize>,
    order: Order<'a>,
    longest: Order<'a>,
    /// Where the search has been, in vain.
    tried: HashSet<(Vec<usize>, R)>,
}

impl<R: Reference> Search<'_, R> {
    fn goes_on(&mut self, reference: &R) -> bool {
        let heads: Vec<(usize, &Event)> = self
            .history
            .by_player
            .iter()
            .enumerate()
            .filter_map(|(player, events)| Some((player, events.get(self.next[player])?)))
            .collect();
        let Some(first_end) = heads.iter().map(|(_, event)| event.ended).min() else {
            return true;
        };
        if !self.tried.insert((self.next.clone(), reference.clone())) {
            return false;
        }
        for (player, event) in heads {
            let mut after = reference.clone();
            if event.began > first_end || !after.answers(&event.call, &event.reply) {
                continue;
            }
            self.next[player] += 1;
            self.order.push((&event.call, &event.reply));
            if self.order.len() > self.longest.len() {
                self.longest.clone_from(&self.order);
            }
            if self.goes_on(&after) {
                return true;
            }
            self.order.pop();
            self.next[player] -= 1;
        }
        false
    }
}
