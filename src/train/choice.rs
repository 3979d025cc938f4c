//! Which weights are kept and when steps end, by the figures of evaluations: `keep` and `stop`.

use crate::check::program::{RunSettings, Watched};
use crate::run::events::Event;
use crate::run::params::Params;
use crate::run::steps::Run;

/// A figure that is watched, and the best value of it so far.
struct Watch {
    watched: Watched,
    best: Option<f64>,
}

/// The weights that are kept, and what evaluations said of them.
pub struct Kept {
    pub step: u64,
    pub weights: Params,
    pub events: Vec<Event>,
}

pub struct Choice {
    keep: Option<Watch>,
    stop: Option<(Watch, u64)>,
    /// Evaluations since the last better one.
    waited: u64,
    pub kept: Option<Kept>,
}

impl Choice {
    pub fn of(settings: &RunSettings) -> Choice {
        let watch = |watched: &Watched| Watch { watched: watched.clone(), best: None };
        let stop = settings.stop.as_ref().map(|stop| (watch(&stop.watched), stop.evaluations));
        Choice { keep: settings.keep.as_ref().map(watch), stop, waited: 0, kept: None }
    }

    /// The splits whose figures it needs besides those that are evaluated anyway.
    pub fn needs(&self, split: &str) -> bool {
        let watches = self.keep.iter().chain(self.stop.iter().map(|(watch, _)| watch));
        watches.into_iter().any(|watch| watch.watched.split == split)
    }

    /// Takes the figures of one evaluation; whether the steps shall end.
    pub fn sees(&mut self, run: &Run, events: &[Event]) -> bool {
        if self.keep.as_mut().is_some_and(|watch| watch.is_better(events)) {
            self.kept = Some(Kept { step: run.step, weights: run.weights(), events: events.to_vec() });
        }
        let Some((watch, evaluations)) = &mut self.stop else { return false };
        self.waited = if watch.is_better(events) { 0 } else { self.waited + 1 };
        self.waited >= *evaluations
    }
}

impl Watch {
    /// Whether the figure is better than ever, which then is the best. One that is not a number never is.
    fn is_better(&mut self, events: &[Event]) -> bool {
        let Some(value) = events.iter().find_map(|event| self.value(event)).filter(|value| !value.is_nan()) else {
            return false;
        };
        let better = match self.best {
            None => true,
            Some(best) if self.watched.lowest => value < best,
            Some(best) => value > best,
        };
        if better {
            self.best = Some(value);
        }
        better
    }

    fn value(&self, event: &Event) -> Option<f64> {
        let Event::Eval { split, loss, reports, .. } = event else { return None };
        if *split != self.watched.split {
            return None;
        }
        match self.watched.name.as_str() {
            "loss" => *loss,
            name => reports.iter().find(|report| report.name == name)?.figure.number(),
        }
    }
}
