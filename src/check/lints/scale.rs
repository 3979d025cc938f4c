//! W0414: inputs side by side, as they are in the file, of which one is a thousand times as large as another: a step that suits the
//! one is far too small for the other.

use super::view::View;
use crate::check::program::{Raw, RawKind};
use crate::diagnostic::Diagnostic;

const FAR: f64 = 1000.0;

pub fn find(view: &View) -> Vec<Diagnostic> {
    let data = &view.program.data;
    let losses = view.losses();
    let predictions = losses.iter().filter_map(|loss| loss.inputs.first().and_then(|(name, _)| loss.input(name)));
    let read: Vec<usize> = predictions.flat_map(|prediction| view.columns(prediction)).collect();
    let mut found: Vec<Diagnostic> = Vec::new();
    for (at, column) in data.columns.iter().enumerate() {
        if !read.contains(&at) {
            continue;
        }
        // What stands in the file as it is: scaled ones read what was fitted.
        let raws: Vec<(&Raw, f64)> = view
            .beside(column.value)
            .into_iter()
            .filter_map(|raw| {
                let look = view.looks.get(raw)?.as_ref()?;
                let range = look.greatest - look.least;
                let numbers = matches!(data.raw[raw].kind, RawKind::Numbers) && range > 0.0 && range.is_finite();
                numbers.then_some((&data.raw[raw], range))
            })
            .collect();
        let by = |a: &&(&Raw, f64), b: &&(&Raw, f64)| a.1.total_cmp(&b.1);
        let (Some((small, low)), Some((large, high))) = (raws.iter().min_by(by), raws.iter().max_by(by)) else {
            continue;
        };
        if high / low < FAR {
            continue;
        }
        let message = format!("the values of `{}` differ {FAR} times as much as those of `{}`", large.name, small.name);
        let warning = Diagnostic::error("W0414", message, large.span, format!("over a range of {high}"))
            .label(small.span, format!("over a range of {low}"));
        found.push(warning.help("scale them: `[…] |> standardize`"));
    }
    found
}
