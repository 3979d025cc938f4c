//! Sizes of axes: integer polynomials over symbols. The rows of a batch stay a symbol from the checker to the
//! graph, so that one check and one graph serve every batch of a run.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

/// A size that is known only when a run starts: the rows of a batch, of one data set.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Symbol {
    name: Arc<str>,
    open: bool,
    quotient: Option<Arc<Quotient>>,
}

/// ⌊above / below⌋, which is no polynomial: a symbol that other symbols decide, at least 0 whatever they are.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Quotient {
    pub above: Size,
    /// Above 1.
    pub below: i64,
}

impl Symbol {
    pub fn new(name: &str) -> Symbol {
        Symbol { name: name.into(), open: false, quotient: None }
    }

    /// A number that a use decides, in a definition that is checked without one.
    pub fn open(name: &str) -> Symbol {
        Symbol { name: name.into(), open: true, quotient: None }
    }

    pub(super) fn of(quotient: Quotient) -> Symbol {
        let name = format!("floor({} / {})", in_a_quotient(&quotient.above), quotient.below);
        Symbol { name: name.into(), open: quotient.above.is_open(), quotient: Some(Arc::new(quotient)) }
    }

    pub fn quotient(&self) -> Option<&Quotient> {
        self.quotient.as_deref()
    }
}

/// A sum above a line stands in parentheses.
fn in_a_quotient(above: &Size) -> String {
    if above.terms().len() > 1 { format!("({above})") } else { above.to_string() }
}

/// A sum of products of symbols, each with its whole factor. Arithmetic saturates: a size that does
/// not fit 64 bits is refused by whoever counts elements, long before it would wrap.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Size(Form);

/// How long a product may be, counted in symbols and factors.
const MAX_LENGTH: usize = 4_096;

/// Most sizes are numbers, and those cost no allocation; each size has one form, so that equal ones are equal.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Form {
    Number(i64),
    /// With at least one symbol.
    Polynomial(Arc<Terms>),
}

/// Factor by sorted symbols; no factor is zero; the part that is a number has no symbols.
pub(super) type Terms = BTreeMap<Vec<Symbol>, i64>;

impl Size {
    pub fn symbol(symbol: Symbol) -> Size {
        Size::of(Terms::from([(vec![symbol], 1)]))
    }

    pub(super) fn of(mut terms: Terms) -> Size {
        terms.retain(|_, factor| *factor != 0);
        match terms.keys().all(Vec::is_empty) {
            true => Size(Form::Number(terms.into_values().next().unwrap_or(0))),
            false => Size(Form::Polynomial(Arc::new(terms))),
        }
    }

    pub(super) fn terms(&self) -> Cow<'_, Terms> {
        match &self.0 {
            Form::Number(0) => Cow::Owned(Terms::new()),
            Form::Number(number) => Cow::Owned(Terms::from([(Vec::new(), *number)])),
            Form::Polynomial(terms) => Cow::Borrowed(terms),
        }
    }

    /// The number, if no symbol is in it.
    pub fn settled(&self) -> Option<i64> {
        match self.0 {
            Form::Number(number) => Some(number),
            Form::Polynomial(_) => None,
        }
    }

    /// Its products of symbols, each with its factor; the number has no symbols.
    pub fn parts(&self) -> Vec<(Vec<Symbol>, i64)> {
        self.terms().iter().map(|(symbols, factor)| (symbols.clone(), *factor)).collect()
    }

    /// Whether a use decides it.
    pub fn is_open(&self) -> bool {
        match &self.0 {
            Form::Number(_) => false,
            Form::Polynomial(terms) => terms.keys().flatten().any(|symbol| symbol.open),
        }
    }

    /// What is in it besides numbers, and what its quotients are made of.
    pub fn symbols(&self) -> BTreeSet<&Symbol> {
        let Form::Polynomial(terms) = &self.0 else { return BTreeSet::new() };
        let mut all = BTreeSet::new();
        for symbol in terms.keys().flatten() {
            match symbol.quotient() {
                Some(quotient) => all.extend(quotient.above.symbols()),
                None => {
                    all.insert(symbol);
                }
            }
        }
        all
    }

    /// Whether the rows of a batch are in it.
    pub fn has_rows(&self) -> bool {
        self.symbols().into_iter().any(|symbol| !symbol.open)
    }

    /// Whether whole quotients are in it, so that it is no polynomial in its rows.
    pub fn has_quotients(&self) -> bool {
        match &self.0 {
            Form::Number(_) => false,
            Form::Polynomial(terms) => terms.keys().flatten().any(|symbol| symbol.quotient.is_some()),
        }
    }

    /// Whether it is the rows of a batch.
    pub fn is_rows(&self) -> bool {
        let Form::Polynomial(terms) = &self.0 else { return false };
        let one = terms.iter().next().filter(|_| terms.len() == 1);
        one.is_some_and(|(symbols, factor)| match &symbols[..] {
            [symbol] => *factor == 1 && !symbol.open && symbol.quotient.is_none(),
            _ => false,
        })
    }

    /// The same size with so many rows of every data set.
    pub fn with_rows(&self, rows: i64) -> Size {
        let of_rows = self.symbols().into_iter().filter(|symbol| !symbol.open);
        let numbers: Vec<(Symbol, i64)> = of_rows.map(|symbol| (symbol.clone(), rows)).collect();
        self.settle(&numbers)
    }

    /// Whether a product with another could be longer than any that a person writes.
    pub fn is_long_with(&self, other: &Size) -> bool {
        let length = |size: &Size| match &size.0 {
            Form::Number(_) => 1,
            Form::Polynomial(terms) => terms.keys().map(|symbols| symbols.len() + 1).sum(),
        };
        length(self).saturating_mul(length(other)) > MAX_LENGTH
    }

    /// Whether two sizes are one, or a use may make them so.
    pub fn agrees(&self, other: &Size) -> bool {
        self == other || self.is_open() || other.is_open()
    }

    pub fn plus(&self, other: &Size) -> Size {
        if let (Form::Number(a), Form::Number(b)) = (&self.0, &other.0) {
            return Size::from(a.saturating_add(*b));
        }
        let mut terms = self.terms().into_owned();
        for (symbols, factor) in other.terms().iter() {
            let sum = terms.entry(symbols.clone()).or_insert(0);
            *sum = sum.saturating_add(*factor);
        }
        Size::of(terms)
    }

    pub fn minus(&self, other: &Size) -> Size {
        self.plus(&other.times(&Size::from(-1)))
    }

    pub fn times(&self, other: &Size) -> Size {
        match (&self.0, &other.0) {
            (Form::Number(a), Form::Number(b)) => return Size::from(a.saturating_mul(*b)),
            (Form::Number(1), Form::Polynomial(_)) => return other.clone(),
            (Form::Polynomial(_), Form::Number(1)) => return self.clone(),
            _ => {}
        }
        let mut terms = Terms::new();
        for (mine, a) in self.terms().iter() {
            for (theirs, b) in other.terms().iter() {
                let mut symbols = [mine.as_slice(), theirs.as_slice()].concat();
                symbols.sort();
                let sum = terms.entry(symbols).or_insert(0);
                *sum = sum.saturating_add(a.saturating_mul(*b));
            }
        }
        Size::of(terms)
    }

    /// The quotient of an exact division by a settled size; `None` where a remainder is left.
    pub fn over(&self, divisor: &Size) -> Option<Size> {
        let divisor = divisor.settled().filter(|divisor| *divisor != 0)?;
        let exact = |(symbols, factor): (&Vec<Symbol>, &i64)| {
            (factor.checked_rem(divisor)? == 0).then_some((symbols.clone(), factor.checked_div(divisor)?))
        };
        Some(Size::of(self.terms().iter().map(exact).collect::<Option<_>>()?))
    }

    /// ⌈self / divisor⌉ of settled sizes, with a divisor above zero.
    pub fn ceil_over(&self, divisor: &Size) -> Option<Size> {
        let (size, divisor) = (self.settled()?, divisor.settled().filter(|divisor| *divisor > 0)?);
        let up = i64::from(size.rem_euclid(divisor) != 0);
        Some(Size::from(size.div_euclid(divisor) + up))
    }

    /// The same size with numbers for symbols; symbols without a number stay.
    pub fn settle(&self, numbers: &[(Symbol, i64)]) -> Size {
        let Form::Polynomial(terms) = &self.0 else { return self.clone() };
        let value = |symbol: &Symbol| match (symbol.quotient(), numbers.iter().find(|(name, _)| name == symbol)) {
            (Some(quotient), _) => quotient.above.settle(numbers).floor_over(quotient.below),
            (None, Some((_, number))) => Size::from(*number),
            (None, None) => Size::symbol(symbol.clone()),
        };
        terms.iter().fold(Size::from(0), |sum, (symbols, factor)| {
            let product = symbols.iter().fold(Size::from(*factor), |product, symbol| product.times(&value(symbol)));
            sum.plus(&product)
        })
    }
}

impl From<i64> for Size {
    fn from(number: i64) -> Size {
        Size(Form::Number(number))
    }
}

impl fmt::Display for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// `2 * n * t + 1`: highest powers first and quotients last, as the language writes it.
impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Form::Number(number) = self.0 {
            return write!(f, "{number}");
        }
        let terms = self.terms();
        let mut terms: Vec<_> = terms.iter().collect();
        let quotients = |symbols: &[Symbol]| symbols.iter().filter(|symbol| symbol.quotient.is_some()).count();
        terms.sort_by_key(|(symbols, _)| (std::cmp::Reverse(symbols.len()), quotients(symbols)));
        for (at, (symbols, factor)) in terms.into_iter().enumerate() {
            let sign = match (at, *factor < 0) {
                (0, true) => "-",
                (0, false) => "",
                (_, true) => " - ",
                (_, false) => " + ",
            };
            let mut factors: Vec<String> = symbols.iter().map(Symbol::to_string).collect();
            if factor.unsigned_abs() != 1 || factors.is_empty() {
                factors.insert(0, factor.unsigned_abs().to_string());
            }
            write!(f, "{sign}{}", factors.join(" * "))?;
        }
        Ok(())
    }
}
