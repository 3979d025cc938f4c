//! W0463: rows that belong together, of one patient or of one time, are dealt to several splits at random: what is told of test rows
//! was seen beside them. A model that reads whom a row is of is meant to meet them again.

use super::view::View;
use crate::check::schema::{Bond, Kin, Way};
use crate::diagnostic::Diagnostic;

pub fn find(view: &View) -> Vec<Diagnostic> {
    let sets = 0..view.program.data.sets.len();
    sets.filter_map(|at| of_set(view, at)).collect()
}

fn of_set(view: &View, at: usize) -> Option<Diagnostic> {
    let data = &view.program.data;
    let set = data.sets.get(at).filter(|set| !set.lends)?;
    let split = set.split.as_ref()?;
    let at_random = split.shuffle && split.group.is_none() && !matches!(split.way, Way::Column(..) | Way::Given { .. });
    if !at_random || set.rows[1] + set.rows[2] == 0 {
        return None;
    }
    let is_read = |kin: &&Kin| data.raw.iter().any(|raw| raw.set == at && raw.name == kin.column);
    let kin = view.kin.get(at)?.iter().find(|kin| kin.bond == Bond::Time || !is_read(kin))?;
    let name = &kin.column;
    let (message, told, help) = match kin.bond {
        Bond::Group(values) => (
            format!("rows of one `{name}` are dealt to several splits"),
            format!("{values} values, each in several rows"),
            format!("keep them together: `group = {}`", quoted(name)),
        ),
        Bond::Time => (
            format!("rows in the order of `{name}` are dealt to the splits at random"),
            "each row is later than the one before it".to_string(),
            "train on what was first and test on what came later: `shuffle = false`".to_string(),
        ),
    };
    let warning = Diagnostic::error("W0463", message, split.span, "at random").label(kin.span, told);
    Some(warning.help(help))
}

/// A name as a program writes it.
fn quoted(name: &str) -> String {
    let plain = name.chars().all(|sign| sign.is_alphanumeric() || sign == '_');
    if plain { name.to_string() } else { format!("`{name}`") }
}
