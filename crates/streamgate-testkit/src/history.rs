//! A linearizability checker: does some sequential order explain what concurrent callers were
//! answered?
//!
//! The search is depth first and memoises the states it has visited. Where answers say little, many
//! orders fit for a long while, and without the memo the search would not end.

use std::collections::HashSet;
use std::fmt::Debug;
use std::hash::Hash;

/// The sequential specification: answers one call at a time.
pub trait Model: Clone + Eq + Hash {
    /// What callers ask.
    type Call: Clone + Debug;
    /// What they are answered.
    type Reply: Clone + Debug;

    /// Applies the call. Returns whether `reply` is an answer that it may have.
    fn answers(&mut self, call: &Self::Call, reply: &Self::Reply) -> bool;
}

/// Calls with their answers, one after the other.
pub type Order<'a, M> = Vec<(&'a <M as Model>::Call, &'a <M as Model>::Reply)>;

/// The calls and answers of several players. Each player waits for an answer before its next call.
#[derive(Debug)]
pub struct History<M: Model> {
    by_player: Vec<Vec<Event<M>>>,
    /// The number of calls that began and ended so far.
    moment: usize,
}

#[derive(Debug)]
struct Event<M: Model> {
    call: M::Call,
    reply: M::Reply,
    began: usize,
    ended: usize,
}

impl<M: Model> History<M> {
    /// The empty history of this many players.
    pub fn new(players: usize) -> Self {
        Self {
            by_player: (0..players).map(|_| Vec::new()).collect(),
            moment: 0,
        }
    }

    /// Records that a call begins. Returns the moment, which [`Self::end`] takes.
    pub fn begin(&mut self) -> usize {
        self.moment += 1;
        self.moment
    }

    /// Records the answer to the call of `player` that began at `began`.
    pub fn end(&mut self, player: usize, began: usize, call: M::Call, reply: M::Reply) {
        let ended = self.begin();
        self.by_player[player].push(Event {
            call,
            reply,
            began,
            ended,
        });
    }

    /// A linearization: an order in which the model gives the same answers and no call comes before
    /// one that was answered before it was made.
    ///
    /// # Errors
    ///
    /// The longest prefix that the model explains, where there is no such order.
    pub fn explain(&self, model: &M) -> Result<Order<'_, M>, Order<'_, M>> {
        let mut search = Search {
            history: self,
            next: vec![0; self.by_player.len()],
            order: Vec::new(),
            longest: Vec::new(),
            visited: HashSet::new(),
        };
        match search.explains_rest(model) {
            true => Ok(search.order),
            false => Err(search.longest),
        }
    }
}

struct Search<'a, M: Model> {
    history: &'a History<M>,
    /// The index of the next event of each player.
    next: Vec<usize>,
    order: Order<'a, M>,
    longest: Order<'a, M>,
    /// States from which the rest of the history cannot be explained.
    visited: HashSet<(Vec<usize>, M)>,
}

impl<M: Model> Search<'_, M> {
    fn explains_rest(&mut self, model: &M) -> bool {
        let heads: Vec<(usize, &Event<M>)> = self
            .history
            .by_player
            .iter()
            .enumerate()
            .filter_map(|(player, events)| Some((player, events.get(self.next[player])?)))
            .collect();
        let Some(first_end) = heads.iter().map(|(_, event)| event.ended).min() else {
            return true;
        };
        if !self.visited.insert((self.next.clone(), model.clone())) {
            return false;
        }
        for (player, event) in heads {
            let mut after = model.clone();
            if event.began > first_end || !after.answers(&event.call, &event.reply) {
                continue;
            }
            self.next[player] += 1;
            self.order.push((&event.call, &event.reply));
            if self.order.len() > self.longest.len() {
                self.longest.clone_from(&self.order);
            }
            if self.explains_rest(&after) {
                return true;
            }
            self.order.pop();
            self.next[player] -= 1;
        }
        false
    }
}
