//! Which rows are for training, validation and test.
//!
//! How many rows a split gets is its exact share of all rows, rounded by largest remainder (equal remainders: training
//! before validation before test). Which rows: with `shuffle`, those of the seed's order; without, the first rows are
//! for training and the last for test. Rows of a split are listed in the file's order.

use crate::data::mistakes::{goes_on, interrupted};
use crate::data::shuffle;
use crate::diagnostic::Diagnostic;
use crate::source::Span;
use std::collections::BTreeMap;

/// An exact share: numerator and denominator (above 0).
pub type Share = (i128, i128);

/// A share and where the program says it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Part {
    pub share: Share,
    pub span: Span,
}

/// `holdout(train = …, valid = …, test = …, seed = …, shuffle = …)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Holdout {
    pub train: Part,
    pub valid: Option<Part>,
    pub test: Option<Part>,
    pub seed: u64,
    pub shuffle: bool,
}

/// The rows of each split, from 0, in the file's order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Split {
    pub train: Vec<usize>,
    pub valid: Vec<usize>,
    pub test: Vec<usize>,
}

pub const NAMES: [&str; 3] = ["train", "valid", "test"];

/// Splits `rows` rows. With `strata` (the class of each row, by any numbers) every split has its share of each class: exactly
/// where that is a whole number of rows, else to within two. `call` is where the program says `holdout`.
/// `stop` is asked now and then whether that is to end.
pub fn holdout(
    rows: usize,
    wanted: &Holdout,
    strata: Option<&[usize]>,
    call: Span,
    stop: fn() -> bool,
) -> Result<Split, Diagnostic> {
    let parts = [Some(wanted.train), wanted.valid, wanted.test];
    let counts = counts(rows, &parts, call)?;
    let order = match wanted.shuffle {
        true => shuffle::order_until(rows, wanted.seed, stop),
        false => (0..rows).collect(),
    };
    if stop() {
        return Err(interrupted(call));
    }
    let (order, chosen) = match strata {
        None => {
            let chosen = [0, 1, 2].into_iter().zip(counts).flat_map(|(part, count)| std::iter::repeat_n(part, count));
            (order, chosen.collect())
        }
        Some(strata) => (by_class(&order, strata, stop), dealt(strata.len().min(rows), counts, stop)),
    };
    of_parts(rows, order.into_iter().zip(chosen), call, stop)
}

/// The split that has each row in a part, from 0: training, validation, test.
pub fn of_parts(
    rows: usize,
    chosen: impl Iterator<Item = (usize, u8)>,
    call: Span,
    stop: fn() -> bool,
) -> Result<Split, Diagnostic> {
    // By rows, each split has its own in the file's order.
    let mut part_of = vec![0u8; rows];
    for (at, (row, part)) in chosen.enumerate() {
        if !goes_on(at, stop) {
            break;
        }
        part_of[row] = part;
    }
    let mut split = Split::default();
    for (row, part) in part_of.into_iter().enumerate().take_while(|(row, _)| goes_on(*row, stop)) {
        [&mut split.train, &mut split.valid, &mut split.test][usize::from(part).min(2)].push(row);
    }
    if stop() { Err(interrupted(call)) } else { Ok(split) }
}

/// How many rows each part gets. Shares outside 0 to 1, a sum that is not 1 and an empty part are errors.
pub fn counts(rows: usize, parts: &[Option<Part>; 3], call: Span) -> Result<[usize; 3], Diagnostic> {
    let fine = || Diagnostic::error("E0312", "the shares are too finely divided", call, "write them with fewer digits");
    let mut sum: Share = (0, 1);
    for (name, part) in NAMES.iter().zip(parts) {
        let Some(Part { share: (over, under), span }) = *part else { continue };
        if under <= 0 || over < 0 || over > under {
            let message = format!("the share `{name}` is not between 0 and 1");
            let error = Diagnostic::error("E0312", message, span, shown((over, under)));
            return Err(error.help("a share of the rows is written `80%` or `0.8`"));
        }
        sum = add(sum, (over, under)).ok_or_else(fine)?;
    }
    if sum.0 != sum.1 {
        let message = format!("the shares of the split make {} instead of 1", shown(sum));
        let mut error = Diagnostic::error("E0312", message, call, "this split");
        for part in parts.iter().flatten() {
            error = error.label(part.span, shown(part.share));
        }
        return Err(error);
    }
    let counts = rounded(rows, &parts.map(|part| part.map_or((0, 1), |part| part.share))).ok_or_else(fine)?;
    for ((name, part), count) in NAMES.iter().zip(parts).zip(counts) {
        if let (Some(part), 0) = (part, count) {
            let message = format!("the split `{name}` is empty: {} of {rows} rows is none", shown(part.share));
            return Err(Diagnostic::error("E0313", message, part.span, "no row is left for it"));
        }
    }
    Ok(counts)
}

/// Largest remainder; `None` where the exact numbers leave 128 bits.
fn rounded(rows: usize, shares: &[Share; 3]) -> Option<[usize; 3]> {
    let under = shares.iter().try_fold(1i128, |all, share| lcm(all, share.1))?;
    let mut counts = [0; 3];
    let mut remainders = [0; 3];
    for (at, share) in shares.iter().enumerate() {
        let exact = (rows as i128).checked_mul(share.0.checked_mul(under / share.1)?)?;
        counts[at] = (exact / under) as usize;
        remainders[at] = exact % under;
    }
    let mut order = [0, 1, 2];
    order.sort_by_key(|at| std::cmp::Reverse(remainders[*at]));
    let left = rows - counts.iter().sum::<usize>();
    order.iter().take(left).for_each(|at| counts[*at] += 1);
    Some(counts)
}

/// The rows of an order, class after class.
pub fn by_class(order: &[usize], strata: &[usize], stop: fn() -> bool) -> Vec<usize> {
    let mut classes: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (_, row) in order.iter().enumerate().take_while(|(at, _)| goes_on(*at, stop)) {
        classes.entry(strata[*row]).or_default().push(*row);
    }
    classes.into_values().flatten().collect()
}

/// Deals rows that stand class after class to the parts so that every beginning has each part's share to within one row
/// (Tijdeman, *The chairman assignment problem*, 1980); so has every class, then, to within two, and where the exact
/// share of each class is whole, exactly.
fn dealt(rows: usize, counts: [usize; 3], stop: fn() -> bool) -> Vec<u8> {
    let rows = rows as i128;
    let parts = counts.iter().filter(|count| **count > 0).count() as i128;
    let m = (2 * parts - 2).max(1);
    let mut given = [0i128; 3];
    (1..=rows)
        .take_while(|k| goes_on(*k as usize, stop))
        .map(|k| {
            let lack = |part: usize| counts[part] as i128 * k - rows * given[part];
            let due = |part: usize| (m - 1) * rows - m * lack(part);
            let part = (0..3)
                .filter(|part| counts[*part] > 0 && m * lack(*part) >= rows)
                .min_by(|a, b| (due(*a) * counts[*b] as i128).cmp(&(due(*b) * counts[*a] as i128)))
                .unwrap_or(0);
            given[part] += 1;
            part as u8
        })
        .collect()
}

fn add(a: Share, b: Share) -> Option<Share> {
    let under = lcm(a.1, b.1)?;
    let over = a.0.checked_mul(under / a.1)?.checked_add(b.0.checked_mul(under / b.1)?)?;
    let divisor = gcd(over, under).max(1);
    Some((over / divisor, under / divisor))
}

fn gcd(a: i128, b: i128) -> i128 {
    if b == 0 { a } else { gcd(b, a % b) }
}

fn lcm(a: i128, b: i128) -> Option<i128> {
    (a / gcd(a, b).max(1)).checked_mul(b)
}

/// A share as a percentage where that is short, else as a fraction.
fn shown((over, under): Share) -> String {
    match over.checked_mul(1000) {
        Some(tenths) if under > 0 && tenths % under == 0 => {
            let tenths = tenths / under;
            if tenths % 10 == 0 {
                format!("{}%", tenths / 10)
            } else {
                format!("{}.{}%", tenths / 10, (tenths % 10).abs())
            }
        }
        _ => format!("{over}/{under}"),
    }
}
