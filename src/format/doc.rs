//! What a layout may be: a document of texts and places where a line may break (Wadler 2003, with the groups, fills and
//! comments that code needs), and the one layout of it that fits a width.

use unicode_width::UnicodeWidthStr;

/// The columns that a line has.
pub const WIDTH: usize = 120;

/// How far the parts of what is broken are moved in.
const STEP: usize = 4;

pub enum Doc {
    Empty,
    Text(String),
    /// A space, or a new line where its group is broken.
    Line,
    /// Nothing, or a new line where its group is broken.
    Soft,
    /// A new line.
    Hard,
    /// A text where the group is broken, before the comment of its line.
    Broken(&'static str),
    /// A comment on a line of its own.
    Own(String),
    /// A comment that ends its line. Those of one paragraph stand in one column.
    Ends(String, Option<usize>),
    Concat(Vec<Doc>),
    Indent(Box<Doc>),
    /// Lines within start where this starts.
    Align(Box<Doc>),
    /// On one line if it fits there; all its own lines are broken otherwise, and where it must.
    Group(Box<Doc>, bool),
    /// Parts with a space between them, as many on each line as fit.
    Fill(Vec<Doc>),
}

pub fn text(text: impl Into<String>) -> Doc {
    Doc::Text(text.into())
}

pub fn concat(parts: impl IntoIterator<Item = Doc>) -> Doc {
    Doc::Concat(parts.into_iter().collect())
}

pub fn indent(doc: Doc) -> Doc {
    Doc::Indent(Box::new(doc))
}

pub fn align(doc: Doc) -> Doc {
    Doc::Align(Box::new(doc))
}

/// A group, which is broken where a line within must be.
pub fn group(doc: Doc) -> Doc {
    let broken = ends(&doc).broken;
    Doc::Group(Box::new(doc), broken)
}

/// Columns of a text on a terminal.
pub fn width(text: &str) -> usize {
    text.width()
}

/// Where a document breaks whatever the width.
#[derive(Clone, Copy)]
struct Ends {
    empty: bool,
    /// Within.
    broken: bool,
    /// It begins with a comment on its own line.
    begins: bool,
    /// It ends with a comment, so that what follows is on another line.
    ends: bool,
}

fn ends(doc: &Doc) -> Ends {
    let plain = Ends { empty: false, broken: false, begins: false, ends: false };
    match doc {
        Doc::Empty | Doc::Broken(_) => Ends { empty: true, ..plain },
        Doc::Text(_) | Doc::Line | Doc::Soft => plain,
        Doc::Hard => Ends { broken: true, ..plain },
        Doc::Own(_) => Ends { begins: true, ends: true, ..plain },
        Doc::Ends(..) => Ends { ends: true, ..plain },
        Doc::Indent(inner) | Doc::Align(inner) => ends(inner),
        Doc::Group(inner, broken) => Ends { broken: *broken, ..edges(std::slice::from_ref(inner)) },
        Doc::Concat(parts) | Doc::Fill(parts) => edges(parts),
    }
}

fn edges(parts: &[impl std::borrow::Borrow<Doc>]) -> Ends {
    let mut whole = Ends { empty: true, broken: false, begins: false, ends: false };
    for part in parts {
        let part = ends(part.borrow());
        if part.empty {
            continue;
        }
        whole.broken |= part.broken || (!whole.empty && (whole.ends || part.begins));
        whole.begins |= whole.empty && part.begins;
        whole.ends = part.ends;
        whole.empty = false;
    }
    whole
}

/// A document on one line, if it can be.
pub fn on_one_line(doc: &Doc) -> Option<String> {
    let all = ends(doc);
    if all.broken || all.begins || all.ends {
        return None;
    }
    let mut writer = Writer::default();
    writer.run(vec![(0, false, doc)]);
    Some(writer.out)
}

/// The layout of a document.
pub fn layout(doc: &Doc) -> String {
    let mut writer = Writer::default();
    writer.run(vec![(0, true, doc)]);
    writer.with_columns()
}

/// Takes the comment that a document ends with off it.
pub fn take_end(doc: &mut Doc) -> Option<String> {
    match doc {
        Doc::Ends(..) => match std::mem::replace(doc, Doc::Empty) {
            Doc::Ends(comment, _) => Some(comment),
            _ => None,
        },
        Doc::Indent(inner) | Doc::Align(inner) | Doc::Group(inner, _) => take_end(inner),
        Doc::Concat(parts) | Doc::Fill(parts) => {
            parts.iter_mut().rev().find(|part| !ends(part).empty).and_then(take_end)
        }
        Doc::Empty | Doc::Text(_) | Doc::Line | Doc::Soft | Doc::Hard | Doc::Broken(_) | Doc::Own(_) => None,
    }
}

/// A document with the column where its lines start, and whether its group is broken.
type Job<'d> = (usize, bool, &'d Doc);

#[derive(Default)]
struct Writer<'d> {
    out: String,
    column: usize,
    /// The last line ends with a comment: whatever follows stands on the next one.
    ended: bool,
    /// Where the comment starts that ends the last line.
    comment: Option<usize>,
    /// Comments that stand in columns: where in `out`, the text, the paragraph.
    paragraphs: Vec<(usize, &'d str, usize)>,
}

impl<'d> Writer<'d> {
    fn run(&mut self, mut jobs: Vec<Job<'d>>) {
        while let Some((start, broken, doc)) = jobs.pop() {
            match doc {
                Doc::Empty => {}
                Doc::Text(text) => self.text(text, start),
                Doc::Line if !broken => self.space(),
                Doc::Soft if !broken => {}
                Doc::Line | Doc::Soft | Doc::Hard => self.new_line(),
                Doc::Broken(text) if broken => self.before_comment(text),
                Doc::Broken(_) => {}
                Doc::Own(text) => {
                    if !self.ended && self.column > 0 {
                        self.new_line();
                    }
                    self.text(text, start);
                    self.ended = true;
                }
                Doc::Ends(text, paragraph) => self.comment(text, *paragraph),
                Doc::Concat(parts) => jobs.extend(parts.iter().rev().map(|part| (start, broken, part))),
                Doc::Indent(inner) => jobs.push((start + STEP, broken, inner)),
                Doc::Align(inner) => jobs.push((self.column.max(start), broken, inner)),
                Doc::Group(inner, must) => {
                    let fits = !must && fits(self.room(), &jobs, (start, false, inner));
                    jobs.push((start, !fits, inner));
                }
                Doc::Fill(parts) => self.fill(parts, start, &jobs),
            }
        }
    }

    fn room(&self) -> usize {
        WIDTH.saturating_sub(self.column)
    }

    fn fill(&mut self, parts: &'d [Doc], start: usize, after: &[Job<'d>]) {
        for (at, part) in parts.iter().enumerate() {
            let behind = if at + 1 < parts.len() { &[] } else { after };
            if at > 0 && self.column > start {
                if fits(self.room().saturating_sub(1), behind, (start, false, part)) && !self.ended {
                    self.space();
                } else {
                    self.new_line();
                }
            }
            self.run(vec![(start, false, part)]);
        }
    }

    /// A text, at the start of a line moved in.
    fn text(&mut self, text: &str, start: usize) {
        let text = if self.ended { text.trim_start_matches(' ') } else { text };
        if text.is_empty() {
            return;
        }
        if self.ended {
            self.new_line();
        }
        if self.column == 0 {
            self.out.extend(std::iter::repeat_n(' ', start));
            self.column = start;
        }
        self.out.push_str(text);
        self.column += width(text);
    }

    fn space(&mut self) {
        if !self.ended {
            self.out.push(' ');
            self.column += 1;
        }
    }

    fn new_line(&mut self) {
        self.out.truncate(self.out.trim_end_matches(' ').len());
        self.out.push('\n');
        self.column = 0;
        self.ended = false;
        self.comment = None;
    }

    fn comment(&mut self, text: &'d str, paragraph: Option<usize>) {
        self.comment = Some(self.out.len());
        match paragraph {
            Some(paragraph) => self.paragraphs.push((self.out.len(), text, paragraph)),
            None => {
                self.out.push_str("  ");
                self.out.push_str(text);
            }
        }
        self.ended = true;
    }

    fn before_comment(&mut self, text: &str) {
        match self.comment {
            Some(at) => self.out.insert_str(at, text),
            None => {
                self.out.push_str(text);
                self.column += width(text);
            }
        }
    }

    /// The text, with the comments of each paragraph in one column where they fit.
    fn with_columns(mut self) -> String {
        let paragraphs = std::mem::take(&mut self.paragraphs);
        let length = |at: usize| width(&self.out[self.out[..at].rfind('\n').map_or(0, |line| line + 1)..at]);
        let widths: Vec<usize> = paragraphs.iter().map(|(at, ..)| length(*at)).collect();
        let mut whole = String::new();
        let mut done = 0;
        for (&(at, text, paragraph), own) in paragraphs.iter().zip(&widths) {
            let of_it = || paragraphs.iter().zip(&widths).filter(|((.., other), _)| *other == paragraph);
            let column = of_it().map(|(_, width)| *width).max().unwrap_or(*own);
            let all_fit = of_it().all(|((_, text, _), _)| column + 2 + width(text) <= WIDTH);
            let gap = if all_fit { column - own } else { 0 };
            whole.push_str(&self.out[done..at]);
            whole.extend(std::iter::repeat_n(' ', gap + 2));
            whole.push_str(text);
            done = at;
        }
        whole.push_str(&self.out[done..]);
        whole
    }
}

/// Whether a job fits into so many columns, with what is behind it up to the next place where a line may break.
fn fits(room: usize, behind: &[Job], job: Job) -> bool {
    let mut room = room;
    let mut jobs = vec![job];
    let mut behind = behind.iter().rev();
    while let Some((start, broken, doc)) = jobs.pop().or_else(|| behind.next().copied()) {
        match doc {
            Doc::Empty => {}
            Doc::Text(text) => match room.checked_sub(width(text)) {
                Some(left) => room = left,
                None => return false,
            },
            Doc::Line | Doc::Soft | Doc::Hard if broken => return true,
            Doc::Line => match room.checked_sub(1) {
                Some(left) => room = left,
                None => return false,
            },
            Doc::Soft | Doc::Hard => {}
            Doc::Broken(text) => {
                if broken && width(text) > room {
                    return false;
                }
            }
            Doc::Own(_) | Doc::Ends(..) => return true,
            Doc::Concat(parts) => jobs.extend(parts.iter().rev().map(|part| (start, broken, part))),
            Doc::Indent(inner) | Doc::Align(inner) => jobs.push((start, broken, inner)),
            Doc::Group(inner, must) => jobs.push((start, broken || *must, inner)),
            Doc::Fill(parts) => {
                for (at, part) in parts.iter().enumerate().rev() {
                    jobs.push((start, false, part));
                    if at > 0 {
                        jobs.push((start, broken, &Doc::Line));
                    }
                }
            }
        }
    }
    true
}
