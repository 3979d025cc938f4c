//! `// allow: W0401 because …`, on a line or the line before: warnings that are meant so. It says why, and it is told of itself where it
//! silences nothing.

use crate::check::comments::comment;
use crate::diagnostic::codes::explain;
use crate::diagnostic::{Diagnostic, Severity};
use crate::source::{SourceId, Sources, Span};

struct Allow {
    span: Span,
    codes: Vec<String>,
    reason: bool,
    /// The line whose warnings it silences, from 1.
    line: usize,
}

/// Takes away what is allowed in some texts. `whole` says whether all warnings were looked for: else an `allow` that silences nothing
/// may silence another.
pub fn silence(found: &mut Vec<Diagnostic>, sources: &Sources, texts: &[SourceId], whole: bool) {
    let allows: Vec<Allow> = texts.iter().flat_map(|source| of_text(sources, *source)).collect();
    if allows.is_empty() {
        return;
    }
    let covers = |allow: &Allow, found: &Diagnostic, code: &str| {
        let place = found.labels.first().map(|label| label.span);
        found.severity == Severity::Warning
            && found.code.eq_ignore_ascii_case(code)
            && place.is_some_and(|at| at.source == allow.span.source && sources.start(at).line == allow.line)
    };
    let errors = found.iter().any(|found| found.severity == Severity::Error);
    let mut told = Vec::new();
    for allow in &allows {
        for code in &allow.codes {
            let silences = found.iter().any(|found| covers(allow, found, code));
            told.extend(wrong(allow, code, silences || errors || !whole));
        }
        if allow.codes.is_empty() {
            let error = Diagnostic::error("W0430", "this allows nothing: it names no code", allow.span, "here");
            told.push(error.help("write `// allow: W0411 because …`").warning());
        } else if !allow.reason {
            let error = Diagnostic::error("W0430", "this allows a warning without a reason", allow.span, "here");
            told.push(error.help(format!("say why: `// allow: {} because …`", allow.codes.join(", "))).warning());
        }
    }
    found.retain(|found| !allows.iter().any(|allow| allow.codes.iter().any(|code| covers(allow, found, code))));
    if whole {
        found.extend(told);
    }
}

/// What is wrong with one code of an `allow`.
fn wrong(allow: &Allow, code: &str, silences: bool) -> Option<Diagnostic> {
    let (message, help) = if explain(code).is_none() {
        (format!("there is no warning `{code}`"), "a warning shows its code, as in [W0411]")
    } else if !code.to_ascii_uppercase().starts_with('W') {
        (format!("`{code}` is an error, and only warnings can be allowed"), "mend what it says, and leave this out")
    } else if !silences {
        (format!("`{code}` is allowed here, and nothing is warned of"), "leave it out")
    } else {
        return None;
    };
    Some(Diagnostic::error("W0430", message, allow.span, "here").help(help).warning())
}

fn of_text(sources: &Sources, source: SourceId) -> Vec<Allow> {
    let text = &sources.get(source).text;
    let mut allows = Vec::new();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let mut start = 0;
    for (at, line) in lines.iter().enumerate() {
        if let Some(place) = comment(line)
            && let Some(said) = line[place + 2..].trim().strip_prefix("allow:")
        {
            let alone = line[..place].trim().is_empty();
            // The next line that is more than a comment.
            let code = |line: &&str| !line.trim().is_empty() && !line.trim_start().starts_with("//");
            let next = lines[at + 1..].iter().position(code).map_or(at, |further| at + 1 + further);
            let (codes, reason) = said.split_once(" because").map_or((said, ""), |(codes, reason)| (codes, reason));
            let codes = codes.split([',', ' ']).map(str::trim).filter(|code| !code.is_empty());
            // Words behind the codes are no reason without a `because`.
            let is_code = |code: &&str| code.chars().any(|sign| sign.is_ascii_digit());
            let codes: Vec<String> = codes.filter(is_code).map(str::to_string).collect();
            let span = Span::new(source, start + place, start + line.trim_end().len());
            let reason = !reason.trim().is_empty();
            allows.push(Allow { span, codes, reason, line: if alone { next + 1 } else { at + 1 } });
        }
        start += line.len();
    }
    allows
}
