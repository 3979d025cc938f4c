//! Tables from text with separators between cells (CSV, TSV): a header line, then one row a line.
//!
//! The file is read twice: once to see what each column holds, once to keep it. Cells are free of the spaces around
//! them; a quoted empty cell (`""`) of a text column is empty text, any other empty cell is missing, and so is what many
//! programs write for that (`NA`, `?`) among numbers.
//! A column that the header leaves unnamed is called `column 1` by its place.

use std::collections::HashMap;

use ::csv::{Reader, ReaderBuilder, StringRecord};

use crate::data::cell;
use crate::data::kind::{Reading, Scan};
use crate::data::table::{Column, Origin, Table, Values};
use crate::data::trouble::{self, Trouble, rows_phrase};
use crate::diagnostic::Diagnostic;
use crate::source::{Sources, Span};

/// Reads a table from the bytes of the file `name`; `call` is where the program asks for it. The text becomes one of
/// the sources, so that mistakes in it are drawn like mistakes in a program.
pub fn read(
    sources: &mut Sources,
    name: &str,
    bytes: &[u8],
    separator: u8,
    call: Span,
) -> Result<Table, Vec<Diagnostic>> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if u32::try_from(bytes.len()).is_err() {
        return Err(vec![trouble::too_large(name, call)]);
    }
    let broken = match std::str::from_utf8(bytes) {
        Err(error) => Some(error.valid_up_to()),
        Ok(text) => text.find('\0'),
    };
    if let Some(at) = broken {
        // Of a file that is no text, only what comes before is kept, to be shown.
        let source = sources.add(name, String::from_utf8_lossy(&bytes[..(at + 1).min(bytes.len())]));
        let text = sources.get(source).text.clone();
        return Err(vec![Trouble { name, source, separator, text: &text, call }.not_text(at, bytes)]);
    }
    let source = sources.add(name, String::from_utf8_lossy(bytes));
    let text = sources.get(source).text.clone();
    let trouble = Trouble { name, source, separator, text: &text, call };
    let header = header(&trouble)?;
    let (scans, starts) = scan(&trouble, header.len())?;
    let origin = Origin { source, separator, starts };
    let values = values(&trouble, &scans, origin.starts.len());
    let columns =
        header.into_iter().zip(values).zip(&scans).enumerate().map(|(field, (((name, span), values), scan))| {
            let mistakes = mistakes(&trouble, field, &name, scan, &origin);
            Column { name, span, values, lacking: scan.lacking(), mistakes }
        });
    let columns = columns.collect();
    Ok(Table { name: name.to_string(), columns, rows: origin.starts.len(), origin })
}

fn reader<'t>(trouble: &Trouble<'t>) -> Reader<&'t [u8]> {
    ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(trouble.separator)
        .from_reader(trouble.text.as_bytes())
}

/// The next record, with the byte that it starts at. The text is known to be text, so that nothing else can go wrong.
fn next(reader: &mut Reader<&[u8]>, record: &mut StringRecord, text: &str) -> Option<usize> {
    if !reader.read_record(record).unwrap_or(false) {
        return None;
    }
    let start = record.position().map_or(0, |place| place.byte() as usize);
    Some(start + text[start..].bytes().take_while(|byte| matches!(byte, b'\n' | b'\r')).count())
}

/// The names of the columns and where each is written.
fn header(trouble: &Trouble) -> Result<Vec<(String, Span)>, Vec<Diagnostic>> {
    let mut record = StringRecord::new();
    let mut reader = reader(trouble);
    let Some(start) = next(&mut reader, &mut record, trouble.text) else {
        return Err(vec![trouble.empty()]);
    };
    let mut names: Vec<(String, Span)> = Vec::new();
    let mut seen: HashMap<String, Span> = HashMap::new();
    let mut wrong = Vec::new();
    for (field, name) in record.iter().enumerate() {
        let span = trouble.cell(start, field);
        let name = match name.trim() {
            "" => format!("column {}", field + 1),
            name => name.to_string(),
        };
        match seen.get(&name) {
            Some(first) => wrong.push(trouble.doubled(&name, *first, span)),
            None => drop(seen.insert(name.clone(), span)),
        }
        names.push((name, span));
    }
    if let ([(name, span)], true) = (&names[..], wrong.is_empty()) {
        wrong.extend(trouble.other_separator(name, *span));
    }
    if wrong.is_empty() { Ok(names) } else { Err(wrong) }
}

/// What each column holds, and where each row starts. Rows of the wrong length are an error.
fn scan(trouble: &Trouble, columns: usize) -> Result<(Vec<Scan>, Vec<u32>), Vec<Diagnostic>> {
    let mut reader = reader(trouble);
    let mut record = StringRecord::new();
    next(&mut reader, &mut record, trouble.text);
    let (mut scans, mut starts) = (vec![Scan::default(); columns], Vec::new());
    let mut ragged: Vec<(Span, usize)> = Vec::new();
    while let Some(start) = next(&mut reader, &mut record, trouble.text) {
        starts.push(start as u32);
        if record.len() != columns {
            let last = cell::find(trouble.text, start, record.len() - 1, trouble.separator);
            if !last.closed {
                return Err(vec![trouble.open_quote(last.start)]);
            }
            ragged.push((trouble.row(start), record.len()));
            continue;
        }
        for (field, (scan, cell)) in scans.iter_mut().zip(&record).enumerate() {
            let quoted = || cell::find(trouble.text, start, field, trouble.separator).is_quoted();
            scan.add(starts.len() - 1, cell, quoted);
        }
    }
    if let Some(start) = starts.last() {
        let last = cell::find(trouble.text, *start as usize, columns - 1, trouble.separator);
        if ragged.is_empty() && !last.closed {
            return Err(vec![trouble.open_quote(last.start)]);
        }
    }
    if starts.is_empty() {
        return Err(vec![trouble.only_header()]);
    }
    if !ragged.is_empty() {
        return Err(vec![trouble.ragged(columns, &ragged)]);
    }
    Ok((scans, starts))
}

/// What is wrong with a column of numbers: cells that are none, or not finite. Who reads it so tells it.
fn mistakes(trouble: &Trouble, field: usize, name: &str, scan: &Scan, origin: &Origin) -> Vec<Diagnostic> {
    let reading = scan.reading();
    let cells = |rows: &[usize]| -> Vec<Span> {
        rows.iter().map(|row| trouble.cell(origin.starts[*row] as usize, field)).collect()
    };
    let mut wrong = Vec::new();
    if reading == Reading::NumbersBut {
        let (words, rows, places) = (scan.words.count, origin.starts.len(), cells(&scan.words.first));
        let what = format!("column `{name}` holds numbers, but not in {words} of {rows} rows");
        wrong.push(trouble.cells("E0307", what, &places, "not a number"));
    }
    if reading != Reading::Text && scan.not_finite.count > 0 {
        let what = format!("column `{name}` is not finite in {}", rows_phrase(scan.not_finite.count));
        wrong.push(trouble.cells("E0308", what, &cells(&scan.not_finite.first), "not a finite number"));
    }
    wrong
}

/// The second reading: all values.
fn values(trouble: &Trouble, scans: &[Scan], rows: usize) -> Vec<Values> {
    let mut columns: Vec<Values> = scans
        .iter()
        .map(|scan| match scan.reading() {
            Reading::Integers if scan.lacking().count == 0 => Values::Integers(Vec::with_capacity(rows)),
            Reading::Integers | Reading::Numbers => Values::Numbers(Vec::with_capacity(rows)),
            // As classes they are what is written.
            Reading::NumbersBut | Reading::Text => Values::Text(Vec::with_capacity(rows)),
        })
        .collect();
    let mut reader = reader(trouble);
    let mut record = StringRecord::new();
    next(&mut reader, &mut record, trouble.text);
    while next(&mut reader, &mut record, trouble.text).is_some() {
        for (column, cell) in columns.iter_mut().zip(&record) {
            let cell = cell.trim();
            match column {
                Values::Integers(all) => all.push(cell.parse().unwrap_or_default()),
                Values::Numbers(all) => all.push(cell.parse().unwrap_or(f64::NAN)),
                Values::Text(all) => all.push(cell.to_string()),
            }
        }
    }
    columns
}
