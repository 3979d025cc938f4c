//! Which rows of each data set a step sees. The set that takes most batches says how long an epoch is; the others begin again, in a
//! new order, and always give a whole batch.

use crate::data::shuffle;
use std::rc::Rc;

/// The rows of a batch, of each data set, by their places in its training rows.
pub type Chosen = Rc<[Rc<[usize]>]>;

/// The training rows of all data sets.
pub struct Order {
    seed: u64,
    sets: Vec<Training>,
}

/// Those of one.
struct Training {
    rows: usize,
    /// Rows of a step.
    batch: usize,
    /// Its orders in the rounds that were asked for last.
    rounds: Vec<(u64, Rc<[usize]>)>,
}

impl Training {
    /// How many batches see all rows once.
    fn batches(&self) -> u64 {
        (self.rows.div_ceil(self.batch.max(1)) as u64).max(1)
    }

    /// The order in one round, which is another in each.
    fn round(&mut self, seed: u64, round: u64) -> Rc<[usize]> {
        if let Some((_, known)) = self.rounds.iter().find(|(known, _)| *known == round) {
            return Rc::clone(known);
        }
        let seed = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(round);
        let order: Rc<[usize]> =
            if self.batch >= self.rows { (0..self.rows).collect() } else { shuffle::order(self.rows, seed).into() };
        // A batch reaches from one round into the next, no farther.
        self.rounds.retain(|(known, _)| known + 1 == round);
        self.rounds.push((round, Rc::clone(&order)));
        order
    }

    /// A batch of a set that gives its rows once an epoch.
    fn once(&mut self, seed: u64, number: u64) -> Rc<[usize]> {
        let batches = self.batches();
        let order = self.round(seed, number / batches);
        let first = (number % batches) as usize * self.batch;
        order[first..self.rows.min(first + self.batch)].into()
    }

    /// A batch of a set that begins again.
    fn again(&mut self, seed: u64, number: u64) -> Rc<[usize]> {
        let first = number * self.batch as u64;
        let rows = self.rows as u64;
        let all = first..first + self.batch as u64;
        all.map(|at| self.round(seed, at / rows)[(at % rows) as usize]).collect()
    }
}

impl Order {
    /// Of so many training rows of each set, in batches of at most so many.
    pub fn new(rows: &[usize], batch: usize, seed: u64) -> Order {
        let of = |rows: &usize| Training { rows: *rows, batch: batch.min(*rows), rounds: Vec::new() };
        Order { seed, sets: rows.iter().map(of).collect() }
    }

    /// Whether each step sees all rows.
    pub fn is_whole(&self) -> bool {
        self.sets.iter().all(|set| set.batch >= set.rows)
    }

    pub fn batches_in_epoch(&self) -> u64 {
        self.sets.iter().map(Training::batches).max().unwrap_or(1)
    }

    /// How many rows of each set a batch has.
    pub fn full(&self) -> Vec<usize> {
        self.sets.iter().map(|set| set.batch).collect()
    }

    /// How many the last batch of an epoch has, where that is less.
    pub fn last(&self) -> Option<Vec<usize>> {
        let batches = self.batches_in_epoch();
        let rows = |set: &Training| {
            if set.batches() == batches { set.rows - (batches as usize - 1) * set.batch } else { set.batch }
        };
        let last: Vec<usize> = self.sets.iter().map(rows).collect();
        (last != self.full()).then_some(last)
    }

    /// The rows of a batch, counted from the first of the run.
    pub fn batch(&mut self, number: u64) -> Chosen {
        let batches = self.batches_in_epoch();
        let sets = self.sets.iter_mut().enumerate().map(|(at, set)| {
            // Each set has orders of its own.
            let seed = self.seed.wrapping_add((at as u64).wrapping_mul(0xD1B5_4A32_D192_ED03));
            if set.batch >= set.rows {
                set.round(seed, 0)
            } else if set.batches() == batches {
                set.once(seed, number)
            } else {
                set.again(seed, number)
            }
        });
        sets.collect()
    }
}
