//! W0443: `keep` or `stop` that takes the worst figure for the best.

use super::sense::is_better_greater;
use super::view::View;
use crate::check::program::Watched;
use crate::diagnostic::Diagnostic;

pub fn find(view: &View) -> Vec<Diagnostic> {
    let run = &view.program.run;
    let kept = run.keep.iter().map(|watched| ("keep", watched));
    let stops = run.stop.iter().map(|stop| ("stop", &stop.watched));
    kept.chain(stops).filter_map(|(setting, watched)| wrong(view, setting, watched)).collect()
}

fn wrong(view: &View, setting: &str, watched: &Watched) -> Option<Diagnostic> {
    let program = view.program;
    let of_loss = || program.minimized.iter().find(|one| one.name.as_ref() == Some(&watched.name)).map(|_| false);
    let of_report = || {
        let report = program.reports.iter().find(|report| report.name == watched.name)?;
        is_better_greater(&view.gave(view.bare(report.value))?.name)
    };
    // What is minimized is better the smaller it is.
    let greater = if watched.name == "loss" { Some(false) } else { of_loss().or_else(of_report) }?;
    if greater != watched.lowest {
        return None;
    }
    let (better, right) = if greater { ("greater", "max") } else { ("smaller", "min") };
    let name = &watched.name;
    let message = format!("`{name}` is better the {better} it is, and `{setting}` takes the worst for the best");
    let warning = Diagnostic::error("W0443", message, watched.span, "the worst of all");
    Some(warning.help(format!("write `{right}({}.{name})`", watched.split)))
}
