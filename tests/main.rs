//! The one test binary: each module hands in its named trials.

use libtest_mimic::{Arguments, Trial};

mod allocations;
mod alone;
mod binary;
mod catalogue;
mod check;
mod cli;
mod columns;
mod costs;
mod data;
mod datasets;
mod draws;
mod editors;
mod format;
mod fuzz;
mod hardness;
mod indices;
mod io;
mod learning;
mod library;
mod models;
mod mutations;
mod number;
mod onnx;
mod ops;
mod papers;
mod products;
mod programs;
mod promises;
mod record;
mod repl;
mod rooms;
mod runs;
mod safety;
mod sets;
mod shapes;
mod sites;
mod size;
mod source;
mod sources;
mod spec;
mod split;
mod stream;
mod syntax;
mod terminal;
mod together;
mod training;
mod weights;

fn main() {
    if std::env::var_os("MLX_JIT").is_none() {
        // SAFETY: there is no other thread yet.
        unsafe { std::env::set_var("MLX_JIT", "check") };
    }
    let arguments = Arguments::from_args();
    let mut trials: Vec<Trial> = Vec::new();
    trials.extend(allocations::trials());
    trials.extend(alone::trials());
    trials.extend(catalogue::trials());
    trials.extend(check::trials());
    trials.extend(cli::trials());
    trials.extend(columns::trials());
    trials.extend(costs::trials());
    trials.extend(data::trials());
    trials.extend(datasets::trials());
    trials.extend(draws::trials());
    trials.extend(editors::trials());
    trials.extend(format::trials());
    trials.extend(fuzz::trials());
    trials.extend(hardness::trials());
    trials.extend(indices::trials());
    trials.extend(io::trials());
    trials.extend(learning::trials());
    trials.extend(library::trials());
    trials.extend(training::trials());
    trials.extend(models::trials());
    trials.extend(mutations::trials());
    trials.extend(number::trials());
    trials.extend(onnx::trials());
    trials.extend(ops::trials());
    trials.extend(papers::trials());
    trials.extend(products::trials());
    trials.extend(programs::trials());
    trials.extend(promises::trials());
    trials.extend(record::trials());
    trials.extend(repl::trials());
    trials.extend(rooms::trials());
    trials.extend(runs::trials());
    trials.extend(safety::trials());
    trials.extend(sets::trials());
    trials.extend(shapes::trials());
    trials.extend(sites::trials());
    trials.extend(size::trials());
    trials.extend(source::trials());
    trials.extend(sources::trials());
    trials.extend(stream::trials());
    trials.extend(syntax::trials());
    trials.extend(spec::trials());
    trials.extend(split::trials());
    trials.extend(terminal::trials());
    trials.extend(together::trials());
    trials.extend(weights::trials());
    libtest_mimic::run(&arguments, trials).exit()
}

/// A trial of a plain function, which fails by panicking.
fn trial(name: &str, test: fn()) -> Trial {
    Trial::test(name, move || {
        test();
        Ok(())
    })
}
