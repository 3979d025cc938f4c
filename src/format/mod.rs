//! The one layout of a text: `mlx fmt`.
//!
//! The tree says what belongs together, the tokens what is written, with its comments: a printer walks the
//! first and takes the second in order, so that nothing can be lost, and makes a document whose layout depends on the
//! tree, the comments and the empty lines between groups alone. What comes out has the tokens that went in, or it is not
//! given out.

mod body;
mod doc;
mod expression;
mod item;
mod tokens;

use crate::diagnostic::{Diagnostic, Severity};
use crate::source::{SourceId, Sources};
use crate::syntax::{parse, tree::Name};
use doc::{Doc, concat, layout, text};
use tokens::{Token, tokens};

/// A text in its one layout, or why it has none: its mistakes.
pub fn format(sources: &Sources, source: SourceId) -> Result<String, Vec<Diagnostic>> {
    let (file, found) = parse(sources, source);
    let wrong: Vec<Diagnostic> = found.into_iter().filter(|found| found.severity == Severity::Error).collect();
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let written = &sources.get(source).text;
    let mut printer = Printer { tokens: tokens(written), at: 0, paragraphs: 0 };
    let whole = printer.file(&file);
    let laid_out = layout(&whole);
    // Whatever this file gets wrong must not change a text.
    if same_tokens(written, &laid_out) { Ok(laid_out) } else { Ok(written.to_string()) }
}

/// Whether two texts have the same tokens and comments in the same order, but for commas before closing brackets and for
/// doubled parentheses.
fn same_tokens(one: &str, other: &str) -> bool {
    let essence = |text: &str| -> (Vec<String>, Vec<String>) {
        let all = tokens(text);
        let doubled = |at: usize| {
            let closed = |at: usize| all.get(at).filter(|token| token.text == "(").and_then(|token| token.closed_by);
            closed(at).zip(closed(at + 1)).is_some_and(|(outer, inner)| outer == inner + 1)
        };
        let closes: Vec<usize> = (0..all.len()).filter(|at| doubled(*at)).filter_map(|at| all[at].closed_by).collect();
        let counts = |at: usize| {
            let comma = all[at].text == "," && all.get(at + 1).is_some_and(|next| [")", "]", "}"].contains(&next.text));
            !comma && !doubled(at) && !closes.contains(&at)
        };
        let mut comments = Vec::new();
        for token in &all {
            comments.extend(token.before.iter().map(|comment| comment.text.to_string()));
            comments.extend(token.after.map(str::to_string));
        }
        let words = (0..all.len()).filter(|at| counts(*at)).map(|at| all[at].text.to_string()).collect();
        (words, comments)
    };
    essence(one) == essence(other)
}

/// Takes the tokens of a text in their order while it walks the tree.
struct Printer<'t> {
    tokens: Vec<Token<'t>>,
    /// The number of the next token.
    at: usize,
    /// How many paragraphs of statements there were.
    paragraphs: usize,
}

impl<'t> Printer<'t> {
    /// The next token, with its comments.
    fn next(&mut self) -> Doc {
        let comments = self.tokens[self.at].has_comments();
        let token = text(self.tokens[self.at].text);
        if comments { concat([self.before(self.at), token, self.pass()]) } else { concat([token, self.pass()]) }
    }

    /// The next token's comments alone, and the token left out.
    fn skip(&mut self) -> Doc {
        concat([self.before(self.at), self.pass()])
    }

    /// Moves past a token: the comment that ends its line. The last token, of which nothing is taken, stays.
    fn pass(&mut self) -> Doc {
        let last = self.tokens.len() - 1;
        let token = &mut self.tokens[self.at];
        let after = token.after.take();
        self.at = (self.at + 1).min(last);
        after.map_or(Doc::Empty, |comment| Doc::Ends(comment.to_string(), None))
    }

    fn before(&mut self, at: usize) -> Doc {
        let comments = std::mem::take(&mut self.tokens[at].before);
        concat(comments.into_iter().map(|comment| Doc::Own(comment.text.to_string())))
    }

    fn next_is(&self, token: &str) -> bool {
        self.tokens[self.at].text == token
    }

    /// The comma between two parts.
    fn comma(&mut self) -> Doc {
        if self.next_is(",") { self.next() } else { Doc::Empty }
    }

    /// A comma that may stand behind the last part: written where each part has its line.
    fn last_comma(&mut self, wanted: bool) -> Doc {
        let comma = if wanted { Doc::Broken(",") } else { Doc::Empty };
        if self.next_is(",") { concat([comma, self.skip()]) } else { comma }
    }

    /// Names with commas between them.
    fn names(&mut self, names: &[Name]) -> Doc {
        let mut parts = Vec::new();
        for at in 0..names.len() {
            if at > 0 {
                parts.extend([self.comma(), text(" ")]);
            }
            parts.push(self.next());
        }
        Doc::Concat(parts)
    }
}
