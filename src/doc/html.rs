//! The documentation as plain pages that need nothing else: an index, and a page for each item.

use super::{Entry, Kind};
use std::collections::HashMap;
use std::fmt::Write;

const STYLE: &str = "\
:root { color-scheme: light dark; --text: #1c1e21; --back: #fff; --soft: #f3f4f6; --line: #d9dce1; --link: #0b5fa5; --dim: #5a6270; }
@media (prefers-color-scheme: dark) {
  :root { --text: #e4e6ea; --back: #16181c; --soft: #22252b; --line: #3a3f47; --link: #7cb8ee; --dim: #a0a7b4; }
}
body { font: 16px/1.55 system-ui, sans-serif; color: var(--text); background: var(--back); max-width: 52rem; margin: 2rem auto; padding: 0 1rem; }
a { color: var(--link); text-decoration: none; }
a:hover { text-decoration: underline; }
pre, code { font: 0.9em/1.5 ui-monospace, monospace; background: var(--soft); border-radius: 4px; }
pre { padding: 0.8rem 1rem; overflow-x: auto; border: 1px solid var(--line); }
pre code { background: none; font-size: 1em; }
code { padding: 0.1em 0.3em; }
dt { margin-top: 0.6rem; }
dd { margin: 0 0 0 1.5rem; color: var(--dim); }
.dim { color: var(--dim); }
";

/// Names of files and their texts: `index.html` and a page an entry. `title` is over all of them.
pub fn pages(title: &str, entries: &[Entry]) -> Vec<(String, String)> {
    // Of two entries with a name, what is written means the file's own.
    let mut links: HashMap<&str, String> = HashMap::new();
    for own in [false, true] {
        for entry in entries.iter().filter(|entry| entry.is_stdlib != own) {
            links.insert(&entry.name, file_of(entry));
        }
    }
    let mut pages = vec![("index.html".to_string(), index(title, entries))];
    pages.extend(entries.iter().map(|entry| (file_of(entry), page(entry, &links))));
    pages
}

/// The file of an entry's page, which no other's has, whatever the system makes of capital letters and signs.
fn file_of(entry: &Entry) -> String {
    let mut name = String::from(if entry.is_stdlib { "" } else { "own-" });
    name.push_str(entry.kind.title().trim_end_matches('s').to_lowercase().as_str());
    name.push('-');
    for sign in entry.name.chars() {
        if sign.is_ascii_lowercase() || sign.is_ascii_digit() || sign == '_' {
            name.push(sign);
        } else {
            let _ = write!(name, ".{:x}", u32::from(sign));
        }
    }
    name + ".html"
}

fn index(title: &str, entries: &[Entry]) -> String {
    let mut body = format!("<h1>{}</h1>\n", escaped(title));
    for own in [true, false] {
        let mut kind: Option<Kind> = None;
        for entry in entries.iter().filter(|entry| entry.is_stdlib != own) {
            if kind != Some(entry.kind) {
                if kind.is_some() {
                    body.push_str("</dl>\n");
                }
                let whose = if own { format!(" of {}", escaped(&entry.file)) } else { String::new() };
                let _ = writeln!(body, "<h2>{}{whose}</h2>\n<dl>", entry.kind.title());
                kind = Some(entry.kind);
            }
            let link = format!("<a href=\"{}\"><code>{}</code></a>", file_of(entry), escaped(&entry.name));
            let _ = writeln!(body, "<dt>{link}</dt>\n<dd>{}</dd>", prose(entry.summary()));
        }
        if kind.is_some() {
            body.push_str("</dl>\n");
        }
    }
    whole(title, &body)
}

fn page(entry: &Entry, links: &HashMap<&str, String>) -> String {
    let mut body = String::from("<p><a href=\"index.html\">Index</a></p>\n");
    let _ = writeln!(body, "<h1><code>{}</code></h1>", escaped(&entry.name));
    let _ = writeln!(body, "<pre><code>{}</code></pre>", escaped(&entry.signature));
    for paragraph in entry.doc.split("\n\n").filter(|paragraph| !paragraph.trim().is_empty()) {
        let _ = writeln!(body, "<p>{}</p>", prose(paragraph));
    }
    if let Some(example) = &entry.example {
        let _ = writeln!(body, "<h2>Use</h2>\n<pre><code>{}</code></pre>", linked(example, links, &entry.name));
    }
    let file = escaped(&entry.file);
    let text = linked(&entry.text, links, &entry.name);
    let _ = writeln!(body, "<h2>Text</h2>\n<p class=\"dim\">{file}</p>\n<pre><code>{text}</code></pre>");
    whole(&entry.name, &body)
}

fn whole(title: &str, body: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{}</title>\n\
         <style>\n{STYLE}</style>\n</head>\n<body>\n{body}</body>\n</html>\n",
        escaped(title)
    )
}

/// A text as it is shown, whatever is in it.
fn escaped(text: &str) -> String {
    let mut whole = String::new();
    for sign in text.chars() {
        match sign {
            '&' => whole.push_str("&amp;"),
            '<' => whole.push_str("&lt;"),
            '>' => whole.push_str("&gt;"),
            '"' => whole.push_str("&quot;"),
            '\'' => whole.push_str("&#39;"),
            sign => whole.push(sign),
        }
    }
    whole
}

/// Words with `code` between them.
fn prose(text: &str) -> String {
    let mut whole = String::new();
    let parts: Vec<&str> = text.split('`').collect();
    for (at, part) in parts.iter().enumerate() {
        let closed = at + 1 < parts.len();
        let part = escaped(part);
        whole.push_str(&match (at % 2 == 1, closed) {
            (true, true) => format!("<code>{part}</code>"),
            (true, false) => format!("`{part}"),
            (false, _) => part,
        });
    }
    whole
}

/// Code whose names lead to their pages; comments and texts stay words.
fn linked(code: &str, links: &HashMap<&str, String>, own: &str) -> String {
    let is_word = |sign: char| sign.is_alphanumeric() || sign == '_' || sign == '\'';
    let mut whole = String::new();
    let mut rest = code;
    while let Some(first) = rest.chars().next() {
        let end = match first {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '"' => rest[1..].find(['"', '\n']).map_or(rest.len(), |end| end + 2),
            first if is_word(first) => rest.find(|sign| !is_word(sign)).unwrap_or(rest.len()),
            first => first.len_utf8(),
        };
        let word = &rest[..end];
        // A setting is no function of its name: `mean = 0`.
        let given = rest[end..].trim_start().starts_with([':', '=']) && !rest[end..].trim_start().starts_with("==");
        let read = whole.ends_with('.');
        whole.push_str(&match links.get(word).filter(|_| word != own && !given && !read) {
            Some(page) => format!("<a href=\"{page}\">{}</a>", escaped(word)),
            None => escaped(word),
        });
        rest = &rest[end..];
    }
    whole
}
