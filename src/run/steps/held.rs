//! What a run holds: its rows, weights and fitted values, and the plan of a step with what lies in it.

use super::{Run, Stage};
use crate::backend::{PlanId, Tensor, Values};
use crate::plan::Plan;
use crate::run::contents::{Contents, contents};
use crate::run::error::RunError;
use crate::run::params::{Params, Tensor as Param};
use crate::run::plans::SPLITS;
use std::collections::BTreeMap;

impl Run<'_> {
    /// Whether there is anything that is known only when training is over.
    pub fn calibrates(&self) -> bool {
        !self.program.calibrated.is_empty()
    }

    /// Takes what is calibrated from the weights that it was given.
    pub fn is_calibrated(&mut self) {
        self.calibrated = true;
    }

    /// Rows of each split that has any: of the data set that has most.
    pub fn rows(&self) -> Vec<(&'static str, usize)> {
        let rows = |name: &str| {
            let own = self.sets.iter().filter_map(|set| set.splits.iter().find(|split| split.name == name));
            own.map(|split| split.rows.len()).max()
        };
        SPLITS.into_iter().filter_map(|name| Some((name, rows(name)?))).collect()
    }

    /// The present parameters by path: shape and values, where they lie.
    pub fn weights_lying(&self) -> BTreeMap<&str, (&[usize], &[f32])> {
        let mut tensors = BTreeMap::new();
        let late = |at: usize| self.program.calibrated.iter().any(|own| own.param == at);
        let known = self.program.params.iter().enumerate().filter(|(at, _)| self.calibrated || !late(*at));
        for (_, param) in known {
            let values = match self.device.written(self.holder, param.input as u32) {
                Some(Values::F32(values)) => values,
                _ => &[],
            };
            tensors.insert(param.path.as_str(), (&param.shape[..], values));
        }
        tensors
    }

    /// The present parameters by path.
    pub fn weights(&self) -> Params {
        let own = |(path, (shape, values)): (&str, (&[usize], &[f32]))| {
            (path.to_string(), Param { shape: shape.to_vec(), values: values.to_vec() })
        };
        self.weights_lying().into_iter().map(own).collect()
    }

    /// Fitted values by name.
    pub fn fits(&self) -> BTreeMap<String, &Tensor> {
        self.program.fits.iter().map(|fit| fit.name.clone()).zip(&self.fits).collect()
    }

    /// What it runs on: `cpu`.
    pub fn device(&self) -> &'static str {
        self.device.name()
    }

    /// The plan of the first phase of a step.
    fn first(&self) -> PlanId {
        let whole = self.plans.get(&(Stage::Phase(0), self.order.full())).copied();
        whole.or_else(|| self.parts.get(&0).map(|parts| parts.rest)).unwrap_or(self.holder)
    }

    /// The plan of the first phase of a step.
    pub fn plan(&self) -> &Plan {
        self.device.plan(self.first())
    }

    /// What the memory of a step holds.
    pub fn contents(&self) -> Contents {
        contents(self.program, self.program.phases.first(), self.plan(), &self.order.full())
    }

    /// What a root of the last full batch's step gave, by its number: the loss, then the gradients.
    pub fn output(&self, root: usize) -> Values<'_> {
        self.device.read(self.first(), root)
    }

    /// What lies in an input of a step; `None` where nothing reads it.
    pub fn fed(&self, input: usize) -> Option<Values<'_>> {
        self.device.written(self.first(), input as u32)
    }

    /// Runs one kernel of a step, to measure it.
    pub fn run_kernel(&mut self, kernel: usize) -> Result<(), RunError> {
        Ok(self.device.run_kernel(self.first(), kernel)?)
    }

    /// How often work was handed to all threads so far: to measure.
    pub fn rounds(&self) -> u64 {
        self.device.rounds()
    }
}
