//! What messages call the parts of the language.

use super::Rule;

/// The identifier that a text starts with.
pub fn word_at(text: &str) -> &str {
    let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '\'')).unwrap_or(text.len());
    &text[..end]
}

/// Signs of two letters, of this language and of others, that a message should show whole.
const SIGNS: [&str; 18] =
    ["==", "!=", "<=", ">=", "|>", "->", "..", ":=", "**", "&&", "||", "=>", "+=", "-=", "*=", "/=", "++", "//"];

/// What a text starts with, as a message shows it.
pub fn token_at(text: &str) -> &str {
    match word_at(text) {
        "" => match SIGNS.iter().find(|sign| text.starts_with(**sign)) {
            Some(sign) => &text[..sign.len()],
            None => &text[..text.chars().next().map_or(0, char::len_utf8)],
        },
        word => word,
    }
}

/// What was expected, in words that people use; nothing where there are none.
pub fn words_of(rules: &[Rule]) -> String {
    // Where a statement may end, the next one may start, with a name among others.
    let ends = rules.contains(&Rule::name) && rules.contains(&Rule::reserved);
    let word = |rule: &Rule| match rule {
        Rule::name if ends => Some("the next statement"),
        rule => word_of(*rule),
    };
    let mut words: Vec<&str> = rules.iter().filter_map(word).collect();
    words.sort_unstable();
    words.dedup();
    match words.as_slice() {
        [] => String::new(),
        [one] => one.to_string(),
        [rest @ .., last] => format!("{} or {last}", rest.join(", ")),
    }
}

/// A rule's word; `None` for what would only lengthen the list.
fn word_of(rule: Rule) -> Option<&'static str> {
    Some(match rule {
        Rule::name => "a name",
        Rule::expr | Rule::stage | Rule::range | Rule::primary | Rule::number | Rule::unary | Rule::or_ => {
            "an expression"
        }
        Rule::and_ | Rule::not_ | Rule::comparison | Rule::sum | Rule::term | Rule::power | Rule::postfix => {
            "an expression"
        }
        Rule::minus | Rule::kw_not | Rule::kw_if | Rule::kw_scan | Rule::truth | Rule::list | Rule::paren => {
            "an expression"
        }
        Rule::type_ | Rule::kind_ | Rule::tensor_type | Rule::word_type => "a type",
        Rule::string => "a string",
        Rule::equals => "`=`",
        Rule::tilde => "`~`",
        Rule::open => "`{`",
        Rule::params => "`(` and parameters",
        Rule::statement => "a statement",
        Rule::kw_then => "`then`",
        Rule::kw_else => "`else`",
        Rule::kw_using => "`using` and an optimizer",
        Rule::kw_in => "`in`",
        Rule::kw_over => "`over`",
        Rule::kw_on => "`on`",
        Rule::sum_op | Rule::term_op | Rule::compare_op | Rule::pipe_op => "an operator",
        _ => return None,
    })
}
