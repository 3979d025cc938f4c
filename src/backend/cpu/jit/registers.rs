//! Which value of a section is in which vector register. A section is a straight line, so that the value whose next use is
//! farthest away makes room for another.

use super::steps::{Section, Source, Step, Value};
use std::collections::BTreeSet;

/// Where values are, step by step.
pub struct Registers {
    /// The register and the place in working memory of each value.
    register: Vec<Option<u8>>,
    slot: Vec<Option<usize>>,
    /// The steps that read each value, the last one first.
    uses: Vec<Vec<usize>>,
    owner: Vec<Option<Value>>,
    free: Vec<u8>,
    /// Registers that the present step reads.
    pinned: Vec<u8>,
    /// The registers of the present step that hold no value.
    lent: Vec<u8>,
    pub slots: usize,
}

/// A value that leaves its register.
pub struct Moved {
    pub register: u8,
    pub slot: usize,
}

/// Which steps of a section something needs, given the values of rows that other sections read.
pub fn live(section: &Section, rows_read: &BTreeSet<usize>) -> Vec<bool> {
    let mut live = vec![false; section.steps.len()];
    for (at, step) in section.steps.iter().enumerate().rev() {
        live[at] |= match step {
            Step::Store(..) | Step::Collect(..) | Step::Accumulate(..) | Step::Keep(..) => true,
            Step::SetRow(slot, _) => rows_read.contains(slot),
            Step::Load(_) | Step::Unary(..) | Step::Binary(..) | Step::Fused(..) | Step::Compare(..) => false,
            Step::Pick(..) | Step::Choose(_) | Step::Kept(_) | Step::Total(_) => false,
        };
        if live[at] {
            for source in step.sources() {
                if let Source::Value(value) = source {
                    live[*value] = true;
                }
            }
        }
    }
    live
}

/// The most values that are there at once.
pub fn pressure(section: &Section, live: &[bool]) -> usize {
    let mut last = vec![0; section.steps.len()];
    for (at, step) in section.steps.iter().enumerate().filter(|(at, _)| live[*at]) {
        for source in step.sources() {
            if let Source::Value(value) = source {
                last[*value] = at;
            }
        }
    }
    let mut ends = vec![0; section.steps.len() + 1];
    let (mut now, mut most) = (0usize, 0);
    for at in (0..section.steps.len()).filter(|at| live[*at]) {
        now -= ends[at];
        if last[at] > at {
            now += 1;
            ends[last[at]] += 1;
        }
        most = most.max(now);
    }
    most
}

impl Registers {
    /// For the live steps of a section, with the registers that it may use. Slots from `first` on are unused.
    pub fn new(section: &Section, live: &[bool], free: Vec<u8>, first: usize) -> Registers {
        let count = section.steps.len();
        let mut uses = vec![Vec::new(); count];
        for (at, step) in section.steps.iter().enumerate().rev().filter(|(at, _)| live[*at]) {
            for source in step.sources() {
                if let Source::Value(value) = source {
                    uses[*value].push(at);
                }
            }
        }
        Registers {
            register: vec![None; count],
            slot: vec![None; count],
            uses,
            owner: vec![None; 32],
            free,
            pinned: Vec::new(),
            lent: Vec::new(),
            slots: first,
        }
    }

    /// The register of a value, which stays until the step is done.
    pub fn register(&mut self, value: Value) -> Option<u8> {
        let register = self.register[value]?;
        self.pinned.push(register);
        Some(register)
    }

    pub fn in_register(&self, value: Value) -> bool {
        self.register[value].is_some()
    }

    /// The slot of a value that is in no register.
    pub fn slot(&self, value: Value) -> Option<usize> {
        self.slot[value]
    }

    /// Whether a step is the last that reads a value.
    pub fn ends(&self, value: Value, at: usize) -> bool {
        self.uses[value].first() == Some(&at)
    }

    /// A register that nothing needs, and what had to leave it.
    pub fn take(&mut self) -> (u8, Option<Moved>) {
        if let Some(register) = self.free.pop() {
            self.pinned.push(register);
            return (register, None);
        }
        let next = |value: Value| self.uses[value].last().copied().unwrap_or(usize::MAX);
        let candidates = (0..self.owner.len() as u8).filter(|register| !self.pinned.contains(register));
        let farthest = candidates
            .filter_map(|register| Some((next(self.owner[register as usize]?), register)))
            .max()
            .map_or(0, |(_, register)| register);
        let mut moved = None;
        if let Some(value) = self.owner[farthest as usize].take() {
            self.register[value] = None;
            // What was written once stays there.
            if self.slot[value].is_none() {
                self.slot[value] = Some(self.slots);
                self.slots += 1;
                moved = self.slot[value].map(|slot| Moved { register: farthest, slot });
            }
        }
        self.pinned.push(farthest);
        (farthest, moved)
    }

    /// The same, to be given back with the step.
    pub fn lend(&mut self) -> (u8, Option<Moved>) {
        let (register, moved) = self.take();
        self.lent.push(register);
        (register, moved)
    }

    /// A register has a value from now on.
    pub fn hold(&mut self, value: Value, register: u8) {
        self.register[value] = Some(register);
        self.owner[register as usize] = Some(value);
    }

    /// A value gives its register to the result of the step that is its end.
    pub fn pass_on(&mut self, value: Value) {
        if let Some(register) = self.register[value].take() {
            self.owner[register as usize] = None;
        }
    }

    /// The step has read its sources: registers of values that end here are free.
    pub fn release(&mut self, step: &Step, at: usize) {
        for source in step.sources() {
            let Source::Value(value) = source else { continue };
            while self.uses[*value].last().is_some_and(|next| *next <= at) {
                self.uses[*value].pop();
            }
            if self.uses[*value].is_empty()
                && let Some(register) = self.register[*value].take()
            {
                self.owner[register as usize] = None;
                self.free.push(register);
            }
        }
        self.free.append(&mut self.lent);
        self.pinned.clear();
    }

    /// A result that nothing reads.
    pub fn forget(&mut self, value: Value) {
        if self.uses[value].is_empty()
            && let Some(register) = self.register[value].take()
        {
            self.owner[register as usize] = None;
            self.free.push(register);
        }
    }
}
