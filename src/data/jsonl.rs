//! Tables from lines of JSON: an object a line, its keys the columns. A key that a line lacks, or `null`, is an empty cell.
//!
//! A column holds numbers, texts, or arrays of them: those of one shape stand side by side, others are rows of unequal length.
//! Whatever else it holds, or several kinds, is text as it is written, and a mistake as numbers.

use crate::data::kind::Tally;
use crate::data::mistakes::{PIECE, interrupted, rows_phrase};
use crate::data::table::{Cells, Column, Listed, Lists, Lying, Origin, Table, Values};
use crate::diagnostic::Diagnostic;
use crate::source::{SourceId, Sources, Span};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use unicode_normalization::UnicodeNormalization;

/// Places shown of one mistake.
const SHOWN: usize = 3;

/// Reads a table from the bytes of the file `name`; `call` is where the program asks for it, `stop` is asked now and then
/// whether reading is to end.
pub fn read(
    sources: &mut Sources,
    name: &str,
    bytes: &[u8],
    call: Span,
    stop: fn() -> bool,
) -> Result<Table, Vec<Diagnostic>> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|broken| {
        let message =
            format!("`{name}` is not a text file in UTF-8: byte {} is none of a text", broken.valid_up_to() + 1);
        vec![Diagnostic::error("E0301", message, call, "read here").help("save it as UTF-8 first")]
    })?;
    let source = sources.add(name, text);
    let text = sources.get(source).text.clone();
    let file = JsonFile { name, source, text: &text, call };
    let (mut rows, mut starts) = (Vec::new(), Vec::new());
    for line in lines(&text) {
        if rows.len() % PIECE == 0 && stop() {
            return Err(vec![interrupted(call)]);
        }
        starts.push(line.start as u32);
        rows.push(file.row(line).map_err(|wrong| vec![wrong])?);
    }
    if rows.is_empty() {
        let place = Span::new(source, 0, 0);
        let error = Diagnostic::error("E0302", format!("`{name}` is empty"), place, "no line here");
        return Err(vec![error.label(call, "read here")]);
    }
    let columns = columns(&file, rows, &starts);
    let by_name = columns.iter().enumerate().map(|(at, column)| (column.name.clone(), at)).collect();
    let (name, rows) = (name.to_string(), starts.len());
    Ok(Table { name, columns, by_name, rows, own_test: None, origin: Origin::Lines { source, starts } })
}

/// The lines that hold something.
fn lines(text: &str) -> impl Iterator<Item = Range<usize>> + '_ {
    let mut start = 0;
    text.split('\n').filter_map(move |line| {
        let own = start..start + line.trim_end().len();
        start += line.len() + 1;
        (!line.trim().is_empty()).then_some(own)
    })
}

struct JsonFile<'t> {
    name: &'t str,
    source: SourceId,
    text: &'t str,
    call: Span,
}

impl JsonFile<'_> {
    fn number_of(&self, start: usize) -> usize {
        self.text[..start].matches('\n').count() + 1
    }

    fn row(&self, line: Range<usize>) -> Result<Map<String, Value>, Diagnostic> {
        let text = &self.text[line.clone()];
        let kind = match serde_json::from_str(text) {
            Ok(Value::Object(row)) => return self.once(text, line.start).map_or(Ok(row), Err),
            Ok(other) => word(&other),
            Err(wrong) => return Err(self.no_json(line, &wrong)),
        };
        let message =
            format!("line {} of `{}` is {kind}, and a row is an object", self.number_of(line.start), self.name);
        let error = Diagnostic::error("E0353", message, Span::new(self.source, line.start, line.end), "this line");
        Err(error.label(self.call, "read here").help("a line looks like this: `{\"length\": 1.5, \"kind\": \"rose\"}`"))
    }

    fn no_json(&self, line: Range<usize>, wrong: &serde_json::Error) -> Diagnostic {
        let told = wrong.to_string();
        let told = told.split(" at line ").next().unwrap_or_default().to_string();
        let text = &self.text[line.clone()];
        let mut at = wrong.column().saturating_sub(1).min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        let width = text[at..].chars().next().map_or(0, char::len_utf8);
        let place = Span::new(self.source, line.start + at, line.start + at + width);
        let message = format!("line {} of `{}` is no JSON: {told}", self.number_of(line.start), self.name);
        let error = Diagnostic::error("E0353", message, place, "up to here it can be read");
        let error = error.label(self.call, "read here");
        let starts = text.trim_start();
        let rest = text.get(at.saturating_sub(1)..).unwrap_or_default().trim_start_matches([' ', ':']);
        error.help(match () {
            () if starts == "[" || starts.starts_with("[{") => {
                "this looks like one array of objects: write each object on a line of its own, without commas between"
            }
            () if starts == "{" => "an object stands on one line",
            () if ["NaN", "Infinity", "-Infinity"].iter().any(|word| rest.starts_with(word)) => {
                "JSON has no such number: write `null` where a value is missing"
            }
            () if told.contains("out of range") => "64 bits do not hold this number",
            () => "each line is an object of its own: `{\"length\": 1.5, \"kind\": \"rose\"}`",
        })
    }

    /// The mistake of a key that a line has twice.
    fn once(&self, line: &str, start: usize) -> Option<Diagnostic> {
        let mut seen: HashMap<String, Range<usize>> = HashMap::new();
        for (key, place) in keys(line) {
            if let Some(first) = seen.get(&key) {
                let span = |place: &Range<usize>| Span::new(self.source, start + place.start, start + place.end);
                let message = format!("line {} of `{}` has the key `{key}` twice", self.number_of(start), self.name);
                let error = Diagnostic::error("E0304", message, span(&place), "the second value");
                let error = error.label(span(first), "the first value").label(self.call, "read here");
                return Some(error.help("leave one of them out"));
            }
            seen.insert(key, place);
        }
        None
    }
}

/// Of an object on one line its keys, and where the value of each stands.
fn keys(line: &str) -> Vec<(String, Range<usize>)> {
    let (mut found, mut depth, mut at) = (Vec::new(), 0, 0);
    let bytes = line.as_bytes();
    // The last text of the object itself, and where the value after it starts.
    let (mut text, mut open): (Option<String>, Option<(String, usize)>) = (None, None);
    while at < bytes.len() {
        match bytes[at] {
            b'"' => {
                let end = end_of_text(bytes, at);
                if depth == 1 && open.is_none() {
                    text = serde_json::from_str(&line[at..end]).ok();
                }
                at = end;
                continue;
            }
            b':' if depth == 1 && open.is_none() => open = text.take().map(|key| (key.nfc().collect(), at + 1)),
            b'{' | b'[' => depth += 1,
            b',' if depth == 1 => found.extend(open.take().map(|(key, start)| (key, trimmed(line, start..at)))),
            b'}' | b']' => {
                if depth == 1 {
                    found.extend(open.take().map(|(key, start)| (key, trimmed(line, start..at))));
                }
                depth -= 1;
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// The byte behind the quote that ends a text.
fn end_of_text(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < bytes.len() && bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(bytes.len())
}

fn trimmed(line: &str, place: Range<usize>) -> Range<usize> {
    let text = &line[place.clone()];
    let start = place.start + text.len() - text.trim_start().len();
    start..start + text.trim().len()
}

/// Where the value of a key stands in a line that starts at a byte; without it, its end.
pub fn find(text: &str, start: usize, key: &str) -> Range<usize> {
    let line = text.get(start..).and_then(|rest| rest.split('\n').next()).unwrap_or_default().trim_end();
    let found = keys(line).into_iter().find(|(own, _)| own == key).map(|(_, place)| place);
    let place = found.unwrap_or(line.len().saturating_sub(1)..line.len());
    start + place.start..start + place.end
}

/// The columns of all rows, in the order in which lines name them first.
fn columns(file: &JsonFile, rows: Vec<Map<String, Value>>, starts: &[u32]) -> Vec<Column> {
    let count = rows.len();
    let mut names: Vec<String> = Vec::new();
    let mut cells: HashMap<String, Vec<Value>> = HashMap::new();
    for (at, row) in rows.into_iter().enumerate() {
        for (key, value) in row {
            let key: String = key.nfc().collect();
            let own = cells.entry(key.clone()).or_insert_with(|| {
                names.push(key);
                vec![Value::Null; count]
            });
            own[at] = value;
        }
    }
    names.into_iter().map(|name| column(file, &name, cells.remove(&name).unwrap_or_default(), starts)).collect()
}

/// What a cell is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Number,
    Text,
    Numbers,
    Texts,
    Other,
}

fn kind(value: &Value) -> Option<Kind> {
    match value {
        Value::Null => None,
        Value::Number(_) => Some(Kind::Number),
        Value::String(_) => Some(Kind::Text),
        Value::Array(parts) if parts.iter().all(Value::is_string) && !parts.is_empty() => Some(Kind::Texts),
        Value::Array(parts) => Some(if flat(parts).is_some() { Kind::Numbers } else { Kind::Other }),
        Value::Bool(_) | Value::Object(_) => Some(Kind::Other),
    }
}

/// The shape and the numbers of an array, which may hold arrays of one shape.
fn flat(parts: &[Value]) -> Option<(Vec<usize>, Vec<f64>)> {
    if parts.iter().all(Value::is_number) {
        return Some((vec![parts.len()], parts.iter().filter_map(Value::as_f64).collect()));
    }
    let mut shape: Option<Vec<usize>> = None;
    let mut numbers = Vec::new();
    for part in parts {
        let (own, more) = flat(part.as_array()?)?;
        if shape.get_or_insert_with(|| own.clone()) != &own {
            return None;
        }
        numbers.extend(more);
    }
    Some(([vec![parts.len()], shape?].concat(), numbers))
}

fn column(file: &JsonFile, name: &str, cells: Vec<Value>, starts: &[u32]) -> Column {
    let mut counts: BTreeMap<Kind, usize> = BTreeMap::new();
    cells.iter().filter_map(kind).for_each(|kind| *counts.entry(kind).or_default() += 1);
    // Of arrays without elements it does not show what they hold.
    let empty = |value: &Value| value.as_array().is_some_and(Vec::is_empty);
    if counts.contains_key(&Kind::Texts) {
        let without = cells.iter().filter(|cell| empty(cell)).count();
        counts.entry(Kind::Numbers).and_modify(|count| *count -= without);
        counts.retain(|_, count| *count > 0);
    }
    let most = counts.iter().max_by_key(|(kind, count)| (**count, std::cmp::Reverse(**kind))).map(|(kind, _)| *kind);
    let place = |row: usize| {
        let found = find(file.text, starts[row] as usize, name);
        Span::new(file.source, found.start, found.end)
    };
    let strange =
        |cell: &Value| kind(cell).is_some_and(|own| Some(own) != most && !(empty(cell) && most == Some(Kind::Texts)));
    let others: Vec<usize> = (0..cells.len()).filter(|row| strange(&cells[*row])).collect();
    let named = cells.iter().position(|cell| !cell.is_null()).unwrap_or(0);
    let values = match most {
        Some(kind) if others.is_empty() && kind != Kind::Other => values_of(kind, &cells),
        _ => Values::Text(cells.iter().map(written).collect()),
    };
    let lacking: Vec<usize> = (0..cells.len()).filter(|row| cells[*row].is_null()).collect();
    let first = lacking.iter().take(SHOWN).map(|row| place(*row)).collect();
    let lacking = Tally { count: lacking.len(), first };
    let mistakes = mistakes(file, name, most, &cells, &others, &place);
    let word = (0..cells.len()).find(|row| cells[*row].is_string()).map(place);
    let span = place(named);
    Column { name: name.to_string(), span, values, empty: lacking.clone(), lacking, word, mistakes }
}

/// The cells of a column of one kind.
fn values_of(kind: Kind, cells: &[Value]) -> Values {
    match kind {
        Kind::Number if cells.iter().all(Value::is_i64) => {
            Values::Integers(cells.iter().map(|cell| cell.as_i64().unwrap_or_default()).collect())
        }
        Kind::Number => Values::Numbers(cells.iter().map(|cell| cell.as_f64().unwrap_or(f64::NAN)).collect()),
        Kind::Text | Kind::Other => Values::Text(cells.iter().map(written).collect()),
        Kind::Numbers => {
            let rows: Vec<(Vec<usize>, Vec<f64>)> =
                cells.iter().map(|cell| flat(parts(cell)).unwrap_or_default()).collect();
            let shape = rows.first().map(|(shape, _)| shape.clone()).unwrap_or_default();
            if rows.iter().all(|(own, _)| *own == shape) && !shape.contains(&0) {
                let numbers = rows.into_iter().flat_map(|(_, numbers)| numbers).collect();
                return Values::Cells(Cells { shape, numbers: Lying::Floats(numbers) });
            }
            Values::Lists(Lists::of(
                rows.iter().map(|(_, row)| row.len()),
                Listed::Numbers(rows.iter().flat_map(|(_, row)| row.clone()).collect()),
            ))
        }
        Kind::Texts => {
            let texts = cells.iter().flat_map(|cell| parts(cell).iter().map(written)).collect();
            Values::Lists(Lists::of(cells.iter().map(|cell| parts(cell).len()), Listed::Texts(texts)))
        }
    }
}

fn parts(cell: &Value) -> &[Value] {
    cell.as_array().map_or(&[], Vec::as_slice)
}

/// A cell as text.
fn written(cell: &Value) -> String {
    match cell {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// What is wrong with a column as numbers: kinds that do not go together, or none that is read.
fn mistakes(
    file: &JsonFile,
    name: &str,
    most: Option<Kind>,
    cells: &[Value],
    others: &[usize],
    place: &dyn Fn(usize) -> Span,
) -> Vec<Diagnostic> {
    let own = match most {
        None => return Vec::new(),
        Some(Kind::Number) => "numbers",
        Some(Kind::Text) => "texts",
        Some(Kind::Numbers) => "arrays of numbers",
        Some(Kind::Texts) => "arrays of texts",
        Some(Kind::Other) => "",
    };
    let shape = |row: usize| flat(parts(&cells[row])).map(|(shape, _)| shape).unwrap_or_default();
    let arrays: Vec<usize> = (0..cells.len()).filter(|row| cells[*row].is_array()).collect();
    let deep = most == Some(Kind::Numbers) && others.is_empty() && arrays.iter().any(|row| shape(*row).len() > 1);
    if let Some(row) = arrays.iter().copied().find(|row| deep && shape(*row) != shape(arrays[0])) {
        let message = format!("column `{name}` holds arrays of arrays of several shapes");
        let error = Diagnostic::error("E0354", message, place(row), format!("this is {:?}", shape(row)));
        let error =
            error.label(place(arrays[0]), format!("this is {:?}", shape(arrays[0]))).label(file.call, "read here");
        return vec![error.help("only arrays of numbers or texts may be of unequal length; `pad` reads those")];
    }
    let (message, shown): (String, Vec<usize>) = match (most, others) {
        (Some(Kind::Other), _) => {
            let rows: Vec<usize> = (0..cells.len()).filter(|row| kind(&cells[*row]) == Some(Kind::Other)).collect();
            (format!("column `{name}` holds {}, and not numbers", words(&cells[rows[0]])), rows)
        }
        (_, []) => return Vec::new(),
        _ => {
            let rows = rows_phrase(others.len());
            (format!("column `{name}` holds {own}, but not in {rows} of {}", cells.len()), others.to_vec())
        }
    };
    let this = |row: usize| format!("this is {}", word(&cells[row]));
    let error = Diagnostic::error("E0354", message, place(shown[0]), this(shown[0]));
    let error = shown.iter().take(SHOWN).skip(1).fold(error, |error, row| error.label(place(*row), this(*row)));
    let error = error.label(file.call, "read here");
    vec![error.help(match most {
        Some(Kind::Other) => format!("`category({name})` makes classes of whatever is written there"),
        _ => "a column has values of one kind; `null` stands for a missing one".to_string(),
    })]
}

fn word(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

fn words(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "truth values",
        Value::Number(_) => "numbers",
        Value::String(_) => "texts",
        Value::Array(_) => "arrays of several kinds",
        Value::Object(_) => "objects",
    }
}
