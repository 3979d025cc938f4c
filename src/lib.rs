//! mlx: a declarative language for machine-learning models, and the program that trains them.
//!
//! # A tour
//!
//! Text flows one way, and [`compile`] is where to begin: its two functions call every stage in order.
//!
//! 1. [`source`] owns texts and the places in them; [`diagnostic`] says what is wrong, and where.
//! 2. [`syntax`] reads a text to a [tree](syntax::tree) of the whole language. One run finds every mistake: items and
//!    statements are read one by one, so that a mistake in one hides none of the others.
//! 3. [`check`] gives names and shapes their meaning. [`check::elaborate`] enters every call with the values that it is
//!    given, down to the primitives, and leaves typed [terms](check::terms) in a [program](check::program). Functions,
//!    layers, losses and optimizers are text of the standard library, in `stdlib/`, and go the same way.
//! 4. [`lower`] turns terms into a [graph](ir::Graph) of some 35 operations, adds the gradient
//!    ([`autodiff`], one [table of rules](autodiff::contributions)) and the updates. [`loops`] leaves as little in a loop
//!    as can be. Sizes stay [polynomials](ir::Size) of the rows until a batch is known.
//! 5. [`plan`] makes kernels of a graph, and says where all lies that they read and write. [`backend::cpu`] runs them on
//!    threads. [`backend::reference`] runs the graph itself, in f64, one operation at a time: it is the definition.
//! 6. [`data`] reads tables and splits them; [`run`] feeds plans and takes the [steps](run::steps::Run) of a training, and
//!    the [driver](train::driver::train) all of them, with what they leave behind.
//! 7. [`repl`] is a session over all of that, an entry at a time.
//! 8. [`format`](mod@format) lays a text out in its one way; [`doc`] is what the library and a file say of themselves.
//! 9. [`cli`] has a file for each command, [`progress`] is what a person sees of a run, [`interrupt`] knows the signals
//!    that end one; [`io`] is the one door to the disk.
//!
//! Who may use whom is a table in `tests/rooms.rs`, which is tested; `docs/architecture.md` says why.

pub mod autodiff;
pub mod backend;
pub mod check;
pub mod cli;
pub mod compile;
pub mod data;
pub mod diagnostic;
pub mod doc;
pub mod format;
pub mod interrupt;
pub mod io;
pub mod ir;
pub mod loops;
pub mod lower;
pub mod passes;
pub mod plan;
pub mod progress;
pub mod repl;
pub mod run;
pub mod source;
pub mod syntax;
pub mod train;
