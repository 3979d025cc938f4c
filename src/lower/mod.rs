//! Lowering: terms to the graph, the only bridge between them. Everything was checked; nothing can be wrong here.
//!
//! The axes of a node are the free indices of its term, ascending, then the term's own axes.

mod along;
pub mod decisions;
mod product;
pub mod program;
mod read;
mod scan;
mod sums;
mod term;

use crate::autodiff::{gradient, in_blocks};
use crate::check::program as checked;
use crate::check::terms::{Host, Leaf, ParamId, Start, TermId};
use crate::check::types::{Elem, Type};
use crate::ir::{DType, Graph, NodeId, Op, Reduce, ScalarOp, Size, philox};
use crate::source::Span;
use program::{Input, Param, ParamInput, Phase, Program, Slot, State, Value};
use std::collections::{BTreeMap, HashMap, HashSet};
use term::Lowering;

/// The program of a run.
pub fn lower(program: &checked::TypedProgram) -> Program {
    let mut this = Lowering::new(&program.terms);
    let SharedInputs { draws, raw, raw_sets, fits, columns, hosts } = shared_inputs(&mut this, Some(&program.data));
    let used: Vec<(ParamId, usize)> =
        program.used.iter().map(|id| (*id, this.input(Leaf::Param(*id), &program.params[id.0 as usize].ty))).collect();
    let place: HashMap<ParamId, usize> = used.iter().enumerate().map(|(at, (id, _))| (*id, at)).collect();
    let nexts = next_inputs(&mut this, program, &place);
    let (once, places_of_once) = once(&mut this, program);

    let losses: Vec<NodeId> = program.minimized.iter().map(|minimized| this.float(minimized.loss)).collect();
    let evaluated: Vec<NodeId> = program.minimized.iter().map(|minimized| this.float(minimized.evaluated)).collect();
    let mut told = |reports: &[checked::Report]| -> Vec<(String, NodeId)> {
        reports.iter().map(|report| (report.name.clone(), this.float(report.value))).collect()
    };
    let predictions = told(&program.predictions);
    let [mut reports, late] = [false, true].map(|late| {
        let own: Vec<checked::Report> = program.reports.iter().filter(|report| report.late == late).cloned().collect();
        told(&own)
    });
    let calibrated = program.calibrated.iter().map(|own| {
        let value = this.float(own.value);
        program::Calibration { param: place[&own.param], value, split: own.split.clone() }
    });
    let calibrated = calibrated.collect();
    let mut demands = [demands(&mut this, &program.demands[0]), demands(&mut this, &program.demands[1])];
    demands[0].retain(|demand| !demand.late);
    demands[1].sort_by_key(|demand| demand.late);
    let mut places = this.places();
    places.extend(places_of_once);
    let decisions = decisions::decisions(&this, program);
    let loss = evaluated.iter().copied().reduce(|sum, one| this.graph.binary(ScalarOp::Add, sum, one));
    let loss = loss.unwrap_or_else(|| this.graph.constant(0.0));
    let named = program.minimized.iter().zip(evaluated);
    let named = named.filter_map(|(minimized, value)| Some((minimized.name.clone()?, value)));
    reports.splice(0..0, named);

    let (mut phases, mut states) = (Vec::new(), Vec::new());
    for (minimized, loss) in program.minimized.iter().zip(losses) {
        let (phase, own, again) = minimize(&mut this, program, minimized, loss, (&used, &place));
        phases.push(phase);
        states.extend(own);
        for (node, again) in again {
            places.get(&node).copied().map(|place| places.entry(again).or_insert(place));
        }
    }
    let next = |(id, next): &(ParamId, TermId)| {
        let node = this.fill(*next, &program.params[id.0 as usize].ty);
        (node, used[place[id]].1)
    };
    let advance = program.nexts.iter().map(next).collect();
    let trained: HashSet<usize> = phases.iter().flat_map(|phase| &phase.gradients).map(|(param, _)| *param).collect();
    let params = used.into_iter().enumerate().map(|(at, (id, input))| {
        let param = &program.params[id.0 as usize];
        let initial = start(&mut this, param, draws);
        let (path, trainable) = (param.path.clone(), trained.contains(&at));
        Param { path, shape: shape(param), input, initial, trainable, state: param.state }
    });
    let params = params.collect();
    let classes = program.reports.iter().map(|report| (report.name.clone(), report.classes.clone()));
    let mut lowered = Program {
        inputs: vec![Input::Draws; this.inputs],
        graph: this.graph,
        rows: program.data.symbols(),
        draws,
        hosts,
        raw,
        raw_sets,
        fits,
        columns,
        params,
        states,
        held: columns_read_once(program),
        lying: fits_read(program),
        once,
        phases,
        accumulate: program.run.accumulate,
        advance,
        nexts,
        loss,
        reports,
        classes: classes.filter_map(|(name, column)| Some((name, column?))).collect(),
        decisions,
        predictions,
        calibrated,
        late,
        demands,
        places,
    };
    lowered.inputs = lowered.table();
    lowered
}

/// Values that are computed once a step: a later one reads an earlier one where it is made, all else reads what was computed.
fn once(this: &mut Lowering, program: &checked::TypedProgram) -> (Vec<Slot>, HashMap<NodeId, Span>) {
    let mut nodes = Vec::new();
    for (at, value) in program.once.iter().enumerate() {
        let node = this.node(*value);
        this.leaves.insert(Leaf::Once(at), node);
        nodes.push(node);
    }
    let places = this.places();
    this.forget();
    let slot = |(at, value): (usize, NodeId)| {
        let ty = this.terms.get(program.once[at]).ty.clone();
        let symbols = program.data.symbols();
        let rows = ty.axes.iter().find_map(|axis| symbols.iter().position(|own| axis.size.symbols().contains(own)));
        Slot { name: String::new(), value, input: this.input(Leaf::Once(at), &ty), set: rows.unwrap_or(0) }
    };
    (nodes.into_iter().enumerate().map(slot).collect(), places)
}

/// Conditions, whether each holds for all elements; those of one text that are one node, once.
fn demands(this: &mut Lowering, all: &[checked::Demand]) -> Vec<program::Demand> {
    let mut lowered: Vec<program::Demand> = Vec::new();
    for (of, demand) in all.iter().enumerate() {
        let ty = this.terms.get(demand.condition).ty.clone();
        let elements = this.operand(demand.condition, &ty, DType::Float);
        if lowered.iter().any(|own| own.elements == elements && all[own.of].span == demand.span) {
            continue;
        }
        let axes = (0..this.graph.shape(elements).len()).collect();
        let holds = this.graph.reduce(Reduce::Min, axes, elements);
        let sides = demand.sides.iter().map(|(term, _)| this.operand(*term, &ty, DType::Float)).collect();
        lowered.push(program::Demand { of, holds, elements, sides, late: demand.late });
    }
    lowered
}

/// The columns that are read by what is computed once a step.
fn columns_read_once(program: &checked::TypedProgram) -> Vec<usize> {
    let leaves = program.terms.leaves(&program.once);
    leaves.into_iter().filter_map(|leaf| if let Leaf::Column(at) = leaf { Some(at) } else { None }).collect()
}

/// The fits that a step, an evaluation or a start reads itself.
fn fits_read(program: &checked::TypedProgram) -> Vec<usize> {
    let told = program.reports.iter().chain(&program.predictions).map(|report| report.value);
    let losses = program.minimized.iter().flat_map(|minimized| [minimized.loss, minimized.evaluated]);
    let next = program.nexts.iter().map(|(_, next)| *next);
    let own = program.minimized.iter().flat_map(|minimized| {
        let states = minimized.updates.iter().flat_map(|update| {
            let states = update.states.iter().flat_map(|state| [state.start, state.next]);
            states.chain([update.next])
        });
        states.chain(minimized.lr).chain(minimized.clip).chain(minimized.kept.iter().map(|(_, next)| *next))
    });
    let starts = program.params.iter().filter_map(|param| match param.start {
        Start::Value(term) => Some(term),
        Start::Drawn(..) => None,
    });
    let roots = told.chain(losses).chain(next).chain(own).chain(starts).chain(program.once.iter().copied());
    let roots: Vec<TermId> = roots.collect();
    let leaves = program.terms.leaves(&roots).into_iter();
    let mut fits: Vec<usize> =
        leaves.filter_map(|leaf| if let Leaf::Fit(at) = leaf { Some(at) } else { None }).collect();
    fits.sort_unstable();
    fits
}

/// Inputs for parameters as they are after the last update of a step, where something reads them so.
fn next_inputs(
    this: &mut Lowering,
    program: &checked::TypedProgram,
    place: &HashMap<ParamId, usize>,
) -> Vec<(usize, usize)> {
    let told = program.reports.iter().chain(&program.predictions).map(|report| report.value);
    let losses = program.minimized.iter().flat_map(|minimized| [minimized.loss, minimized.evaluated]);
    let next = program.nexts.iter().map(|(_, next)| *next);
    let late = program.calibrated.iter().map(|own| own.value);
    let demanded = program.demands.iter().flatten().flat_map(checked::Demand::terms);
    let roots = told.chain(losses).chain(next).chain(late).chain(demanded).chain(program.once.iter().copied());
    let roots: Vec<TermId> = roots.collect();
    let mut leaves = program.terms.leaves(&roots);
    leaves.retain(|leaf| matches!(leaf, Leaf::Next(_)));
    leaves.sort_by_key(|leaf| if let Leaf::Next(id) = leaf { *id } else { ParamId(0) });
    let mut inputs = Vec::new();
    for leaf in leaves {
        if let Leaf::Next(id) = leaf {
            inputs.push((this.input(Leaf::Next(id), &program.params[id.0 as usize].ty), place[&id]));
        }
    }
    inputs
}

/// What a `minimize` does: its loss by the parameters that it moves, and their next values. And what stands for the nodes of its loss where blocks are
/// computed again.
fn minimize(
    this: &mut Lowering,
    program: &checked::TypedProgram,
    minimized: &checked::Minimized,
    loss: NodeId,
    (used, place): (&[(ParamId, usize)], &HashMap<ParamId, usize>),
) -> (Phase, Vec<State>, BTreeMap<NodeId, NodeId>) {
    let updates = &minimized.updates;
    let trained: Vec<NodeId> = updates.iter().map(|update| this.leaves[&Leaf::Param(update.param)]).collect();
    let blocks: Vec<NodeId> = program.blocks.iter().filter_map(|block| this.known(*block)).collect();
    let again = in_blocks(&mut this.graph, loss, &blocks, program.run.accumulate > 1);
    let loss = again[&loss];
    let gradients = gradient(&mut this.graph, loss, &trained);
    let clip = minimized.clip.map(|clip| this.float(clip));
    let clipped = clip.map_or(gradients.clone(), |clip| clipped(&mut this.graph, &gradients, clip));
    for (update, gradient) in updates.iter().zip(clipped) {
        this.leaves.insert(Leaf::Gradient(update.param), gradient);
    }
    let (mut states, mut of_params, mut of_states) = (Vec::new(), Vec::new(), Vec::new());
    for update in updates {
        for state in &update.states {
            let input = this.input(Leaf::State(update.param, state.number), &state.ty);
            let initial = this.fill(state.start, &state.ty);
            states.push(State { param: place[&update.param], input, initial });
        }
    }
    let mut inputs = states.iter().map(|state| state.input);
    for update in updates {
        let ty = &program.params[update.param.0 as usize].ty;
        for (state, input) in update.states.iter().zip(inputs.by_ref()) {
            of_states.push((this.fill(state.next, &state.ty), input));
        }
        of_params.push((this.fill(update.next, ty), used[place[&update.param]].1));
    }
    let lr = minimized.lr.map(|lr| this.float(lr));
    let gradients = updates.iter().zip(gradients).map(|(update, by)| (place[&update.param], by)).collect();
    of_params.extend(of_states);
    for (id, next) in &minimized.kept {
        let ty = &program.params[id.0 as usize].ty;
        of_params.push((this.fill(*next, ty), used[place[id]].1));
    }
    let (name, times) = (minimized.name.clone(), minimized.times);
    (Phase { name, times, loss, gradients, updates: of_params, lr }, states, again)
}

/// Gradients, scaled down together where their norm is above a bound.
fn clipped(graph: &mut Graph, gradients: &[NodeId], bound: NodeId) -> Vec<NodeId> {
    let squares: Vec<NodeId> = gradients
        .iter()
        .map(|gradient| {
            let square = graph.binary(ScalarOp::Mul, *gradient, *gradient);
            let axes = (0..graph.shape(square).len()).collect();
            graph.reduce(Reduce::Sum, axes, square)
        })
        .collect();
    let Some(sum) = squares.into_iter().reduce(|sum, square| graph.binary(ScalarOp::Add, sum, square)) else {
        return Vec::new();
    };
    let norm = graph.add(Op::Scalar(ScalarOp::Sqrt), vec![sum]);
    let most = graph.binary(ScalarOp::Max, norm, bound);
    let scale = graph.binary(ScalarOp::Div, bound, most);
    let scaled = |gradient: &NodeId| {
        let shape = graph.shape(*gradient).to_vec();
        let scale = graph.broadcast(shape, Vec::new(), scale);
        graph.binary(ScalarOp::Mul, *gradient, scale)
    };
    gradients.iter().map(scaled).collect()
}

/// One value of a session.
pub fn value(explored: &checked::Explored, term: TermId) -> Value {
    let mut this = Lowering::new(&explored.terms);
    let SharedInputs { draws, raw, raw_sets, fits, columns, hosts } = shared_inputs(&mut this, explored.data.as_ref());
    let mut params = Vec::new();
    for id in checked::TypedProgram::used(&explored.terms, &[term]) {
        let param = &explored.params[id.0 as usize];
        let input = this.input(Leaf::Param(id), &param.ty);
        let initial = start(&mut this, param, draws);
        params.push(ParamInput { path: param.path.clone(), shape: shape(param), input, initial });
    }
    let root = this.whole(term);
    let rows = explored.data.as_ref().map_or(Vec::new(), checked::Data::symbols);
    Value { graph: this.graph, rows, inputs: this.inputs, draws, hosts, raw, raw_sets, fits, columns, params, root }
}

/// The inputs of every program.
struct SharedInputs {
    draws: usize,
    raw: Vec<usize>,
    raw_sets: Vec<usize>,
    fits: Vec<Slot>,
    columns: Vec<Slot>,
    hosts: Vec<(Host, usize)>,
}

fn shared_inputs(this: &mut Lowering, data: Option<&checked::Data>) -> SharedInputs {
    let draws = this.new_input(DType::Int, vec![Size::from(5)]);
    this.counters = this.graph.input(draws as u32, DType::Int, vec![Size::from(5)]);
    let raw_sets = data.iter().flat_map(|data| &data.raw).map(|raw| raw.set).collect();
    let raw = data.iter().flat_map(|data| &data.raw).enumerate();
    let raw = raw.map(|(at, raw)| this.input(Leaf::Raw(at), &raw.ty)).collect();
    // Columns may read what the host tells.
    let host = Type::scalar(Elem::Int);
    let hosts = [Host::Step, Host::Steps, Host::Epoch, Host::Epochs, Host::Updates, Host::Training]
        .into_iter()
        .map(|host_number| (host_number, this.input(Leaf::Host(host_number), &host)))
        .collect();
    let fits = data.iter().flat_map(|data| &data.fits).enumerate();
    let fits = fits.map(|(at, fit)| match fit.whole {
        None => this.slot(&fit.name, fit.value, Leaf::Fit(at), fit.set),
        Some(_) => this.whole_slot(&fit.name, fit.value, Leaf::Fit(at), fit.set),
    });
    let fits = fits.collect();
    let columns = data.iter().flat_map(|data| &data.columns).enumerate();
    let columns = columns.map(|(at, own)| this.slot(&own.name, own.value, Leaf::Column(at), own.set)).collect();
    SharedInputs { draws, raw, raw_sets, fits, columns, hosts }
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
    /// What is read and not computed.
    fn whole_slot(&mut self, name: &str, value: TermId, leaf: Leaf, set: usize) -> Slot {
        let ty = self.terms.get(value).ty.clone();
        let input = self.input(leaf, &ty);
        Slot { name: name.to_string(), value: self.node(value), input, set }
    }

    fn slot(&mut self, name: &str, value: TermId, leaf: Leaf, set: usize) -> Slot {
        let node = self.node(value);
        let ty = self.terms.get(value).ty.clone();
        Slot { name: name.to_string(), value: node, input: self.input(leaf, &ty), set }
    }
}
