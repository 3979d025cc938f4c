//! `mlx predict FILE [NAME] --weights W (--input F | --rows N)`

use super::load::{Rows, Trained, complain, print, show, trained};
use super::{FAILED, MISUSED, WRONG};
use crate::check::program::TypedProgram;
use crate::check::schema::From;
use crate::data::write;
use crate::diagnostic::{Diagnostic, Severity};
use crate::io;
use crate::ir::Size;
use crate::lower::program::Slot;
use crate::run::dataset::Files;
use crate::run::predict::{self, NewRows, PredictError, Prediction, predict};
use crate::train::driver;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(clap::Args)]
pub struct Predict {
    /// The `.mlx` file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The `train` block, where the file has several
    name: Option<String>,
    /// The weights of a run; fitted transforms and classes come with them, and the training data is not read
    #[arg(long, value_name = "W.safetensors")]
    weights: PathBuf,
    /// New rows, in a file like that of the data
    #[arg(long, value_name = "F")]
    input: Option<PathBuf>,
    /// So many drawn rows, of data whose source is `rows`
    #[arg(long, value_name = "N", conflicts_with = "input", value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    rows: Option<u64>,
    /// Where to write the predictions, no file that is read [default: standard output]
    #[arg(long, value_name = "F")]
    output: Option<PathBuf>,
    /// Write over a file of `--output` that does not hold such predictions
    #[arg(long)]
    overwrite: bool,
    /// Give a `let` of the file another value than the weights were trained with
    #[arg(long, value_name = "NAME=VALUE")]
    set: Vec<String>,
}

pub fn run(arguments: &Predict) -> ExitCode {
    match predictions(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(status) => ExitCode::from(status),
    }
}

fn predictions(arguments: &Predict) -> Result<(), u8> {
    if arguments.input.is_none() && arguments.rows.is_none() {
        complain("name new rows: `--input FILE`, or of drawn data `--rows N`");
        return Err(MISUSED);
    }
    let Trained { mut loaded, program, lowered, weights, identity } =
        trained(&arguments.file, arguments.name.as_deref(), &arguments.weights, &arguments.set, Rows::New)?;
    if let Some(wrong) = written_over(arguments, &loaded.files.paths_of(&program.data)) {
        show(&wrong, &loaded.sources);
        return Err(MISUSED);
    }
    if let Some(wrong) = holds_something_else(arguments, &program) {
        show(&wrong, &loaded.sources);
        return Err(MISUSED);
    }
    if program.predictions.is_empty() {
        complain("the file does not say what to predict; add `predict z = model(x)` to its `train` block");
        return Err(WRONG);
    }
    // New rows cannot be fitted to.
    let size = |size: &Size| size.settled().unwrap_or(0).max(0) as usize;
    let shape = |fit: &Slot| lowered.graph.shape(fit.value).iter().map(size).collect::<Vec<usize>>();
    let known = |fit: &&Slot| identity.fits.get(&fit.name).is_some_and(|known| known.shape == shape(fit));
    if let Some(missing) = lowered.fits.iter().find(|fit| !known(fit)) {
        let weights = arguments.weights.display();
        complain(&format!("`{weights}` has no fitted value `{}`: its `data` was another one", missing.name));
        return Err(WRONG);
    }
    let source = &program.data.sets[program.set_predicted()].source;
    if arguments.rows.is_some() && !matches!(source.from, From::Rows { .. }) {
        complain("rows are drawn only of data whose source is `rows`; name a file: `--input FILE`");
        return Err(MISUSED);
    }
    let new = match (&arguments.input, arguments.rows) {
        (Some(input), _) => {
            let table = Files::new_rows(&mut loaded.sources, input, source);
            NewRows::Table(table.map_err(|wrong| {
                wrong.iter().for_each(|wrong| show(wrong, &loaded.sources));
                WRONG
            })?)
        }
        (None, rows) => NewRows::Drawn(rows.map_or(0, |rows| rows as usize)),
    };
    let given = predict::Trained { params: &weights.tensors, fits: &identity.fits, classes: &identity.classes };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let found = predict(&program, &lowered, &given, &new, &loaded.sources, threads);
    let found = found.map_err(|trouble| match trouble {
        PredictError::Data(wrong) => {
            wrong.iter().for_each(|wrong| show(wrong, &loaded.sources));
            WRONG
        }
        PredictError::Run(wrong) => super::train::failed(&driver::told(wrong, &program, &lowered), &loaded.sources),
    })?;
    found
        .iter()
        .filter_map(|prediction| unclear(prediction, &program))
        .for_each(|warning| show(&warning, &loaded.sources));
    let text = write::csv(&found.iter().flat_map(columns).collect::<Vec<_>>());
    match &arguments.output {
        // Opened anew it would begin where the stream began, not where it is.
        Some(path) if path == Path::new("/dev/stdout") => print(&text),
        None => print(&text),
        Some(path) => io::write(path, text.as_bytes()).map_err(|wrong| {
            show(&wrong, &loaded.sources);
            FAILED
        }),
    }
}

/// The refusal to write predictions over a file that is read, by whatever name.
fn written_over(arguments: &Predict, data: &[PathBuf]) -> Option<Diagnostic> {
    let output = arguments.output.as_deref()?;
    let own = [
        ("the new rows", arguments.input.as_deref()),
        ("the weights", Some(&*arguments.weights)),
        ("the program", Some(&*arguments.file)),
    ];
    let data = data.iter().map(|path| ("the data that the weights were trained on", Some(path.as_path())));
    let mut read = own.into_iter().chain(data);
    let (what, path) = read.find_map(|(what, path)| Some((what, path.filter(|path| io::same_file(path, output))?)))?;
    let message = format!("`--output {}` would write over {what}, `{}`", output.display(), path.display());
    let help = Some("name another file; without `--output` predictions go to standard output".to_string());
    Some(Diagnostic { code: "E0333", severity: Severity::Error, message, labels: Vec::new(), help })
}

/// The refusal to write predictions over a file that does not begin as they do: it holds something else.
fn holds_something_else(arguments: &Predict, program: &TypedProgram) -> Option<Diagnostic> {
    let output = arguments.output.as_deref().filter(|_| !arguments.overwrite)?;
    let names = program.predictions.iter().flat_map(|prediction| {
        let sizes = program.terms.get(prediction.value).ty.sizes();
        let shape: Vec<usize> = sizes.iter().map(|size| size.settled().unwrap_or(0).max(0) as usize).collect();
        names(&prediction.name, &shape)
    });
    let header = write::csv(&names.map(|name| (name, Vec::new())).collect::<Vec<_>>());
    if !io::begins_otherwise(output, header.as_bytes()) {
        return None;
    }
    let message = format!("`{}` is there already, and does not hold these predictions", output.display());
    let help = Some("name another file, or say `--overwrite` to lose what is there".to_string());
    Some(Diagnostic { code: "E0336", severity: Severity::Error, message, labels: Vec::new(), help })
}

/// What the columns of a prediction are called: `[n]` is one column; `[n, k]` is `name.0`, `name.1`, ….
fn names(name: &str, shape: &[usize]) -> Vec<String> {
    match shape.len() {
        1 => vec![name.to_string()],
        _ => (0..shape[1..].iter().product()).map(|at| format!("{name}.{at}")).collect(),
    }
}

/// The warning of classes that stay numbers because they may be those of several columns.
fn unclear(prediction: &Prediction, program: &TypedProgram) -> Option<Diagnostic> {
    let columns: Vec<String> = prediction.unclear.iter().map(|column| format!("`{column}`")).collect();
    if columns.is_empty() {
        return None;
    }
    let name = &prediction.name;
    let report = program.predictions.iter().find(|report| report.name == *name)?;
    let message = format!("`{name}` is written as numbers: its classes may be those of {}", columns.join(" or "));
    let wrong =
        Diagnostic::error("W0323", message, program.terms.get(report.value).span, "this is the place of a class");
    Some(wrong.warning().help("a report says which is meant: `report accuracy(model(x), y)`"))
}

/// The columns of a prediction. Classes have their names.
fn columns(prediction: &Prediction) -> Vec<(String, Vec<String>)> {
    let Prediction { name, tensor, classes, .. } = prediction;
    let cell = |value: &f64| match classes.as_ref().and_then(|classes| classes.get(*value as usize)) {
        Some(class) => class.clone(),
        None => write::number(*value),
    };
    let names = names(name, &tensor.shape);
    let width = names.len();
    let column = |at: usize| tensor.values.iter().skip(at).step_by(width.max(1)).map(cell).collect();
    names.into_iter().enumerate().map(|(at, name)| (name, column(at))).collect()
}
