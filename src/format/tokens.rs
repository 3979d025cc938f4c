//! The words and signs of a text in a row, each with the comments around it: nothing of a text but its space is lost.

/// A comment on lines of its own, or what stands on one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Comment<'t> {
    pub text: &'t str,
    /// Whether an empty line stands before it.
    pub apart: bool,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Token<'t> {
    pub text: &'t str,
    /// Its first byte.
    pub start: usize,
    /// The comments on lines of their own before it.
    pub before: Vec<Comment<'t>>,
    /// Whether an empty line stands right before it.
    pub apart: bool,
    /// The comment that ends its line.
    pub after: Option<&'t str>,
    /// The number of the bracket that closes this one.
    pub closed_by: Option<usize>,
}

impl Token<'_> {
    pub fn end(&self) -> usize {
        self.start + self.text.len()
    }

    pub fn has_comments(&self) -> bool {
        self.after.is_some() || !self.before.is_empty()
    }
}

/// Every token of a text that has no mistakes. The last one is empty, and has what comments are left.
pub fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut all: Vec<Token> = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    let mut before: Vec<Comment> = Vec::new();
    let mut lines = 0;
    let mut at = 0;
    loop {
        let space = text[at..].trim_start_matches(|c: char| c.is_whitespace() || c == '\u{FEFF}');
        let start = text.len() - space.len();
        lines += text[at..start].matches('\n').count();
        at = start;
        let apart = lines > 1 && !(all.is_empty() && before.is_empty());
        if space.starts_with("//") {
            let comment = space.lines().next().unwrap_or_default();
            at += comment.len();
            let comment = comment.trim_end();
            match all.last_mut().filter(|last| lines == 0 && before.is_empty() && last.after.is_none()) {
                Some(last) => last.after = Some(comment),
                None => before.push(Comment { text: comment, apart }),
            }
            lines = 0;
            continue;
        }
        let length = length(space);
        let token = &text[at..at + length];
        match token {
            "(" | "[" | "{" => open.push(all.len()),
            ")" | "]" | "}" => {
                if let Some(opener) = open.pop() {
                    all[opener].closed_by = Some(all.len());
                }
            }
            _ => {}
        }
        let before = std::mem::take(&mut before);
        all.push(Token { text: token, start: at, before, apart, after: None, closed_by: None });
        if token.is_empty() {
            return all;
        }
        at += length;
        lines = 0;
    }
}

/// How many bytes the token has that a text starts with.
fn length(text: &str) -> usize {
    let Some(first) = text.chars().next() else { return 0 };
    match first {
        '"' => quoted(text),
        '`' => text[1..].find('`').map_or(text.len(), |end| end + 2),
        '0'..='9' => number(text),
        _ if is_letter(first) => text.find(|c: char| !is_letter(c) && c != '\'').unwrap_or(text.len()),
        _ => {
            let pair = ["<=", ">=", "==", "!=", "|>", "->", ".."].into_iter().find(|pair| text.starts_with(pair));
            pair.map_or(first.len_utf8(), str::len)
        }
    }
}

fn is_letter(sign: char) -> bool {
    // Signs that belong to a letter, as in a decomposed `é`, are not alphanumeric.
    sign == '_' || sign.is_alphanumeric() || !(sign.is_ascii() || sign.is_whitespace() || sign == '\u{FEFF}')
}

fn quoted(text: &str) -> usize {
    let mut escaped = false;
    for (at, sign) in text.char_indices().skip(1) {
        match sign {
            '"' if !escaped => return at + 1,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    text.len()
}

fn number(text: &str) -> usize {
    let digits = |text: &str| text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '_').len();
    let mut end = digits(text);
    if text[end..].starts_with('.') && text[end + 1..].starts_with(|c: char| c.is_ascii_digit()) {
        end += 1 + digits(&text[end + 1..]);
    }
    let rest = &text[end..];
    if let Some(power) = rest.strip_prefix(['e', 'E']) {
        let unsigned = power.strip_prefix(['+', '-']).unwrap_or(power);
        let count = unsigned.len() - unsigned.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        if count > 0 {
            end += 1 + (power.len() - unsigned.len()) + count;
        }
    }
    end + usize::from(text[end..].starts_with('%'))
}
