//! W0418: with `batch_norm`, a last batch of one row: a row alone has no spread, and what it gives is 0.

use super::view::View;
use crate::diagnostic::Diagnostic;

pub fn find(view: &View) -> Vec<Diagnostic> {
    let program = view.program;
    let (Some(batch), rows) = (program.run.batch, program.data.rows()[0] as u64) else { return Vec::new() };
    let Some(norm) = view.applies("batch_norm") else { return Vec::new() };
    // Beside further places a row has a spread.
    if view.term(norm.result).ty.axes.len() != 2 || batch == 0 || rows == 0 || (rows % batch != 1 && batch != 1) {
        return Vec::new();
    }
    let message = match batch {
        1 => "a batch has one row, and `batch_norm` needs several".to_string(),
        _ => format!("{rows} training rows in batches of {batch} leave a last batch of one row"),
    };
    let warning = Diagnostic::error("W0418", message, norm.place, "a row alone has no spread");
    vec![warning.help("take another `batch`, so that no row is left alone")]
}
