//! What the checker says of programs that were right until somebody made a mistake: every operator of `operators` is applied to the
//! models, papers, cases and examples, and what it breaks is checked. `docs/mutations.md` has the table; `MLX_BLESS=1` writes it.
//!
//! Which mutants are tried is decided by the seed and their text alone. `MLX_CASES` tries more of each operator, and `MLX_SHOW` prints
//! what the checker says of them.

mod operators;
mod rewrite;
mod same;

use crate::binary::repository;
use libtest_mimic::Trial;
use mlx::compile::{self, Checked};
use mlx::diagnostic::{Severity, draw, plain};
use mlx::run::dataset::Files;
use mlx::source::Sources;
use mlx::syntax;
use operators::{Elsewhere, Operator};
use rewrite::{Good, Mutant};
use std::fmt::Write;
use std::fs;
use std::hash::Hasher;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Decides which mutants are tried.
const SEED: u64 = 1;

/// So many of each operator, and of these so many of one program.
const EACH: usize = 24;
const OF_ONE: usize = 3;

/// Mutants that count, at least, and which share of them the checker says something of.
const LEAST: usize = 600;
const SHARE: f64 = 0.95;

pub fn trials() -> Vec<Trial> {
    vec![
        Trial::test("mutations::mistakes_are_reported", || mistakes_are_reported().map_err(Into::into)),
        Trial::test("mutations::what_is_shipped_is_free_of_warnings", || shipped_is_silent().map_err(Into::into)),
    ]
}

/// What became of a mutant.
enum Fate {
    Reported(String),
    /// The same program as before.
    Same,
    Silent,
    Panicked,
}

struct Tried {
    operator: usize,
    program: String,
    change: String,
    fate: Fate,
}

/// A program that nothing is said of, with a number for what it computes.
struct Base {
    good: Good,
    fingerprint: u64,
}

fn check(good: &Good, text: &str) -> (Checked, Sources) {
    let mut sources = Sources::default();
    let source = sources.add("program.mlx", text);
    let mut files = Files::beside(&good.path);
    let checked = compile::check(&mut sources, source, &mut files, &[]).expect("no --set is wrong");
    (checked, sources)
}

fn base(good: Good) -> Option<Base> {
    let (checked, _) = check(&good, &good.text);
    let fingerprint = same::fingerprint(&checked.programs);
    checked.found.is_empty().then_some(Base { good, fingerprint })
}

fn shipped_is_silent() -> Result<(), String> {
    let mut told = String::new();
    for good in rewrite::corpus() {
        let (checked, sources) = check(&good, &good.text);
        for found in &checked.found {
            writeln!(told, "{}:\n{}", good.name, plain(found, &sources)).expect("a string takes text");
        }
    }
    if told.is_empty() { Ok(()) } else { Err(told) }
}

fn mistakes_are_reported() -> Result<(), String> {
    let bases: Vec<Base> = rewrite::corpus().into_iter().filter_map(base).collect();
    let operators = operators::all();
    let tried = Mutex::new(Vec::new());
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(operator) = operators.get(at) else { break };
                    for (base, mutant) in sampled(operator, &bases) {
                        let fate = fate(base, &mutant);
                        let change = rewrite::change(&base.good.text, &mutant);
                        let one = Tried { operator: at, program: base.good.name.clone(), change, fate };
                        tried.lock().expect("no thread panics").push(one);
                    }
                }
            });
        }
    });
    let mut tried = tried.into_inner().expect("no thread panics");
    tried.sort_by(|a, b| (a.operator, &a.program, &a.change).cmp(&(b.operator, &b.program, &b.change)));
    let page = page(&operators, &tried, bases.len());
    if std::env::var_os("MLX_BLESS").is_some() {
        fs::write(repository("docs/mutations.md"), &page).expect("written");
    }
    judged(&operators, &tried)
}

fn cases() -> usize {
    std::env::var("MLX_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(EACH)
}

/// The mutants of an operator that are tried: those whose text, with the seed, has the least numbers.
fn sampled<'b>(operator: &Operator, bases: &'b [Base]) -> Vec<(&'b Base, Mutant)> {
    let mut all: Vec<(u64, &Base, Mutant)> = Vec::new();
    for base in bases {
        let mut own: Vec<(u64, &Base, Mutant)> = (operator.mutants)(&base.good)
            .into_iter()
            .map(|mutant| {
                let mut hasher = std::hash::DefaultHasher::new();
                hasher.write_u64(SEED);
                hasher.write(base.good.name.as_bytes());
                hasher.write(rewrite::change(&base.good.text, &mutant).as_bytes());
                (hasher.finish(), base, mutant)
            })
            .collect();
        own.sort_by_key(|(number, ..)| *number);
        own.dedup_by_key(|(number, ..)| *number);
        own.truncate(if cases() > EACH { usize::MAX } else { OF_ONE });
        all.extend(own);
    }
    all.sort_by_key(|(number, ..)| *number);
    let sound = |(_, base, mutant): &(u64, &Base, Mutant)| {
        let text = rewrite::applied(&base.good.text, mutant);
        text != base.good.text && (operator.elsewhere == Elsewhere::Load || parses(&text))
    };
    all.into_iter().filter(sound).take(cases()).map(|(_, base, mutant)| (base, mutant)).collect()
}

/// A mistake that breaks the text is another one.
fn parses(text: &str) -> bool {
    let mut sources = Sources::default();
    let source = sources.add("program.mlx", text);
    syntax::parse(&sources, source).1.is_empty()
}

fn fate(base: &Base, mutant: &Mutant) -> Fate {
    let text = rewrite::applied(&base.good.text, mutant);
    let looked = catch_unwind(AssertUnwindSafe(|| {
        let (checked, sources) = check(&base.good, &text);
        let said: String = checked.found.iter().map(|found| plain(found, &sources)).collect();
        checked.found.iter().for_each(|found| drop(draw(found, &sources, false)));
        let sound = checked.found.iter().all(|found| found.severity != Severity::Error);
        for program in checked.programs.iter().filter(|_| sound) {
            compile::lower(program).expect("what is checked becomes a sound graph");
        }
        let is_same = same::fingerprint(&checked.programs) == base.fingerprint;
        if !said.is_empty() {
            Fate::Reported(said)
        } else if is_same {
            Fate::Same
        } else {
            Fate::Silent
        }
    }));
    looked.unwrap_or(Fate::Panicked)
}

/// Of an operator, or of all: mutants, and what became of them.
#[derive(Default)]
struct Counts {
    all: usize,
    same: usize,
    reported: usize,
}

impl Counts {
    fn add(&mut self, fate: &Fate) {
        self.all += 1;
        match fate {
            Fate::Reported(_) => self.reported += 1,
            Fate::Same => self.same += 1,
            Fate::Silent | Fate::Panicked => {}
        }
    }

    fn counted(&self) -> usize {
        self.all - self.same
    }

    fn share(&self) -> f64 {
        self.reported as f64 / self.counted().max(1) as f64
    }
}

fn counts<'t>(tried: impl Iterator<Item = &'t Tried>) -> Counts {
    let mut counts = Counts::default();
    tried.for_each(|one| counts.add(&one.fate));
    counts
}

fn total(operators: &[&Operator], tried: &[Tried], elsewhere: &[Elsewhere]) -> Counts {
    counts(tried.iter().filter(|one| elsewhere.contains(&operators[one.operator].elsewhere)))
}

fn judged(operators: &[&Operator], tried: &[Tried]) -> Result<(), String> {
    let mut wrong = String::new();
    for one in tried {
        let operator = operators[one.operator];
        let told = match &one.fate {
            Fate::Panicked => "panics",
            Fate::Silent if operator.survives.is_empty() => "nothing is said of",
            Fate::Reported(said) if std::env::var_os("MLX_SHOW").is_some() => {
                println!("## {} in {}\n{}\n{said}", operator.name, one.program, one.change);
                continue;
            }
            Fate::Reported(_) | Fate::Same | Fate::Silent => continue,
        };
        writeln!(wrong, "{told} `{}` in {}: {}", operator.name, one.program, one.change).expect("a string takes text");
    }
    let all = total(operators, tried, &[Elsewhere::Run, Elsewhere::Never]);
    println!("{} mutants count, and {:.1} % of them are reported", all.counted(), 100.0 * all.share());
    if all.counted() < LEAST || all.share() < SHARE {
        let (counted, share) = (all.counted(), 100.0 * all.share());
        writeln!(wrong, "{share:.1} % of {counted} are reported").expect("a string takes text");
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

fn page(operators: &[&Operator], tried: &[Tried], programs: usize) -> String {
    let mut page = String::from(INTRODUCTION);
    let mut add = |line: String| writeln!(page, "{line}").expect("a string takes text");
    let line = |name: &str, elsewhere: &str, counts: &Counts| {
        let silent = counts.counted() - counts.reported;
        format!("| {name} | {elsewhere} | {} | {} | {} | {silent} |", counts.all, counts.same, counts.reported)
    };
    for (at, operator) in operators.iter().enumerate() {
        let elsewhere = match operator.elsewhere {
            Elsewhere::Load => "when loaded",
            Elsewhere::Run => "in the run",
            Elsewhere::Never => "never",
        };
        add(line(operator.name, elsewhere, &counts(tried.iter().filter(|one| one.operator == at))));
    }
    let [run, never] = [[Elsewhere::Run], [Elsewhere::Never]].map(|of| total(operators, tried, &of));
    let all = total(operators, tried, &[Elsewhere::Run, Elsewhere::Never]);
    add(line("*all that a run would break off at*", "in the run", &run));
    add(line("*all that nobody would tell*", "never", &never));
    add(line("**all that count**", "", &all));
    add(format!(
        "\n{:.1} % of {} mutants of {programs} programs are reported: {:.1} % of those that a run would break off at, {:.1} % of those \
         that nobody would tell.\n",
        100.0 * all.share(),
        all.counted(),
        100.0 * run.share(),
        100.0 * never.share()
    ));
    add("## What is left\n".to_string());
    add("| mistake | program | change | why it cannot be told |\n|---|---|---|---|".to_string());
    for one in tried.iter().filter(|one| matches!(one.fate, Fate::Silent)) {
        let operator = operators[one.operator];
        let change = one.change.replace('|', "\\|");
        add(format!("| {} | {} | {change} | {} |", operator.name, one.program, operator.survives));
    }
    page
}

const INTRODUCTION: &str = "# Mistakes that the checker finds

Written by `MLX_BLESS=1 cargo test -- mutations`. Rules (`tests/mutations/operators`) make mistakes in programs that are right: the models,
the papers, the cases of the library, the examples of the reference, the programs of the specification. Each rule says what the same mistake
does in a script for PyTorch: it breaks off the *run*, or is *never* told; what keeps a script from being loaded is shown and does not count.
A mutant is *set aside* if it is the same program: the same typed terms, up to the order of what commutes and the sign of what is squared.
It is *reported* if `mlx check` gives an error or a warning; the program that it was made of gives none. Which mutants are tried is decided by a fixed
seed and their text.

| mistake | PyTorch tells | mutants | set aside | reported | left |
|---|---|---|---|---|---|
";
