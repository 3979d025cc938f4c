//! Lowering: terms to the graph, the only bridge between them. Everything was checked; nothing can be wrong here.
//!
//! The axes of a node are the free indices of its term, ascending, then the term's own axes.

mod product;
pub mod program;
mod scan;
mod term;

use crate::autodiff::gradient;
use crate::check::program as checked;
use crate::check::terms::{Host, Leaf, ParamId, Start, TermId};
use crate::check::types::{Elem, Type};
use crate::ir::{DType, NodeId, ScalarOp, Size, Symbol, philox};
use program::{Given, Input, Param, Phase, Program, Slot, State, Value};
use std::collections::HashMap;
use term::Lowering;

/// The program of a run.
pub fn lower(program: &checked::TypedProgram, rows: Symbol) -> Program {
    let mut this = Lowering::new(&program.terms);
    let Fed { draws, raw, fits, columns, hosts } = feed(&mut this, Some(&program.data));
    let used: Vec<(ParamId, usize)> =
        program.used.iter().map(|id| (*id, this.input(Leaf::Param(*id), &program.params[id.0 as usize].ty))).collect();

    let (loss, evaluated) = (this.float(program.loss.value), this.float(program.evaluated));
    let mut told = |reports: &[checked::Report]| -> Vec<(String, NodeId)> {
        reports.iter().map(|report| (report.name.clone(), this.float(report.value))).collect()
    };
    let (reports, predictions) = (told(&program.reports), told(&program.predictions));
    let places = this.places();

    let (phase, states) = minimize(&mut this, program, loss, &used);
    let trained: Vec<usize> = phase.gradients.iter().map(|(param, _)| *param).collect();
    let params = used.into_iter().enumerate().map(|(at, (id, input))| {
        let param = &program.params[id.0 as usize];
        let initial = start(&mut this, param, draws);
        Param { path: param.path.clone(), shape: shape(param), input, initial, trainable: trained.contains(&at) }
    });
    let params = params.collect();
    let mut lowered = Program {
        inputs: vec![Input::Draws; this.inputs],
        graph: this.graph,
        rows,
        draws,
        hosts,
        raw,
        fits,
        columns,
        params,
        states,
        phases: vec![phase],
        loss: evaluated,
        reports,
        predictions,
        places,
    };
    lowered.inputs = lowered.table();
    lowered
}

/// What a `minimize` does: its loss by the parameters that it moves, and their next values.
fn minimize(
    this: &mut Lowering,
    program: &checked::TypedProgram,
    loss: NodeId,
    used: &[(ParamId, usize)],
) -> (Phase, Vec<State>) {
    let place: HashMap<ParamId, usize> = used.iter().enumerate().map(|(at, (id, _))| (*id, at)).collect();
    let trained: Vec<NodeId> = program.updates.iter().map(|update| this.leaves[&Leaf::Param(update.param)]).collect();
    let gradients = gradient(&mut this.graph, loss, &trained);
    for (update, gradient) in program.updates.iter().zip(&gradients) {
        this.leaves.insert(Leaf::Gradient(update.param), *gradient);
    }
    let (mut states, mut of_params, mut of_states) = (Vec::new(), Vec::new(), Vec::new());
    for update in &program.updates {
        let ty = &program.params[update.param.0 as usize].ty;
        let inputs: Vec<usize> =
            (0..update.states.len()).map(|state| this.input(Leaf::State(update.param, state), ty)).collect();
        for (state, input) in update.states.iter().zip(inputs) {
            states.push(State { input, initial: this.fill(state.start, ty) });
            of_states.push((this.fill(state.next, ty), input));
        }
        of_params.push((this.fill(update.next, ty), used[place[&update.param]].1));
    }
    let lr = program.updates.first().and_then(|update| update.lr).map(|lr| this.float(lr));
    let gradients = program.updates.iter().zip(gradients).map(|(update, by)| (place[&update.param], by)).collect();
    of_params.extend(of_states);
    for (id, next) in &program.kept {
        let ty = &program.params[id.0 as usize].ty;
        of_params.push((this.fill(*next, ty), used[place[id]].1));
    }
    (Phase { loss, gradients, updates: of_params, lr }, states)
}

/// One value of a session.
pub fn value(explored: &checked::Explored, term: TermId, rows: Symbol) -> Value {
    let mut this = Lowering::new(&explored.terms);
    let Fed { draws, raw, fits, columns, hosts } = feed(&mut this, explored.data.as_ref());
    let mut params = Vec::new();
    for id in checked::TypedProgram::used(&explored.terms, &[term]) {
        let param = &explored.params[id.0 as usize];
        let input = this.input(Leaf::Param(id), &param.ty);
        let initial = start(&mut this, param, draws);
        params.push(Given { path: param.path.clone(), shape: shape(param), input, initial });
    }
    let root = this.whole(term);
    Value { graph: this.graph, rows, inputs: this.inputs, draws, hosts, raw, fits, columns, params, root }
}

/// The inputs of every program.
struct Fed {
    draws: usize,
    raw: Vec<usize>,
    fits: Vec<Slot>,
    columns: Vec<Slot>,
    hosts: Vec<(Host, usize)>,
}

fn feed(this: &mut Lowering, data: Option<&checked::Data>) -> Fed {
    let draws = this.new_input(DType::Int, vec![Size::from(5)]);
    this.counters = this.graph.input(draws as u32, DType::Int, vec![Size::from(5)]);
    let raw = data.iter().flat_map(|data| &data.raw).enumerate();
    let raw = raw.map(|(at, raw)| this.input(Leaf::Raw(at), &raw.ty)).collect();
    let fits = data.iter().flat_map(|data| &data.fits).enumerate();
    let fits = fits.map(|(at, fit)| this.slot(&fit.name, fit.value, Leaf::Fit(at))).collect();
    let columns = data.iter().flat_map(|data| &data.columns).enumerate();
    let columns = columns.map(|(at, column)| this.slot(&column.name, column.value, Leaf::Column(at))).collect();
    let host = Type::scalar(Elem::Int);
    let hosts = [Host::Step, Host::Steps, Host::Epoch, Host::Epochs, Host::Updates]
        .into_iter()
        .map(|host_number| (host_number, this.input(Leaf::Host(host_number), &host)))
        .collect();
    Fed { draws, raw, fits, columns, hosts }
}

fn shape(param: &checked::Param) -> Vec<usize> {
    param.ty.sizes().iter().map(|size| size.settled().unwrap_or(0).max(0) as usize).collect()
}

/// The value that a parameter starts from: a number or a draw counted by the parameter's path.
fn start(this: &mut Lowering, param: &checked::Param, draws: usize) -> NodeId {
    match param.start {
        Start::Value(term) => this.fill(term, &param.ty),
        Start::Drawn(draw, first, second) => {
            let counters = this.graph.input(draws as u32, DType::Int, vec![Size::from(5)]);
            let shape = param.ty.sizes();
            let random = this.graph.random(draw, philox::path(&param.path), shape.clone(), None, counters);
            let (shift, scale) = match draw {
                crate::ir::Draw::Uniform => (first, second - first),
                crate::ir::Draw::Normal => (first, second),
            };
            let (shift, scale) = (this.graph.fill(shift, shape.clone()), this.graph.fill(scale, shape));
            let scaled = this.graph.binary(ScalarOp::Mul, random, scale);
            this.graph.binary(ScalarOp::Add, scaled, shift)
        }
    }
}

impl Lowering<'_> {
    fn slot(&mut self, name: &str, value: TermId, leaf: Leaf) -> Slot {
        let node = self.node(value);
        let ty = self.terms.get(value).ty.clone();
        Slot { name: name.to_string(), value: node, input: self.input(leaf, &ty) }
    }
}
