//! Bodies: statements with their comments, the empty lines between them, and the columns of their `=`.

use super::Printer;
use super::doc::{Doc, concat, group, indent, on_one_line, take_end, text, width};
use super::tokens::Comment;
use crate::syntax::tree::{Expr, ExprKind, Init, Minimize, Statement, StatementKind, Target, Type};

/// Left sides that are wider than the narrowest by more than this stand out of the column.
const MOST_SPREAD: usize = 12;

/// What stands in one column with what.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Column {
    /// Settings and columns of data: all of a paragraph.
    Settings,
    /// Statements of a word, `param`, `check`, and next values, `m' = …`: those that follow each other.
    Run(&'static str),
    None,
}

/// A statement before its `=` is put into a column.
struct Printed<'t> {
    comments: Vec<Comment<'t>>,
    /// Whether an empty line stands right before it.
    apart: bool,
    left: Doc,
    column: Column,
    /// The width of `left`, if that is one line.
    width: Option<usize>,
    /// From the `=` on.
    right: Doc,
    /// The comment that ends its last line.
    after: Option<String>,
    paragraph: usize,
}

impl<'t> Printer<'t> {
    /// `{ … }`, a statement on each line.
    pub fn body(&mut self, body: &[Statement]) -> Doc {
        let open = self.next();
        let mut statements: Vec<Printed> = Vec::new();
        for statement in body {
            let paragraph = statements.last().map(|last| last.paragraph);
            let printed = self.printed(statement, paragraph);
            statements.push(printed);
        }
        let (comments, _) = self.comments(statements.is_empty());
        if statements.is_empty() && comments.is_empty() {
            return concat([open, self.next()]);
        }
        let mut lines = Vec::new();
        let gaps = gaps(&statements);
        for (printed, gap) in statements.into_iter().zip(gaps) {
            lines.extend(own_lines(&printed.comments));
            if printed.apart {
                lines.push(Doc::Hard);
            }
            lines.extend([Doc::Hard, printed.left, text(" ".repeat(gap)), printed.right]);
            lines.extend(printed.after.map(|comment| Doc::Ends(comment, Some(printed.paragraph))));
        }
        lines.extend(own_lines(&comments));
        concat([open, indent(Doc::Concat(lines)), Doc::Hard, self.next()])
    }

    /// The comments before the next token, and whether an empty line stands between them and it. What is first has none
    /// before it.
    pub fn comments(&mut self, first: bool) -> (Vec<Comment<'t>>, bool) {
        let token = &mut self.tokens[self.at];
        let mut comments = std::mem::take(&mut token.before);
        let apart = token.apart && !(first && comments.is_empty());
        if let Some(comment) = comments.first_mut() {
            comment.apart &= !first;
        }
        (comments, apart)
    }

    /// A statement behind one of a paragraph, or the first.
    fn printed(&mut self, statement: &Statement, paragraph: Option<usize>) -> Printed<'t> {
        let (comments, apart) = self.comments(paragraph.is_none());
        let goes_on = paragraph.filter(|_| !apart && comments.iter().all(|comment| !comment.apart));
        let paragraph = goes_on.unwrap_or_else(|| {
            self.paragraphs += 1;
            self.paragraphs
        });
        let (left, mut right, column) = self.statement(statement);
        let after = take_end(&mut right);
        let width = on_one_line(&left).map(|line| width(&line));
        Printed { comments, apart, left, column, width, right, after, paragraph }
    }

    /// What stands left of the `=` of a statement, and from there on.
    fn statement(&mut self, statement: &Statement) -> (Doc, Doc, Column) {
        match &statement.kind {
            StatementKind::Assign(target, ty, init) => {
                let column = match target {
                    Target::One(name) if name.text.ends_with('\'') => Column::Run("'"),
                    Target::Indexed(..) => Column::Run("'"),
                    Target::One(_) | Target::Several(_) => Column::Settings,
                };
                self.binding(Doc::Empty, target, ty.as_ref(), init, column)
            }
            StatementKind::Let(target, ty, init) => self.declared(target, ty.as_ref(), init, Column::None),
            StatementKind::Param(target, ty, init) => self.declared(target, ty.as_ref(), init, Column::Run("param")),
            StatementKind::State(target, ty, init) => self.declared(target, ty.as_ref(), init, Column::Run("state")),
            StatementKind::Out(value) | StatementKind::Report(None, value) => {
                let word = concat([self.next(), text(" ")]);
                (Doc::Empty, concat([word, self.expr(value)]), Column::None)
            }
            StatementKind::Report(Some(_), value) => self.named(value, "report"),
            StatementKind::Emit(_, value) => self.named(value, "emit"),
            StatementKind::Predict(_, value) => self.named(value, "predict"),
            StatementKind::Check(_, value) => self.named(value, "check"),
            StatementKind::Calibrate(_, value, _) => {
                let (left, right, column) = self.named(value, "calibrate");
                (left, concat([right, text(" "), self.next(), text(" "), self.next()]), column)
            }
            StatementKind::Minimize(minimize) => (Doc::Empty, self.minimize(minimize), Column::None),
        }
    }

    /// `word name = value`.
    fn named(&mut self, value: &Expr, word: &'static str) -> (Doc, Doc, Column) {
        let left = concat([self.next(), text(" "), self.next()]);
        (left, concat([text(" "), self.given(value)]), Column::Run(word))
    }

    fn declared(&mut self, target: &Target, ty: Option<&Type>, init: &Init, column: Column) -> (Doc, Doc, Column) {
        let word = concat([self.next(), text(" ")]);
        self.binding(word, target, ty, init, column)
    }

    fn binding(
        &mut self,
        word: Doc,
        target: &Target,
        ty: Option<&Type>,
        init: &Init,
        column: Column,
    ) -> (Doc, Doc, Column) {
        let name = match target {
            Target::One(_) => self.next(),
            Target::Several(names) => self.names(names),
            Target::Indexed(_, subscripts) => concat([self.next(), self.subscripts(subscripts)]),
        };
        let left = concat([word, name, self.annotation(ty)]);
        let (Init::Value(value) | Init::Draw(value)) = init;
        (left, concat([text(" "), self.given(value)]), column)
    }

    /// `: type`, where it is written.
    pub fn annotation(&mut self, ty: Option<&Type>) -> Doc {
        match ty {
            Some(ty) => concat([self.next(), text(" "), self.ty(ty)]),
            None => Doc::Empty,
        }
    }

    /// `= value` or `~ value`: what has no brackets to break in goes to the next line as a whole before it is broken.
    pub fn given(&mut self, value: &Expr) -> Doc {
        let equals = self.next();
        let doc = self.expr(value);
        if breaks_within(value) {
            concat([equals, text(" "), doc])
        } else {
            concat([equals, group(indent(concat([Doc::Line, doc])))])
        }
    }

    fn minimize(&mut self, minimize: &Minimize) -> Doc {
        let mut parts = vec![self.next(), text(" ")];
        if minimize.name.is_some() {
            parts.extend([self.next(), text(" "), self.next(), text(" ")]);
        }
        parts.push(self.expr(&minimize.loss));
        let mut rest = vec![Doc::Line, self.next(), text(" "), self.expr(&minimize.using)];
        for (other, paths) in &minimize.except {
            rest.extend([Doc::Line, self.next(), text(" "), self.expr(other), text(" "), self.next(), text(" ")]);
            for at in 0..paths.len() {
                rest.extend(if at > 0 { vec![self.comma(), text(" ")] } else { Vec::new() });
                rest.push(self.next());
            }
        }
        if !minimize.over.is_empty() {
            rest.extend([Doc::Line, self.next(), text(" "), self.names(&minimize.over)]);
        }
        if let Some(times) = &minimize.times {
            rest.extend([Doc::Line, self.next(), text(" "), self.expr(times)]);
        }
        parts.push(indent(Doc::Concat(rest)));
        group(Doc::Concat(parts))
    }
}

/// Comments on lines of their own, with the empty lines before them.
pub fn own_lines(comments: &[Comment]) -> Vec<Doc> {
    let mut lines = Vec::new();
    for comment in comments {
        lines.push(if comment.apart { Doc::Hard } else { Doc::Empty });
        lines.extend([Doc::Hard, Doc::Own(comment.text.to_string())]);
    }
    lines
}

/// Whether a value has parts that may stand on lines of their own below its first.
fn breaks_within(value: &Expr) -> bool {
    match &value.kind {
        ExprKind::Call(..)
        | ExprKind::Reduce(_)
        | ExprKind::Index(..)
        | ExprKind::If(..)
        | ExprKind::Pipe(..)
        | ExprKind::List(_)
        | ExprKind::Comprehension(..)
        | ExprKind::Tuple(_)
        | ExprKind::Record(_)
        | ExprKind::Scan(_) => true,
        ExprKind::As(a, _) => breaks_within(a),
        ExprKind::From(from) => breaks_within(&from.model),
        ExprKind::Number { .. }
        | ExprKind::Text(_)
        | ExprKind::Truth(_)
        | ExprKind::Name(_)
        | ExprKind::Field(..)
        | ExprKind::Unary(..)
        | ExprKind::Binary(..)
        | ExprKind::Range(..) => false,
    }
}

/// How much space each statement has before its `=` besides one, so that those of a column stand below each other.
fn gaps(statements: &[Printed]) -> Vec<usize> {
    let mut columns: Vec<Vec<usize>> = Vec::new();
    let mut settings: Option<(usize, usize)> = None;
    for (at, printed) in statements.iter().enumerate() {
        let last = at.checked_sub(1).map(|before| &statements[before]);
        let column = match printed.column {
            Column::None => continue,
            Column::Settings => settings.filter(|(_, paragraph)| *paragraph == printed.paragraph).map(|(of, _)| of),
            run => last
                .filter(|last| last.column == run && last.paragraph == printed.paragraph)
                .and_then(|_| columns.iter().position(|column| column.last() == Some(&(at - 1)))),
        };
        let column = column.unwrap_or_else(|| {
            columns.push(Vec::new());
            columns.len() - 1
        });
        columns[column].push(at);
        if printed.column == Column::Settings {
            settings = Some((column, printed.paragraph));
        }
    }
    let mut gaps = vec![0; statements.len()];
    for column in columns {
        let width = |at: &usize| statements[*at].width;
        let least = column.iter().filter_map(width).min().unwrap_or(0);
        let inside = |at: &usize| width(at).filter(|width| *width <= least + MOST_SPREAD);
        let most = column.iter().filter_map(inside).max().unwrap_or(0);
        column.iter().for_each(|at| gaps[*at] = inside(at).map_or(0, |width| most - width));
    }
    gaps
}
