//! Conditions that a run looks at: those of its first step, and where one does not hold.

use crate::backend::Device;
use crate::ir::Size;
use crate::lower::program::Program;
use crate::run::error::{NotHeld, RunError};
use crate::run::evaluate::wide_columns;
use crate::run::plans::residents;
use crate::run::stream::{Digits, Feed, Stream};

/// Whether what the first step demands holds; so many rows go through the plans at a time. The rows of a place are those of each data set.
pub fn look<'a>(
    program: &Program,
    device: &mut dyn Device,
    part: usize,
    feed: &dyn Fn() -> Feed<'a>,
    place: (&str, &[&[usize]]),
) -> Result<(), RunError> {
    let roots: Vec<_> = program.demands[0].iter().map(|demand| demand.holds).collect();
    let mut stream = of(program, roots, part);
    let mut broken = None;
    stream.run(device, feed(), &mut |root, holds, _| {
        if holds.first() == 0.0 {
            broken = broken.or(Some(root));
        }
    })?;
    match broken {
        None => Ok(()),
        Some(at) => Err(self::broken(program, device, (0, at), feed(), place)?),
    }
}

/// Where a demand does not hold: the first element, and what is compared there.
pub fn broken(
    program: &Program,
    device: &mut dyn Device,
    (list, at): (usize, usize),
    feed: Feed,
    (when, rows): (&str, &[&[usize]]),
) -> Result<RunError, RunError> {
    let demand = &program.demands[list][at];
    let counts: Vec<usize> = feed.tables.iter().map(|table| table.rows).collect();
    let count = counts.iter().copied().max().unwrap_or(0);
    let roots: Vec<_> = std::iter::once(demand.elements).chain(demand.sides.iter().copied()).collect();
    let mut values = vec![Vec::new(); roots.len()];
    // All rows at once: whatever axis they are.
    of(program, roots, count).run(device, feed, &mut |root, found, count| values[root] = found.to_f64(count))?;
    let first = values[0].iter().position(|holds| *holds == 0.0).unwrap_or(0);
    let sides = values[1..].iter().map(|side| side.get(first).copied().unwrap_or(f64::NAN)).collect();
    let shape = program.graph.shape(demand.elements);
    let size = |size: &Size| size.settle(&program.of_rows(&counts)).settled().unwrap_or(1).max(1) as usize;
    let (mut rest, mut at) = (first, Vec::new());
    for axis in shape.iter().rev() {
        at.insert(0, rest % size(axis));
        rest /= size(axis);
    }
    let row = shape.iter().enumerate().find(|(_, size)| size.is_rows());
    let row = row
        .and_then(|(axis, size)| rows.get(program.set_of(size)?)?.get(at[axis]))
        .map_or(String::new(), |row| format!(", row {row} of the data"));
    let place = if at.is_empty() { when.to_string() } else { format!("{when} at {at:?}{row}") };
    Ok(RunError::NotHeld(Box::new(NotHeld { list, of: demand.of, place, sides })))
}

fn of(program: &Program, roots: Vec<crate::ir::NodeId>, rows: usize) -> Stream<'_> {
    let digits = Digits::Evaluation { wide: wide_columns(program, &roots) };
    let (hosts, inputs) = (program.host_inputs(), program.inputs.len());
    Stream::new(&program.graph, &program.rows, roots, inputs, hosts, digits, rows).with_residents(residents(program))
}
