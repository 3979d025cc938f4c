//! Splits otherwise than by shares: equal parts of which one is held out, groups that stay together, and what a column says.

use crate::data::split::NAMES;
use crate::diagnostic::Diagnostic;
use crate::source::Span;

/// A row, and the part that it is in: 0 for training, 1 for validation, 2 for the test.
pub type Chosen = Vec<(usize, u8)>;

/// Equal parts of the rows of an order, of which `held` is for validation. With `dealt` neighbours of the order are in
/// different parts, as strata want it, which stand class after class.
pub fn fold(order: Vec<usize>, count: usize, held: usize, dealt: bool) -> Chosen {
    let (size, more) = (order.len() / count, order.len() % count);
    // The first parts have one row more.
    let block = |at: usize| {
        if at < more * (size + 1) { at / (size + 1) } else { more + (at - more * (size + 1)) / size.max(1) }
    };
    let part = |at: usize| if dealt { at % count } else { block(at) };
    order.into_iter().enumerate().map(|(at, row)| (row, u8::from(part(at) == held))).collect()
}

/// The rows of each group, groups in the order in which an order of the rows meets them.
pub fn groups(order: &[usize], group_of: &[usize]) -> Vec<Vec<usize>> {
    let mut places = vec![usize::MAX; group_of.iter().max().map_or(0, |most| most + 1)];
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for row in order {
        let place = &mut places[group_of[*row]];
        if *place == usize::MAX {
            *place = groups.len();
            groups.push(Vec::new());
        }
        groups[*place].push(*row);
    }
    groups
}

/// Whole groups to parts that are to have so many rows: each to the one that lacks the most; where the order counts
/// (`in_order`), to the first that lacks any. No part that is to have rows is left without a group.
pub fn by_groups(
    groups: Vec<Vec<usize>>,
    counts: [usize; 3],
    in_order: bool,
    call: Span,
) -> Result<Chosen, Diagnostic> {
    let wanted = counts.iter().filter(|count| **count > 0).count();
    enough(groups.len(), wanted, "splits", call)?;
    let (all, mut has, mut chosen) = (groups.len(), [0usize; 3], Vec::new());
    for (at, group) in groups.into_iter().enumerate() {
        let is_empty = |part: &usize| counts[*part] > 0 && has[*part] == 0;
        let lacks = |part: usize| counts[part] as i64 - has[part] as i64;
        let empty = (0..3).filter(is_empty).count();
        let must = (0..3).find(is_empty).filter(|_| all - at <= empty);
        // Half of a group that does not fit is a reason to begin the next part.
        let first = (0..3).find(|part| counts[*part] > 0 && 2 * lacks(*part) >= group.len() as i64);
        let most = (0..3).filter(|part| counts[*part] > 0).max_by_key(|part| lacks(*part)).unwrap_or(0);
        let part = must.or(first.filter(|_| in_order)).unwrap_or(most);
        has[part] += group.len();
        chosen.extend(group.into_iter().map(|row| (row, part as u8)));
    }
    Ok(chosen)
}

/// Whole groups to equal parts, of which `held` is for validation: the largest first, each to the part with the fewest rows.
pub fn fold_groups(mut groups: Vec<Vec<usize>>, count: usize, held: usize, call: Span) -> Result<Chosen, Diagnostic> {
    enough(groups.len(), count, "folds", call)?;
    groups.sort_by_key(|group| std::cmp::Reverse(group.len()));
    let (mut has, mut chosen) = (vec![0usize; count], Vec::new());
    for group in groups {
        let part = (0..count).min_by_key(|part| has[*part]).unwrap_or(0);
        has[part] += group.len();
        chosen.extend(group.into_iter().map(|row| (row, u8::from(part == held))));
    }
    Ok(chosen)
}

fn enough(groups: usize, parts: usize, what: &str, call: Span) -> Result<(), Diagnostic> {
    if groups >= parts {
        return Ok(());
    }
    let message = format!("{groups} groups cannot fill {parts} {what}");
    let error = Diagnostic::error("E0343", message, call, "no group is in two of them");
    Err(error.help(format!("there are as many {what} as groups at most")))
}

/// The part that a word of the data names.
pub fn part(word: &str) -> Option<u8> {
    NAMES.iter().position(|name| *name == word.trim()).map(|at| at as u8)
}
