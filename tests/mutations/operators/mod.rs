//! The mistakes that are made: each is a rule over the tree of a program.

mod data;
mod losses;
mod names;
mod shapes;
mod slips;
mod structure;

use super::rewrite::{Good, Mutant};

/// What the same mistake does in a script for PyTorch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Elsewhere {
    /// The script is not even loaded. Such mistakes are shown, and not counted.
    Load,
    /// The run breaks off, at the line that is wrong or behind it.
    Run,
    /// It runs, and nothing is said.
    Never,
}

pub struct Operator {
    pub name: &'static str,
    pub elsewhere: Elsewhere,
    pub mutants: fn(&Good) -> Vec<Mutant>,
    /// Why what the checker says nothing of cannot be told from a program that is right.
    pub survives: &'static str,
}

const fn operator(
    name: &'static str,
    elsewhere: Elsewhere,
    mutants: fn(&Good) -> Vec<Mutant>,
    survives: &'static str,
) -> Operator {
    Operator { name, elsewhere, mutants, survives }
}

pub fn all() -> Vec<&'static Operator> {
    [shapes::ALL, losses::ALL, data::ALL, structure::ALL, names::ALL, slips::ALL].into_iter().flatten().collect()
}
