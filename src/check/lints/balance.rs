//! W0415: most rows are of one class, and the only figure is `accuracy`, which is as good for whoever always says that class.

use super::view::View;
use crate::check::terms::{Kind, Leaf};
use crate::diagnostic::Diagnostic;

/// From this share on a class is most of all.
const MOST: f64 = 0.9;

/// Fewer rows are an example.
const FEW: usize = 50;

pub fn find(view: &View) -> Vec<Diagnostic> {
    let program = view.program;
    if program.data.rows()[0] < FEW {
        return Vec::new();
    }
    let mut found: Vec<Diagnostic> = Vec::new();
    for report in &program.reports {
        let Some(applied) = view.gave(view.bare(report.value)) else { continue };
        if !matches!(applied.name.as_str(), "accuracy" | "binary_accuracy") || program.reports.len() > 1 {
            continue;
        }
        let Some(column) = applied.input("target").and_then(|target| view.column(target)) else { continue };
        let value = program.data.columns[column].value;
        let Kind::Leaf(Leaf::Raw(raw)) = view.term(view.bare(value)).kind else { continue };
        let Some(look) = view.looks.get(raw).and_then(Option::as_ref) else { continue };
        let (all, most) = (look.counts.iter().sum::<usize>(), look.counts.iter().copied().max().unwrap_or(0));
        if look.counts.len() < 2 || (most as f64) < MOST * all as f64 {
            continue;
        }
        let message = format!("{most} of {all} training rows are of one class, which alone makes this high");
        let warning = Diagnostic::error("W0415", message, applied.place, "the only figure")
            .label(program.data.raw[raw].span, format!("the classes of `{}`", program.data.raw[raw].name));
        let also = if look.counts.len() == 2 { "`recall` and `precision`, or `f1`," } else { "a figure of each class" };
        found.push(warning.help(format!("report {also} as well")));
    }
    found
}
