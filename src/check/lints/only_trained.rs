//! W0462: figures that see training rows alone: a metric where no other split has rows, or weights that are kept, or steps that end,
//! by a figure of training rows where there are others.

use super::view::View;
use crate::check::program::Watched;
use crate::diagnostic::Diagnostic;

/// Fewer rows are an example.
const FEW: usize = 50;

pub fn find(view: &View) -> Vec<Diagnostic> {
    let [train, valid, test] = view.program.data.rows();
    if valid > 0 {
        return watched(view);
    }
    if train < FEW || test > 0 { Vec::new() } else { metric(view).into_iter().collect() }
}

fn watched(view: &View) -> Vec<Diagnostic> {
    let run = &view.program.run;
    let kept = run.keep.iter().map(|watched| ("keep", watched));
    let stops = run.stop.iter().map(|stop| ("stop", &stop.watched));
    let of_train = kept.chain(stops).filter(|(_, watched)| watched.split == "train");
    let told = |(setting, watched): (&str, &Watched)| {
        let message = format!("`{setting}` looks at rows that the weights were fitted to, and `valid` has others");
        let warning = Diagnostic::error("W0462", message, watched.span, "of training rows");
        let least = if watched.lowest { "min" } else { "max" };
        warning.help(format!("write `{least}(valid.{})`", watched.name))
    };
    of_train.map(told).collect()
}

/// The first report of a metric of the library, which is not that of what is minimized.
fn metric(view: &View) -> Option<Diagnostic> {
    let split = view.program.data.sets.first()?.split.as_ref()?;
    let losses: Vec<&str> = view.losses().iter().map(|loss| loss.name.as_str()).collect();
    view.program.reports.iter().find_map(|report| {
        let applied = view.gave(view.bare(report.value)).filter(|applied| applied.input("target").is_some())?;
        if losses.contains(&applied.name.as_str()) {
            return None;
        }
        let message = format!("`{}` is of rows that the weights were fitted to: no others are left", report.name);
        let warning = Diagnostic::error("W0462", message, applied.place, "how well new rows are told is not known")
            .label(split.span, "every row is for training");
        Some(warning.help("leave some out: `holdout(train = 80%, test = 20%, seed = 1)`"))
    })
}
