//! The names that stand before an expression.

use std::collections::HashMap;

/// A stack of names, innermost last, that knows at once what it holds.
#[derive(Default)]
pub struct Locals {
    stack: Vec<String>,
    /// How often each stands there.
    counts: HashMap<String, usize>,
}

impl Locals {
    pub fn push(&mut self, name: String) {
        *self.counts.entry(name.clone()).or_default() += 1;
        self.stack.push(name);
    }

    pub fn extend(&mut self, names: impl IntoIterator<Item = String>) {
        names.into_iter().for_each(|name| self.push(name));
    }

    pub fn pop(&mut self) {
        self.truncate(self.stack.len().saturating_sub(1));
    }

    pub fn truncate(&mut self, depth: usize) {
        for name in self.stack.drain(depth..) {
            if let Some(count) = self.counts.get_mut(&name) {
                *count -= 1;
            }
        }
    }

    pub fn clear(&mut self) {
        self.truncate(0);
    }

    pub fn len(&self) -> usize {
        self.stack.len()
    }

    pub fn contains(&self, name: &str) -> bool {
        self.counts.get(name).is_some_and(|count| *count > 0)
    }

    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.stack.iter().map(String::as_str)
    }
}
