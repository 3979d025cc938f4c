//! Numbers as people read them.

use crate::train::events::Event;
use unicode_width::UnicodeWidthStr;

/// Loss and reports of each split, side by side.
pub fn table(finals: &[Event]) -> String {
    let mut rows: Vec<Vec<String>> = vec![vec![String::new()]];
    for event in finals {
        let Event::Eval { split, loss, reports, .. } = event else { continue };
        rows[0].push(split.clone());
        let numbers =
            std::iter::once(("loss", *loss)).chain(reports.iter().map(|(name, value)| (name.as_str(), *value)));
        for (at, (name, value)) in numbers.enumerate() {
            if rows.len() < at + 2 {
                rows.push(vec![name.to_string()]);
            }
            rows[at + 1].push(shown(value));
        }
    }
    columns(&rows)
}

/// Rows of cells as aligned lines: the first column to the left, numbers to the right.
pub fn columns(rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.width()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    let line = |row: &Vec<String>| -> String {
        let cells = row.iter().zip(&widths).enumerate().map(|(at, (cell, width))| {
            let space = " ".repeat(width - cell.width());
            if at == 0 { format!("{cell}{space}") } else { format!("  {space}{cell}") }
        });
        cells.collect::<String>().trim_end().to_string() + "\n"
    };
    rows.iter().map(line).collect()
}

/// A number as people read it: five digits that count.
pub fn shown(value: f64) -> String {
    match value.abs() {
        size if size != 0.0 && !(1e-4..1e6).contains(&size) => format!("{value:.4e}"),
        size => format!("{value:.*}", 4usize.saturating_sub(size.max(1.0).log10() as usize)),
    }
}
