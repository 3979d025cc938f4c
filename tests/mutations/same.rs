//! Whether two programs are one: the same terms, whatever they are called and whatever stands first where order means nothing.

use mlx::check::program::TypedProgram;
use mlx::check::terms::{Kind, TermId};
use mlx::ir::ScalarOp;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

/// A number that programs of the same terms share.
pub fn fingerprint(programs: &[TypedProgram]) -> u64 {
    let all: Vec<u64> = programs.iter().map(of_program).collect();
    hashed(&all)
}

fn hashed(of: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}

fn of_program(program: &TypedProgram) -> u64 {
    let terms = of_terms(program);
    let at = |id: &TermId| terms[id.0 as usize];
    let mut parts: Vec<u64> = Vec::new();
    for one in &program.minimized {
        parts.extend([at(&one.loss), at(&one.evaluated), one.times]);
        parts.extend(one.clip.iter().map(at));
        parts.extend(one.updates.iter().map(|update| at(&update.next)));
        parts.extend(one.updates.iter().flat_map(|update| &update.states).map(|state| at(&state.next)));
        parts.extend(one.kept.iter().map(|(_, next)| at(next)));
    }
    parts.extend(program.once.iter().map(at));
    parts.extend(program.nexts.iter().map(|(_, next)| at(next)));
    parts.extend(program.reports.iter().chain(&program.predictions).map(|report| at(&report.value)));
    parts.extend(program.data.fits.iter().map(|fit| at(&fit.value)));
    parts.extend(program.data.columns.iter().map(|column| at(&column.value)));
    let starts = program.used.iter().map(|id| &program.params[id.0 as usize]);
    parts.extend(starts.map(|param| hashed(&replaced(&format!("{:?} {}", param.start, param.ty), &terms))));
    let data = &program.data;
    parts.push(hashed(&format!("{:?}", program.run)));
    parts.extend(data.sets.iter().map(|set| hashed(&format!("{:?} {:?} {:?}", set.source, set.rows, set.window))));
    parts.extend(data.raw.iter().map(|raw| hashed(&raw.name)));
    hashed(&parts)
}

/// A number for each term: what it does to which others.
fn of_terms(program: &TypedProgram) -> Vec<u64> {
    let mut all: Vec<u64> = Vec::new();
    for at in 0..program.terms.count() {
        let term = program.terms.get(TermId(at as u32));
        let own = match &term.kind {
            Kind::Scalar(op, parts) if commutes(*op) => hashed(&(format!("{op:?}"), sorted(parts, &all))),
            Kind::Scalar(op, parts) => match difference(program, *op, parts) {
                Some(operands) => hashed(&(format!("{op:?} of a difference"), sorted(&operands, &all))),
                None => hashed(&replaced(&format!("{:?}", term.kind), &all)),
            },
            kind => hashed(&replaced(&format!("{kind:?}"), &all)),
        };
        all.push(hashed(&(own, term.ty.to_string())));
    }
    all
}

fn sorted(parts: &[TermId], all: &[u64]) -> Vec<u64> {
    let mut numbers: Vec<u64> = parts.iter().map(|id| all[id.0 as usize]).collect();
    numbers.sort_unstable();
    numbers
}

fn commutes(op: ScalarOp) -> bool {
    use ScalarOp::{Add, And, Equal, Max, Min, Mul, NotEqual, Or};
    matches!(op, Add | Mul | Min | Max | Equal | NotEqual | And | Or)
}

/// The operands of a difference of which the square or the absolute value is taken.
fn difference(program: &TypedProgram, op: ScalarOp, parts: &[TermId]) -> Option<Vec<TermId>> {
    let even = match (op, parts) {
        (ScalarOp::Abs, [_]) => true,
        (ScalarOp::Pow, [_, exponent]) => {
            matches!(program.terms.get(*exponent).kind, Kind::Number(number) if number == 2.0)
        }
        _ => false,
    };
    match &program.terms.get(*parts.first()?).kind {
        Kind::Scalar(ScalarOp::Sub, operands) if even => Some(operands.clone()),
        _ => None,
    }
}

/// The text of a kind with the numbers of the terms that it reads in place of their ids.
fn replaced(text: &str, all: &[u64]) -> String {
    let mut new = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('t') {
        let digits = rest[at + 1..].chars().take_while(char::is_ascii_digit).count();
        let begins = !rest[..at].chars().next_back().is_some_and(|before| before.is_alphanumeric() || before == '_');
        let id = rest[at + 1..at + 1 + digits].parse::<usize>().ok().filter(|_| begins);
        new.push_str(&rest[..at]);
        match id.and_then(|id| all.get(id)) {
            Some(number) => new.push_str(&format!("#{number}")),
            None => new.push_str(&rest[at..at + 1 + digits]),
        }
        rest = &rest[at + 1 + digits..];
    }
    new + rest
}
