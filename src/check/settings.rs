//! `--set name=value` of the command line: a value for a `let` of the file.

use super::items::lets;
use super::number::Number;
use super::value::Value;
use crate::diagnostic::nearest;
use crate::syntax::tree::{Expr, ExprKind, Item, ItemKind};

/// `name=value`: a number, `true`, `false` or text, of the kind that the file's `let` has. The error is a message without a span, for
/// it is not part of the text.
pub fn parse(items: &[Item], set: &str) -> Result<(String, Value), String> {
    let Some((name, text)) = set.split_once('=') else {
        return Err(format!("`--set {set}` is not `name=value`"));
    };
    let (name, text) = (name.trim(), text.trim());
    let declared = items.iter().find_map(|item| match &item.kind {
        ItemKind::Let(declared) if declared.name.text == name => Some(declared),
        _ => None,
    });
    let Some(declared) = declared else {
        let names = lets(items);
        let near = nearest(name, names.iter().map(String::as_str)).map(|near| format!("; did you mean `{near}`?"));
        return Err(format!("`--set {set}`: cannot find `let {name}` in the file{}", near.unwrap_or_default()));
    };
    let expected = constant(&declared.value);
    let value = match text {
        _ if expected == Some("a text") => Value::Text(text.to_string()),
        "true" => Value::Truth(true),
        "false" => Value::Truth(false),
        _ => number(text).map_or(Value::Text(text.to_string()), Value::Number),
    };
    match expected {
        Some(noun) if noun != value.noun() => {
            Err(format!("`--set {set}`: expected {noun}, as `{name}` is in the file, found {}", value.noun()))
        }
        _ => Ok((name.to_string(), value)),
    }
}

fn number(text: &str) -> Option<Number> {
    let (digits, percent) = text.strip_suffix('%').map_or((text, false), |digits| (digits, true));
    let (digits, negative) = digits.strip_prefix('-').map_or((digits, false), |digits| (digits, true));
    let number =
        digits.starts_with(|c: char| c.is_ascii_digit()).then(|| Number::parse(&digits.replace('_', "")))??;
    let number = if negative { number.negate() } else { number };
    Some(if percent { number.over(Number::whole(100)) } else { number })
}

/// What kind of constant a `let` holds, where its text says so.
pub fn constant(value: &Expr) -> Option<&'static str> {
    match &value.kind {
        ExprKind::Number { .. } => Some("a number"),
        ExprKind::Unary(_, inner) => constant(inner),
        ExprKind::Truth(_) => Some("a truth value"),
        ExprKind::Text(_) => Some("a text"),
        _ => None,
    }
}
