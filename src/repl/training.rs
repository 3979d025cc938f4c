//! `:train` and `:params`.

use super::commands::table;
use super::session::{Session, Trained};
use super::{Console, Outcome};
use crate::check::program::{Length, TypedProgram};
use crate::compile;
use crate::diagnostic::nearest;
use crate::lower::program::Program as Lowered;
use crate::progress::{Progress, line, of_loss, shown, table as numbers};
use crate::run::events::{Event, Reason};
use crate::run::memory;
use crate::run::schedule::Schedule;
use crate::run::steps::Run;
use crate::train::driver::{self, Failure};
use crate::train::weights::Tensor;
use std::collections::BTreeMap;

/// What `:train` is given.
struct Asked<'t> {
    name: Option<&'t str>,
    length: Option<Length>,
}

fn asked(words: &str) -> Result<Asked<'_>, String> {
    let mut asked = Asked { name: None, length: None };
    for word in words.split_whitespace() {
        let Some((key, number)) = word.split_once('=') else {
            if asked.name.replace(word).is_some() {
                return Err("`:train` trains one block at a time".to_string());
            }
            continue;
        };
        let wanted = || format!("expected a whole number of at least 1 for `{word}`");
        let number: u64 = number.replace('_', "").parse().map_err(|_| wanted())?;
        let length = match key {
            "steps" => Length::Steps(number),
            "epochs" => Length::Epochs(number),
            _ => return Err(format!("`:train` has no setting `{key}`; it has `steps` and `epochs`")),
        };
        if number == 0 {
            return Err(wanted());
        }
        if asked.length.replace(length).is_some() {
            return Err("a training has `steps` or `epochs`, once".to_string());
        }
    }
    Ok(asked)
}

impl Session {
    /// `:train [NAME] [steps=N] [epochs=N]`
    pub(super) fn train(&mut self, words: &str, console: &mut Console) -> Outcome {
        let name = match asked(words).and_then(|asked| Ok((self.block(asked.name)?, asked.length))) {
            Ok((name, length)) => match self.train_block(&name, length, console) {
                Ok(trained) => {
                    self.trained.insert(name.clone(), trained);
                    name
                }
                Err(Failure::Message(message)) => return console.complain(&message),
                Err(Failure::Diagnostic(wrong) | Failure::Refused(wrong)) => {
                    return console.draw(&[wrong], &self.sources);
                }
            },
            Err(message) => return console.complain(&message),
        };
        if self.chosen.replace(name.clone()).is_none_or(|before| before != name) {
            self.settle(console, || false);
        }
        Outcome::Fine
    }

    /// The named block, or the only one.
    fn block(&self, name: Option<&str>) -> Result<String, String> {
        let names = self.trains();
        match (name, &names[..]) {
            (_, []) => Err("there is no `train` block; `:load FILE` brings one".to_string()),
            (Some(name), _) if names.iter().any(|known| known == name) => Ok(name.to_string()),
            (Some(name), _) => {
                let near = nearest(name, names.iter().map(String::as_str));
                let advice =
                    near.map_or(format!("there are: {}", names.join(", ")), |near| format!("did you mean `{near}`?"));
                Err(format!("cannot find `train` block `{name}`; {advice}"))
            }
            (None, [only]) => Ok(only.clone()),
            (None, _) => Err(format!("which `train` block? name one of: {}", names.join(", "))),
        }
    }

    fn train_block(&self, name: &str, length: Option<Length>, console: &mut Console) -> Result<Trained, Failure> {
        let words = |message: &str| Failure::Message(message.to_string());
        let program = self.programs.iter().find(|program| program.name == name);
        let program = program.ok_or_else(|| words("the block is gone"))?;
        let lowered = lowered(program).map_err(Failure::Message)?;
        // Until the first step it may be ended; from then on it asks for itself, and its data must be whole.
        let data = self.files.open(&program.data).ok_or_else(|| words("the data could not be read"))?;
        let schedule = Schedule::of(program, length.unwrap_or(program.run.length));
        let epochs = (schedule.batch < program.data.rows()[0]).then_some(schedule.epochs);
        let mut progress = console.live.then(|| Progress::new(schedule.steps, epochs));
        let stop = console.stop;
        let mut tell = |event: &Event| match &mut progress {
            Some(progress) => progress.tell(event),
            None => {
                let loss = if let Event::Step { loss, .. } = event { of_loss(*loss) } else { String::new() };
                line(event, schedule.steps, &loss).iter().for_each(|line| console.note(line));
            }
        };
        let trained = driver::in_memory(program, &lowered, &data, schedule, stop, &mut tell);
        // A bar goes away with it.
        drop(progress);
        let (run, finals, reason) = trained?;
        if reason == Reason::Interrupted {
            console.note(&format!("interrupted after step {}; the weights are kept", run.step));
        }
        console.tell(&numbers(&finals));
        let epoch = run.step / Schedule::steps_of(program.data.rows()[0], schedule.batch, 1).max(1);
        Ok(Trained { weights: run.weights(), schedule, step: run.step, epoch })
    }

    /// `:params`
    pub(super) fn params(&mut self, console: &mut Console) -> Outcome {
        let Some(program) = self.program() else {
            return console.complain("there is no `train` block, so no model; `:load FILE` brings one");
        };
        let weights = match self.trained.get(&program.name) {
            Some(trained) => Ok(trained.weights.clone()),
            None => self.starts(program),
        };
        match weights {
            Ok(weights) => {
                console.tell(&listed(&weights));
                Outcome::Fine
            }
            Err(message) => console.complain(&message),
        }
    }

    /// The parameters before the first step.
    fn starts(&self, program: &TypedProgram) -> Result<BTreeMap<String, Tensor>, String> {
        let lowered = lowered(program)?;
        let data = self.files.open(&program.data).ok_or("the data could not be read")?;
        let schedule = Schedule::of(program, program.run.length);
        Ok(Run::new(&lowered, schedule, &data).map_err(|error| error.message().to_string())?.weights())
    }
}

/// The graph of a program, which fits into the machine.
fn lowered(program: &TypedProgram) -> Result<Lowered, String> {
    let lowered = compile::lower(program)
        .map_err(|broken| format!("this is a mistake of mlx itself, please report it: {broken}"))?;
    let rows: Vec<[usize; 3]> = program.data.sets.iter().map(|set| set.rows).collect();
    memory::refuse(program, &lowered, &rows)?;
    Ok(lowered)
}

fn listed(weights: &BTreeMap<String, Tensor>) -> String {
    let row = |(path, tensor): (&String, &Tensor)| {
        let count = tensor.values.len();
        let mean = tensor.values.iter().map(|value| f64::from(*value)).sum::<f64>() / count as f64;
        let square = |value: &f32| (f64::from(*value) - mean).powi(2);
        let deviation = (tensor.values.iter().map(square).sum::<f64>() / count as f64).sqrt();
        vec![path.clone(), format!("{:?}", tensor.shape), count.to_string(), shown(mean), shown(deviation)]
    };
    let all: usize = weights.values().map(|tensor| tensor.values.len()).sum();
    format!(
        "{}{all} in all\n",
        table(&["path", "shape", "count", "mean", "deviation"], weights.iter().map(row).collect())
    )
}
