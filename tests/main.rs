//! The one test binary: each module hands in its named trials.

use libtest_mimic::{Arguments, Trial};

mod number;
mod rooms;
mod shapes;
mod size;
mod source;

fn main() {
    let arguments = Arguments::from_args();
    let trials: Vec<Trial> = [number::trials(), rooms::trials(), shapes::trials(), size::trials(), source::trials()]
        .into_iter()
        .flatten()
        .collect();
    libtest_mimic::run(&arguments, trials).exit()
}

/// A trial of a plain function, which fails by panicking.
fn trial(name: &str, test: fn()) -> Trial {
    Trial::test(name, move || {
        test();
        Ok(())
    })
}
