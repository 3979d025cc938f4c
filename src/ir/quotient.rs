//! Whole quotients of sizes, and what is certain of a size whatever its symbols are.

use super::Size;
use super::size::{Quotient, Symbol, Terms};

/// So many quotients are bounded one after another; of what has more nothing is certain.
const MOST_BOUNDED: u32 = 8;

impl Size {
    /// ⌊self / divisor⌋, for a divisor above zero. What divides exactly is taken out, so that equal quotients are equal sizes:
    /// ⌊(2n + 3) / 2⌋ is n + 1, and ⌊(n + 2) / 2⌋ is ⌊n / 2⌋ + 1.
    pub fn floor_over(&self, divisor: i64) -> Size {
        let divisor = divisor.max(1);
        let each = |of: fn(i64, i64) -> i64| {
            Size::of(self.terms().iter().map(|(symbols, factor)| (symbols.clone(), of(*factor, divisor))).collect())
        };
        let (whole, above) = (each(i64::div_euclid), each(i64::rem_euclid));
        match above.settled() {
            Some(_) => whole,
            None => whole.plus(&Size::symbol(Symbol::of(Quotient { above, below: divisor }))),
        }
    }

    /// Whether it is at least 0 whatever its symbols are, each of which is at least 1; false where that is not clear.
    pub fn is_never_negative(&self) -> bool {
        self.is_never_negative_within(MOST_BOUNDED)
    }

    fn is_never_negative_within(&self, left: u32) -> bool {
        let terms = self.terms();
        let mut quotients = terms.keys().flatten().filter_map(|symbol| Some((symbol, symbol.quotient()?)));
        if let Some((symbol, quotient)) = quotients.next() {
            return left > 0 && self.is_never_negative_by(symbol, quotient, left - 1);
        }
        // By how much each symbol is above 1, which is at least 0.
        let above = |symbol: &Symbol| Size::symbol(symbol.clone()).plus(&Size::from(1));
        let shifted = terms.iter().fold(Size::from(0), |sum, (symbols, factor)| {
            sum.plus(&symbols.iter().fold(Size::from(*factor), |product, symbol| product.times(&above(symbol))))
        });
        shifted.terms().values().all(|factor| *factor >= 0)
    }

    /// The same with bounds in place of one of its quotients: above / below is not less than it, and by less than 1 greater.
    fn is_never_negative_by(&self, symbol: &Symbol, quotient: &Quotient, left: u32) -> bool {
        let below = Size::from(quotient.below);
        let less = quotient.above.minus(&Size::from(quotient.below - 1));
        // What is at least 0 where the size times `below` is above -below, that is where the size, a whole number, is at least 0.
        let bounded = |lower: &Size| {
            let start = Size::from(quotient.below - 1);
            self.terms().iter().fold(start, |sum, (symbols, factor)| {
                let Some(at) = symbols.iter().position(|own| own == symbol) else {
                    return sum.plus(&Size::of(Terms::from([(symbols.clone(), *factor)])).times(&below));
                };
                let mut rest = symbols.clone();
                rest.remove(at);
                let bound = if *factor > 0 { lower } else { &quotient.above };
                sum.plus(&Size::of(Terms::from([(rest, *factor)])).times(bound))
            })
        };
        [less, Size::from(0)].iter().any(|lower| bounded(lower).is_never_negative_within(left))
    }
}
