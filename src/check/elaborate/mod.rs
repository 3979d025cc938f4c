//! Elaboration: from the tree to terms. Every call is entered with the values that it is given.
//!
//! | file | what |
//! |---|---|
//! | `expr` | expressions; names; what a value becomes where a tensor is wanted |
//! | `operators` | arithmetic, comparison, `if` |
//! | `call` | calls and pipes; arguments to parameters |
//! | `signature` | written types against the tensors that they are given |
//! | `layer` | bodies of layers and functions |
//! | `instance`, `param` | layers with parameters; the parameters |
//! | `index` | index notation |
//! | `slice` | slices |
//! | `list` | lists: ranges, comprehensions, tables of columns, lists of layers |
//! | `joined` | lists as tensors; `stack`, `concat`, `split` |
//! | `scan`, `state` | loops; what is kept between their steps, and in a layer between those of a training |
//! | `draw`, `drawn` | distributions, and draws of them; functions that draw |
//! | `emit` | what layers emit, and what lists it |
//! | `gradient` | derivatives inside of a program |
//! | `joins` | what joins rows: leaks in columns, predictions that depend on other rows |
//! | `mask` | the mask of a `where`, and what a reduction does with it |
//! | `holds` | what a `check` demands |
//! | `calibrate` | what is computed when training is over |
//! | `primitive` | the functions whose rule is here |
//! | `order`, `matrix` | those of them that sort, and that work on matrices |
//! | `rounding` | whole numbers, quotients and what they leave |
//! | `data` | columns |
//! | `sets` | the data sets of a `train` block |
//! | `taken` | fitted values of another column |
//! | `undo` | `y.inverse(e)` |
//! | `whole` | what a `let` in a `data` block names: tables, constants |
//! | `classes`, `padded` | columns that are classes; rows of unequal length |
//! | `source` | where rows come from, and how they are split |
//! | `train` | the statements of a `train` block: what is minimized, reported, predicted |
//! | `run_settings` | for how long, on how many rows; when to look, to stop, what to keep |
//! | `watched` | what is watched |
//! | `minimize` | which parameters a loss moves, by which optimizers; what is frozen |
//! | `states` | states of a block; what models begin from |
//! | `points` | models as points in the space of parameters |
//! | `sweep` | which trainings a sweep is made of |
//! | `optimizer` | the recurrence of an optimizer, for all parameters that it moves |
//! | `explore` | a statement of a session |
//! | `applied` | what of the library was applied, for the lints |
//! | `alone`, `open` | definitions without a use; what a use decides |

mod alone;
mod applied;
mod calibrate;
mod call;
mod classes;
mod data;
mod draw;
mod drawn;
mod emit;
mod explore;
mod expr;
mod gradient;
mod holds;
mod index;
mod instance;
mod joined;
mod joins;
mod layer;
mod lazy;
mod list;
mod mask;
mod matrix;
mod minimize;
mod open;
mod operators;
mod optimizer;
mod order;
mod padded;
mod param;
mod points;
pub mod primitive;
mod rounding;
mod run_settings;
mod scan;
mod sets;
mod signature;
mod slice;
mod source;
mod splits;
mod state;
mod states;
mod sweep;
mod taken;
mod train;
mod undo;
mod watched;
mod whole;

pub use data::setting;
pub use explore::{Context, one_let};
pub use taken::named_by as fitted_as;

use super::library::Library;
use super::program::{self, Setting};
use super::schema::Schemas;
use super::terms::{ParamId, TermId, Terms};
use super::types::Type;
use super::value::{Bound, Value};
use crate::diagnostic::{Diagnostic, Label, Severity};
use crate::ir::QuickMap;
use crate::source::{Sources, Span};
use crate::syntax::tree::Name;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::rc::Rc;

/// Something is wrong, and a diagnostic says so already.
#[derive(Clone, Copy, Debug)]
pub struct Reported;

pub type Out<T> = Result<T, Reported>;

/// How deep calls and expressions may nest in all; what recurses here stays within a thread's stack.
const MAX_DEPTH: usize = 300;

/// How many calls a program may enter in all: `repeat` makes many of one.
const MAX_CALLS: usize = 50_000;

/// The name of the rows of a batch.
pub const ROWS: &str = "n";

pub struct Elaborator<'a> {
    pub sources: &'a mut Sources,
    schemas: &'a mut dyn Schemas,
    library: &'a mut Library,
    /// Values that the command line gives to `let` items.
    overrides: &'a [(String, Value)],
    pub found: Vec<Diagnostic>,
    /// Diagnostics so far: code, primary span and message.
    reported: HashSet<(&'static str, Option<Span>, String)>,
    terms: Terms,
    /// The terms that join rows, ascending.
    joins: Vec<joins::Join>,
    /// What of the standard library was applied.
    applied: Vec<program::Applied>,
    params: Vec<program::Param>,
    /// Parameters by path.
    param_of: QuickMap<String, ParamId>,
    /// Where each layer with parameters was made, by path.
    made: QuickMap<String, Span>,
    /// The paths of layers in which something is wrong.
    broken: HashSet<String>,
    /// What a layer that is used at a place is called there, `dense_2`; and the layers whose bodies were looked through.
    segments: QuickMap<Span, String>,
    named: HashSet<Span>,
    /// The names of `let`s that may be left out, of each body by its first statement.
    candidates: QuickMap<Span, Rc<HashSet<String>>>,
    data: Option<program::Data>,
    /// What is known of the source while a `data` block is checked.
    open: Option<data::Open>,
    /// The tables that are read whole, and the whole values of the data by their names.
    tables: Vec<whole::Table>,
    wholes: Vec<(usize, String, Bound)>,
    /// Terms that are classes of a column of the source, because the program says so.
    named_classes: Vec<(TermId, String)>,
    /// Columns in which something is wrong.
    wrong_columns: Vec<(usize, Name)>,
    /// Where the block names its data sets; and the names that each has there, where it lists them.
    named_sets: HashMap<String, Span>,
    /// The data sets that are being checked for what others take over from them; what a call takes over.
    lending: Vec<String>,
    taken: Option<taken::Taken>,
    taking: Option<taken::Taken>,
    set_parts: Vec<sets::Parts>,
    /// Whether columns or other files are not known, so that any name may be theirs.
    blind: bool,
    /// `let` items by name; `None` while one is being evaluated.
    lets: HashMap<String, Option<Bound>>,
    settings: BTreeMap<String, Setting>,
    /// What the layers of repetitions and lists gave, of the outermost ones; how many of these are being applied.
    passed: Vec<TermId>,
    passing: usize,
    /// The calls that are being entered: where, and of what.
    calls: Vec<(Span, String)>,
    depth: usize,
    /// Whether they went too deep, or checking was interrupted: then all ends, for what calls itself twice would come to the same end 2ⁿ times.
    too_deep: bool,
    /// How many calls were entered so far.
    entered: usize,
    /// The definitions that were entered, by the places of their names.
    pub reached: HashSet<Span>,
    /// What `training` is in a layer, and whether something reads it.
    training: bool,
    reads_training: bool,
    /// The names before the paths of what has parameters in a `train` block, but for `model`, which has none.
    roots: Vec<String>,
    /// Models that are states, by their names, with the paths that they are copies of.
    copies: HashMap<String, String>,
    /// Models that begin from other weights, by the names before their paths.
    begun: BTreeMap<String, program::From>,
    /// Models that are frozen whole.
    frozen_models: HashSet<String>,
    /// Points that are made of others.
    points: Vec<points::Point>,
    /// Their tensors, by the number of the point and the path.
    point_tensors: HashMap<(usize, String), TermId>,
    /// Whether all tensors of a model were asked for.
    totalled: bool,
    /// Values that are computed once a step.
    once: Vec<TermId>,
    /// While an optimizer is read for all the parameters that it moves.
    totals: Option<optimizer::Totals>,
    /// The conditions around an expression, outermost first, and the reads that are looked at once sizes are known.
    guards: Vec<index::Guard>,
    pending: Vec<index::Pending>,
    /// What stands before brackets without a name, where it was needed before what is around it: by its place.
    bases: Vec<(Span, Value)>,
    /// Whether what is evaluated says where an axis is read, or how large one is.
    in_place: bool,
    /// The calls that lead to where draws are made, and how often each place was entered so far.
    place: String,
    places: QuickMap<String, usize>,
    /// The loops around, innermost last.
    loops: Vec<scan::Loop>,
    /// What the states of layers are by now: outside of all loops, then in each of those around.
    kept_now: Vec<HashMap<ParamId, TermId>>,
    /// What bodies have emitted so far.
    emissions: Vec<emit::Emission>,
    /// The names of what a layer would have emitted, had its value been right.
    lost_emissions: HashSet<String>,
    /// Conditions that a run looks at.
    demands: Vec<program::Demand>,
    /// What is known only when training is over, with its place.
    calibrated: HashMap<ParamId, Span>,
    /// While a definition is checked alone.
    alone: Option<open::Alone>,
}

impl<'a> Elaborator<'a> {
    pub fn new(
        sources: &'a mut Sources,
        schemas: &'a mut dyn Schemas,
        library: &'a mut Library,
        overrides: &'a [(String, Value)],
    ) -> Elaborator<'a> {
        Elaborator {
            sources,
            schemas,
            library,
            overrides,
            found: Vec::new(),
            reported: HashSet::new(),
            terms: Terms::default(),
            joins: Vec::new(),
            applied: Vec::new(),
            params: Vec::new(),
            param_of: QuickMap::default(),
            made: QuickMap::default(),
            broken: HashSet::new(),
            segments: QuickMap::default(),
            named: HashSet::new(),
            candidates: QuickMap::default(),
            data: None,
            open: None,
            tables: Vec::new(),
            wholes: Vec::new(),
            named_classes: Vec::new(),
            wrong_columns: Vec::new(),
            named_sets: HashMap::new(),
            lending: Vec::new(),
            taken: None,
            taking: None,
            set_parts: Vec::new(),
            blind: false,
            lets: HashMap::new(),
            settings: BTreeMap::new(),
            passed: Vec::new(),
            passing: 0,
            calls: Vec::new(),
            depth: 0,
            too_deep: false,
            entered: 0,
            training: false,
            reads_training: false,
            place: String::new(),
            places: QuickMap::default(),
            loops: Vec::new(),
            kept_now: vec![HashMap::new()],
            reached: HashSet::new(),
            roots: Vec::new(),
            copies: HashMap::new(),
            begun: BTreeMap::new(),
            frozen_models: HashSet::new(),
            points: Vec::new(),
            point_tensors: HashMap::new(),
            totalled: false,
            once: Vec::new(),
            totals: None,
            guards: Vec::new(),
            pending: Vec::new(),
            bases: Vec::new(),
            in_place: false,
            emissions: Vec::new(),
            lost_emissions: HashSet::new(),
            demands: Vec::new(),
            calibrated: HashMap::new(),
            alone: None,
        }
    }

    /// Keeps a diagnostic, with the calls that lead to its place.
    fn report(&mut self, mut diagnostic: Diagnostic) -> Reported {
        if diagnostic.severity == Severity::Error {
            for (span, name) in self.calls.iter().rev() {
                if !diagnostic.labels.iter().any(|label| label.span == *span) {
                    diagnostic = diagnostic.label(*span, format!("in this use of `{name}`"));
                }
            }
            self.lead_with_the_users_text(&mut diagnostic);
        }
        let place = diagnostic.labels.first().map(|label| label.span);
        if self.reported.insert((diagnostic.code, place, diagnostic.message.clone())) {
            self.found.push(diagnostic);
        }
        Reported
    }

    /// A mistake that shows inside the standard library was made where the user's own text calls it.
    fn lead_with_the_users_text(&self, diagnostic: &mut Diagnostic) {
        let own = |span: Span| !self.library.is_stdlib(span.source);
        let calls: Vec<Span> = self.calls.iter().rev().map(|(span, _)| *span).collect();
        let first = diagnostic.labels.first().map(|label| label.span);
        if first.is_none_or(own) {
            return;
        }
        let place = |label: &Label| own(label.span) && calls.contains(&label.span);
        if let Some(at) = diagnostic.labels.iter().position(place) {
            let label = diagnostic.labels.remove(at);
            diagnostic.labels.insert(0, label);
        }
    }

    fn error(&mut self, code: &'static str, message: impl Into<String>, span: Span, text: &str) -> Reported {
        self.report(Diagnostic::error(code, message, span, text))
    }

    fn ty(&self, term: TermId) -> &Type {
        &self.terms.get(term).ty
    }

    /// Goes one level deeper, unless that is too deep.
    fn deeper<T>(&mut self, span: Span, f: impl FnOnce(&mut Self) -> Out<T>) -> Out<T> {
        if self.too_deep {
            return Err(Reported);
        }
        if self.depth >= MAX_DEPTH {
            self.too_deep = true;
            let help = "does a layer or function call itself without an `if` that ends it?";
            let message = "calls and expressions nest too deep";
            return Err(self.report(Diagnostic::error("E0215", message, span, "at this point").help(help)));
        }
        self.depth += 1;
        let result = f(self);
        self.depth -= 1;
        result
    }

    /// Does something inside a call, which diagnostics from there will show.
    fn inside<T>(&mut self, call: Span, name: &str, f: impl FnOnce(&mut Self) -> Out<T>) -> Out<T> {
        if !self.schemas.goes_on() {
            self.too_deep = true;
            return Err(self.error("E0215", "the check was interrupted", call, "at this point"));
        }
        if self.entered >= MAX_CALLS {
            let message = format!("the program has more than {MAX_CALLS} calls");
            let error = Diagnostic::error("E0215", message, call, "at this point");
            return Err(self.report(error.help("are there fewer layers to `repeat`?")));
        }
        self.entered += 1;
        self.calls.push((call, name.to_string()));
        let result = self.deeper(call, f);
        self.calls.pop();
        result
    }

    /// Evaluates every `let` of the file, for what is wrong in those that nothing reads.
    pub fn lets_alone(&mut self, names: &[String]) {
        for name in names {
            let _ = self.file_let(name);
        }
    }
}
