//! Tables from text with separators between cells (CSV, TSV): a header line, then one row a line.
//!
//! The file is read twice: once to see what each column holds, once to keep it. Cells are free of the spaces around
//! them; a quoted empty cell (`""`) of a text column is empty text, any other empty cell is missing, and so is what many
//! programs write for that (`NA`, `?`) among numbers.
//! A column that the header leaves unnamed is called `column 1` by its place. Names are NFC-normalized, like those of
//! programs.

use std::collections::HashMap;

use ::csv::{Reader, ReaderBuilder, StringRecord};

use crate::data::kind::{Reading, Scan};
use crate::data::mistakes::{PIECE, TableFile, interrupted, rows_phrase};
use crate::data::table::{Column, Origin, Table, Values};
use crate::diagnostic::Diagnostic;
use crate::source::{Sources, Span};
use unicode_normalization::UnicodeNormalization;

/// The most bytes of a table: places in a text are 32 bits wide.
pub const LARGEST: u64 = u32::MAX as u64;

/// Reads a table from the bytes of the file `name`, at most [`LARGEST`]; `call` is where the program asks for it. The text becomes one of
/// the sources, so that mistakes in it are drawn like mistakes in a program.
/// `stop` is asked now and then whether reading is to end.
pub fn read(
    sources: &mut Sources,
    name: &str,
    bytes: &[u8],
    separator: u8,
    call: Span,
    stop: fn() -> bool,
) -> Result<Table, Vec<Diagnostic>> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let (valid, broken) = match std::str::from_utf8(bytes) {
        Err(error) => ("", Some(error.valid_up_to())),
        Ok(text) => (text, text.find('\0')),
    };
    if let Some(at) = broken {
        // Of a file that is no text, only what comes before is kept, to be shown.
        let source = sources.add(name, String::from_utf8_lossy(&bytes[..(at + 1).min(bytes.len())]));
        let text = sources.get(source).text.clone();
        return Err(vec![TableFile { name, source, separator, text: &text, call, stop }.not_text(at, bytes)]);
    }
    if stop() {
        return Err(vec![interrupted(call)]);
    }
    let source = sources.add(name, valid);
    let text = sources.get(source).text.clone();
    let file = TableFile { name, source, separator, text: &text, call, stop };
    let header = header(&file)?;
    let (scans, starts) = scan(&file, header.len())?;
    let rows = starts.len();
    let values = values(&file, &scans, rows)?;
    let by_name = header.iter().enumerate().map(|(at, (name, _))| (name.clone(), at)).collect();
    let columns = header.into_iter().zip(values).zip(scans).map(|(((name, span), values), scan)| {
        let mistakes = mistakes(&file, &name, &scan, rows);
        let word = scan.words.first.first().copied();
        Column { name, span, values, lacking: scan.lacking(), empty: scan.missing, word, mistakes }
    });
    let columns = columns.collect();
    Ok(Table {
        name: name.to_string(),
        columns,
        by_name,
        rows,
        own_test: None,
        origin: Origin::Cells { source, separator, starts },
    })
}

fn reader<'t>(file: &TableFile<'t>) -> Reader<&'t [u8]> {
    ReaderBuilder::new().has_headers(false).flexible(true).delimiter(file.separator).from_reader(file.text.as_bytes())
}

/// Whether reading is to end; asked once for every [`PIECE`] of cells. `read` counts them.
fn is_to_end(file: &TableFile, read: &mut usize, more: usize) -> bool {
    *read += more;
    if *read < PIECE {
        return false;
    }
    *read = 0;
    (file.stop)()
}

/// The next record, with the byte that it starts at; a line of spaces is none. The text is known to be text, so that
/// nothing else can go wrong.
fn next(reader: &mut Reader<&[u8]>, record: &mut StringRecord, text: &str) -> Option<usize> {
    loop {
        if !reader.read_record(record).unwrap_or(false) {
            return None;
        }
        let start = record.position().map_or(0, |place| place.byte() as usize);
        let start = start + text[start..].bytes().take_while(|byte| matches!(byte, b'\n' | b'\r')).count();
        let blank = record.len() == 1 && record[0].trim().is_empty() && !text[start..].starts_with('"');
        if !blank {
            return Some(start);
        }
    }
}

/// The names of the columns and where each is written.
fn header(file: &TableFile) -> Result<Vec<(String, Span)>, Vec<Diagnostic>> {
    let mut record = StringRecord::new();
    let mut reader = reader(file);
    let Some(start) = next(&mut reader, &mut record, file.text) else {
        return Err(vec![file.empty()]);
    };
    let mut names: Vec<(String, Span)> = Vec::new();
    let mut seen: HashMap<String, Span> = HashMap::new();
    let mut wrong = Vec::new();
    let mut cells = file.cells_of(start);
    for (field, name) in record.iter().enumerate() {
        let span = file.place(cells.find(field));
        let name = match name.trim() {
            "" => format!("column {}", field + 1),
            name => name.nfc().collect(),
        };
        match seen.get(&name) {
            Some(first) => wrong.push(file.doubled(&name, *first, span)),
            None => drop(seen.insert(name.clone(), span)),
        }
        names.push((name, span));
    }
    if let ([(name, span)], true) = (&names[..], wrong.is_empty()) {
        wrong.extend(file.other_separator(name, *span));
    }
    if wrong.is_empty() { Ok(names) } else { Err(wrong) }
}

/// What each column holds, and where each row starts. Rows of the wrong length are an error.
fn scan(file: &TableFile, columns: usize) -> Result<(Vec<Scan>, Vec<u32>), Vec<Diagnostic>> {
    let mut reader = reader(file);
    let mut record = StringRecord::new();
    next(&mut reader, &mut record, file.text);
    let (mut scans, mut starts) = (vec![Scan::default(); columns], Vec::new());
    let mut ragged: Vec<(Span, usize)> = Vec::new();
    let mut read = 0;
    while let Some(start) = next(&mut reader, &mut record, file.text) {
        if is_to_end(file, &mut read, record.len()) {
            return Err(vec![interrupted(file.call)]);
        }
        starts.push(start as u32);
        if record.len() != columns {
            let last = file.cells_of(start).find(record.len() - 1);
            if !last.closed {
                return Err(vec![file.open_quote(last.start)]);
            }
            ragged.push((file.row(start), record.len()));
            continue;
        }
        let mut cells = file.cells_of(start);
        for (field, (scan, cell)) in scans.iter_mut().zip(&record).enumerate() {
            scan.add(cell, || file.place(cells.find(field)));
        }
    }
    if let Some(start) = starts.last() {
        let last = file.cells_of(*start as usize).find(columns - 1);
        if ragged.is_empty() && !last.closed {
            return Err(vec![file.open_quote(last.start)]);
        }
    }
    if starts.is_empty() {
        return Err(vec![file.only_header()]);
    }
    if !ragged.is_empty() {
        return Err(vec![file.ragged(columns, &ragged)]);
    }
    Ok((scans, starts))
}

/// What is wrong with a column of numbers: cells that are none, or not finite. The column that reads them reports it.
fn mistakes(file: &TableFile, name: &str, scan: &Scan, rows: usize) -> Vec<Diagnostic> {
    let reading = scan.reading();
    let mut wrong = Vec::new();
    if reading == Reading::NumbersBut {
        let words = scan.words.count;
        let what = format!("column `{name}` holds numbers, but not in {words} of {rows} rows");
        wrong.push(file.cells("E0307", what, &scan.words.first, "not a number"));
    }
    if reading != Reading::Text && scan.not_finite.count > 0 {
        let what = format!("column `{name}` is not finite in {}", rows_phrase(scan.not_finite.count));
        wrong.push(file.cells("E0308", what, &scan.not_finite.first, "not a finite number"));
    }
    wrong
}

/// The second reading: all values.
fn values(file: &TableFile, scans: &[Scan], rows: usize) -> Result<Vec<Values>, Vec<Diagnostic>> {
    let mut columns: Vec<Values> = scans
        .iter()
        .map(|scan| match scan.reading() {
            Reading::Integers if scan.lacking().count == 0 => Values::Integers(Vec::with_capacity(rows)),
            Reading::Integers | Reading::Numbers => Values::Numbers(Vec::with_capacity(rows)),
            // As classes they are what is written.
            Reading::NumbersBut | Reading::Text | Reading::Nothing => Values::Text(Vec::with_capacity(rows)),
        })
        .collect();
    let mut reader = reader(file);
    let mut record = StringRecord::new();
    next(&mut reader, &mut record, file.text);
    let mut read = 0;
    while next(&mut reader, &mut record, file.text).is_some() {
        if is_to_end(file, &mut read, record.len()) {
            return Err(vec![interrupted(file.call)]);
        }
        for (column, cell) in columns.iter_mut().zip(&record) {
            let cell = cell.trim();
            match column {
                Values::Integers(all) => all.push(cell.parse().unwrap_or_default()),
                Values::Numbers(all) => all.push(cell.parse().unwrap_or(f64::NAN)),
                Values::Text(all) => all.push(cell.to_string()),
                // No cell of a table holds these.
                Values::Cells(_) | Values::Lists(_) | Values::Characters(_) => {}
            }
        }
    }
    Ok(columns)
}
