//! Values as text.

use crate::backend::Tensor;
use crate::check::number::Number;
use crate::check::types::Elem;
use crate::check::value::{Family, Layers, Value};
use crate::source::Sources;
use crate::syntax::tree::{FnBody, Item, ItemKind};
use unicode_width::UnicodeWidthStr;

/// An axis that is longer is shown by its ends.
const LONG: usize = 10;
/// How many of each end.
const END: usize = 3;
/// Digits that count, of the largest number.
const DIGITS: i32 = 5;
const ELIDED: &str = "…";

/// A tensor: its type, then rows of aligned cells; a block for each matrix. A scalar is a cell alone.
pub fn tensor(elem: &Elem, tensor: &Tensor, classes: &[String]) -> String {
    let places: Vec<Vec<Option<usize>>> = tensor.shape.iter().map(|length| ends(*length)).collect();
    let strides = tensor.strides();
    let mut values = Vec::new();
    shown(&places, &strides, 0, &mut |at| values.push(tensor.values[at]));
    let cell = formatter(elem, &values, classes);
    let Some((columns, outer)) = places.split_last() else {
        return values.first().map_or_else(String::new, |value| cell(*value));
    };
    let sizes: Vec<String> = tensor.shape.iter().map(usize::to_string).collect();
    let head = format!("{}[{}]\n", word(elem, classes), sizes.join(", "));
    let width = values.iter().map(|value| cell(*value).width()).max().unwrap_or(0);
    let row = |start: usize| -> String {
        let cells = columns.iter().map(|place| match place {
            Some(at) => {
                let cell = cell(tensor.values[start + at]);
                format!("  {}{cell}", " ".repeat(width.saturating_sub(cell.width())))
            }
            None => format!("  {ELIDED}"),
        });
        cells.collect::<String>() + "\n"
    };
    head + &blocks(outer, &strides, 0, "", &row)
}

/// The rows of what is left of a tensor; `place` says where it is among the outer axes.
fn blocks(
    axes: &[Vec<Option<usize>>],
    strides: &[isize],
    start: usize,
    place: &str,
    row: &dyn Fn(usize) -> String,
) -> String {
    let Some((first, rest)) = axes.split_first() else { return row(start) };
    let inner = &strides[1..];
    let one = |at: &Option<usize>| match at {
        None => format!("  {ELIDED}\n"),
        Some(at) => {
            let from = start + at * strides[0].unsigned_abs();
            if rest.is_empty() {
                return row(from);
            }
            let place = if place.is_empty() { at.to_string() } else { format!("{place}, {at}") };
            let head = if rest.len() == 1 { format!("{place}:\n") } else { String::new() };
            head + &blocks(rest, inner, from, &place, row)
        }
    };
    first.iter().map(one).collect()
}

/// The places of an axis that are shown; `None` stands for those between.
fn ends(length: usize) -> Vec<Option<usize>> {
    if length <= LONG {
        return (0..length).map(Some).collect();
    }
    (0..END).map(Some).chain([None]).chain((length - END..length).map(Some)).collect()
}

fn shown(axes: &[Vec<Option<usize>>], strides: &[isize], start: usize, visit: &mut dyn FnMut(usize)) {
    let Some((first, rest)) = axes.split_first() else { return visit(start) };
    for at in first.iter().flatten() {
        shown(rest, &strides[1..], start + at * strides[0].unsigned_abs(), visit);
    }
}

/// What stands before the shape.
fn word(elem: &Elem, classes: &[String]) -> String {
    match elem {
        Elem::Float => String::new(),
        Elem::Int => "int".to_string(),
        Elem::Bool => "bool".to_string(),
        Elem::Class(axis) if classes.is_empty() => format!("class({})", axis.size),
        Elem::Class(_) => format!("class({})", classes.len()),
    }
}

/// How a cell among others is written.
fn formatter<'a>(elem: &Elem, values: &[f64], classes: &'a [String]) -> Box<dyn Fn(f64) -> String + 'a> {
    match elem {
        Elem::Bool => Box::new(|value| (value != 0.0).to_string()),
        Elem::Int => Box::new(|value| format!("{value}")),
        Elem::Class(_) => Box::new(|value| match classes.get(value as usize) {
            Some(class) => class.clone(),
            None => format!("{value}"),
        }),
        Elem::Float => floats(values),
    }
}

/// One number of decimals for all: as many as the largest needs for its digits, less the zeros that all end with.
fn floats(values: &[f64]) -> Box<dyn Fn(f64) -> String> {
    let largest = values.iter().filter(|value| value.is_finite()).fold(0.0f64, |most, value| most.max(value.abs()));
    if largest != 0.0 && !(1e-4..1e6).contains(&largest) {
        return Box::new(
            |value| if value.is_finite() && value != 0.0 { format!("{value:.4e}") } else { plain(value, 1) },
        );
    }
    let before = if largest == 0.0 { 1 } else { largest.log10().floor() as i32 + 1 };
    let most = (DIGITS - before).max(1) as usize;
    let needed = |value: &f64| {
        let text = format!("{value:.most$}");
        let decimals = text.trim_end_matches('0').split_once('.').map_or(0, |(_, decimals)| decimals.len());
        if value.is_finite() { decimals } else { 0 }
    };
    let decimals = values.iter().map(needed).max().unwrap_or(1).max(1);
    Box::new(move |value| plain(value, decimals))
}

fn plain(value: f64, decimals: usize) -> String {
    match value {
        value if value.is_nan() => "nan".to_string(),
        value if value.is_infinite() => if value > 0.0 { "inf" } else { "-inf" }.to_string(),
        value => {
            let text = format!("{value:.decimals$}");
            // What rounds to zero has no sign.
            let zero = text.strip_prefix('-').filter(|text| text.chars().all(|sign| matches!(sign, '0' | '.')));
            zero.map_or(text.clone(), str::to_string)
        }
    }
}

/// A value that is no tensor.
pub fn value(value: &Value, sources: &Sources) -> String {
    match value {
        Value::Number(number) => exact(*number),
        Value::Truth(truth) => truth.to_string(),
        Value::Text(text) => format!("{text:?}"),
        Value::Distribution(law) => {
            let names: &[&str] = match law.family {
                Family::Uniform => &["low", "high"],
                Family::Normal => &["mean", "deviation"],
                Family::Bernoulli => &["probability"],
                Family::Categorical => &["logits"],
                Family::Integers => &["low", "high"],
            };
            let shown = names.iter().zip(&law.parameters);
            let shown: Vec<String> =
                shown.map(|(name, (one, _))| format!("{name} = {}", self::value(one, sources))).collect();
            format!("{}({})", law.family.name(), shown.join(", "))
        }
        Value::List(parts) => {
            let parts: Vec<String> = parts.iter().map(|(part, _)| self::value(part, sources)).collect();
            format!("[{}]", parts.join(", "))
        }
        Value::Tuple(parts) => {
            let parts: Vec<String> = parts.iter().map(|part| self::value(&part.value, sources)).collect();
            format!("({})", parts.join(", "))
        }
        Value::Item(item) => signature(item, sources),
        Value::Recipe(recipe) | Value::Instance(recipe, _) => match &recipe.layers {
            Layers::One { item, .. } => signature(item, sources),
            Layers::Repeat { times: Some(times), of } => format!("{times} times {}", self::value(of, sources)),
            Layers::Repeat { times: None, of } => self::value(of, sources),
        },
        Value::Tensor(_)
        | Value::Size(_)
        | Value::RawColumn(_)
        | Value::Unequal(..)
        | Value::Set(_)
        | Value::Table(_)
        | Value::OfTable(..)
        | Value::Emitted(_)
        | Value::Wrong => value.noun().to_string(),
    }
}

/// The type of a value that is no tensor, in the language's words.
pub fn kind(value: &Value, sources: &Sources) -> String {
    match value {
        Value::Number(number) if number.to_whole().is_some() => "int".to_string(),
        Value::Number(_) => "float".to_string(),
        Value::Truth(_) => "bool".to_string(),
        Value::Text(_) => "string".to_string(),
        Value::Distribution(_) => "distribution".to_string(),
        Value::List(parts) => match parts.first() {
            Some((part, _)) => format!("list({})", kind(part, sources)),
            None => "list".to_string(),
        },
        Value::Tuple(parts) => {
            let parts: Vec<String> = parts.iter().map(|part| kind(&part.value, sources)).collect();
            format!("({})", parts.join(", "))
        }
        Value::Item(_) | Value::Recipe(_) | Value::Instance(..) => self::value(value, sources),
        Value::Tensor(_)
        | Value::Size(_)
        | Value::RawColumn(_)
        | Value::Unequal(..)
        | Value::Set(_)
        | Value::Table(_)
        | Value::OfTable(..)
        | Value::Emitted(_)
        | Value::Wrong => value.noun().to_string(),
    }
}

/// A constant, exactly where it can be written so.
fn exact(number: Number) -> String {
    match number {
        Number::Exact { above, below: 1 } => above.to_string(),
        Number::Exact { above, below } => match decimals(above, below) {
            Some(text) => text,
            None => format!("{above}/{below} ≈ {}", plain(number.to_f64(), 6)),
        },
        Number::Float(value) if value.is_finite() && value != 0.0 && !(1e-5..1e15).contains(&value.abs()) => {
            format!("{value:e}")
        }
        Number::Float(value) => format!("{value}"),
    }
}

/// The decimals of a fraction, if they end.
fn decimals(above: i128, below: i128) -> Option<String> {
    for places in 1..=15u32 {
        let shifted = above.checked_mul(10i128.pow(places))?;
        if shifted % below == 0 {
            let digits = format!("{:0>width$}", (shifted / below).unsigned_abs(), width = places as usize + 1);
            let (whole, part) = digits.split_at(digits.len() - places as usize);
            return Some(format!("{}{whole}.{part}", if above < 0 { "-" } else { "" }));
        }
    }
    None
}

/// An item as it is written, up to its body.
pub fn signature(item: &Item, sources: &Sources) -> String {
    let text = sources.text(item.span);
    let head = match &item.kind {
        ItemKind::Fn(function) => match &function.body {
            FnBody::Expr(body) => {
                let before = &text[..body.span.start.saturating_sub(item.span.start) as usize];
                before.rfind('=').map_or(before, |at| &before[..at])
            }
            FnBody::Block(_) => before_brace(text),
            FnBody::Primitive => text.find("//").map_or(text, |at| &text[..at]),
        },
        ItemKind::Let(item_let) => &text[..(item_let.value.span.end - item.span.start) as usize],
        ItemKind::Layer(_)
        | ItemKind::Optimizer(_)
        | ItemKind::Data(_)
        | ItemKind::Train(_)
        | ItemKind::Sweep(_)
        | ItemKind::Use(_) => before_brace(text),
    };
    head.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn before_brace(text: &str) -> &str {
    text.find('{').map_or(text, |at| &text[..at])
}
