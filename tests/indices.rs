//! Random programs in index notation: what the graph gives is what the text says, index by index, and so are gradients by
//! central differences. Reads bare, affine, at elements, in groups and at rests, guards, reductions with conditions.

use crate::spec;
use crate::trial;
use libtest_mimic::Trial;
use mlx::backend::reference;
use mlx::compile;
use mlx::ir::NodeId;
use mlx::run::schedule::{KEPT, Schedule};
use mlx::run::steps::Run;
use mlx::source::Sources;
use std::collections::HashMap;
use std::fmt::Write;

const PROGRAMS: u64 = 80;

pub fn trials() -> Vec<Trial> {
    vec![
        trial("indices::programs_are_what_they_say_index_by_index", programs),
        trial("indices::nothing_of_the_size_of_all_pairs_is_stored", stores_no_pairs),
    ]
}

/// Numbers that depend on nothing but a seed (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 33) as usize % end.max(1)
    }

    fn of<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())].clone()
    }
}

type Index = (String, usize);

#[derive(Clone)]
enum Place {
    /// Each index times a factor, and a constant.
    Affine(Vec<(String, i64)>, i64),
    /// An element of a tensor of whole numbers.
    At(String, Vec<Place>),
    /// The size of each index but for the first is needed.
    Group(Vec<Index>),
}

#[derive(Clone)]
enum Condition {
    /// A place is at least 0, and below a size.
    Inside(Place, usize),
    LessEqual(Place, Place),
}

#[derive(Clone)]
enum Expr {
    Number(f64),
    Index(String),
    Read(String, Vec<Place>),
    Binary(char, Box<Expr>, Box<Expr>),
    Sin(Box<Expr>),
    If(Condition, Box<Expr>, Box<Expr>),
    Reduce(&'static str, Vec<Index>, Option<Condition>, Box<Expr>),
}

struct Let {
    name: String,
    /// Axes, each of one index or a group.
    axes: Vec<Vec<Index>>,
    body: Expr,
}

struct Value {
    shape: Vec<usize>,
    values: Vec<f64>,
}

type Values = HashMap<String, Value>;
type Env = Vec<(String, usize)>;

fn place_value(place: &Place, values: &Values, env: &Env) -> i64 {
    let index = |name: &str| env.iter().rev().find(|(own, _)| own == name).expect("an index").1 as i64;
    match place {
        Place::Affine(factors, constant) => {
            factors.iter().map(|(name, factor)| factor * index(name)).sum::<i64>() + constant
        }
        Place::At(name, places) => read(name, places, values, env) as i64,
        Place::Group(ids) => ids.iter().fold(0, |place, (name, size)| place * *size as i64 + index(name)),
    }
}

fn read(name: &str, places: &[Place], values: &Values, env: &Env) -> f64 {
    let tensor = &values[name];
    let at = places.iter().zip(&tensor.shape).fold(0, |at, (place, size)| {
        let place = place_value(place, values, env);
        assert!((0..*size as i64).contains(&place), "`{name}` is read at {place} of {size}");
        at * size + place as usize
    });
    tensor.values[at]
}

fn holds(condition: &Condition, values: &Values, env: &Env) -> bool {
    match condition {
        Condition::Inside(place, size) => (0..*size as i64).contains(&place_value(place, values, env)),
        Condition::LessEqual(a, b) => place_value(a, values, env) <= place_value(b, values, env),
    }
}

fn value(expr: &Expr, values: &Values, env: &mut Env) -> f64 {
    match expr {
        Expr::Number(number) => *number,
        Expr::Index(name) => place_value(&Place::Affine(vec![(name.clone(), 1)], 0), values, env) as f64,
        Expr::Read(name, places) => read(name, places, values, env),
        Expr::Binary(op, a, b) => {
            let (a, b) = (value(a, values, env), value(b, values, env));
            match op {
                '+' => a + b,
                '-' => a - b,
                _ => a * b,
            }
        }
        Expr::Sin(a) => value(a, values, env).sin(),
        Expr::If(condition, a, b) => value(if holds(condition, values, env) { a } else { b }, values, env),
        Expr::Reduce(function, ids, condition, body) => {
            let mut kept = Vec::new();
            each(ids, env, &mut |env| {
                if condition.as_ref().is_none_or(|condition| holds(condition, values, env)) {
                    kept.push(value(body, values, env));
                }
            });
            match *function {
                "sum" => kept.iter().sum(),
                "mean" => kept.iter().sum::<f64>() / kept.len() as f64,
                "max" => kept.iter().copied().fold(f64::NEG_INFINITY, f64::max),
                _ => kept.iter().map(|x| x.exp()).sum::<f64>().ln(),
            }
        }
    }
}

fn each(ids: &[Index], env: &mut Env, visit: &mut dyn FnMut(&mut Env)) {
    let Some(((name, size), rest)) = ids.split_first() else { return visit(env) };
    for at in 0..*size {
        env.push((name.clone(), at));
        each(rest, env, visit);
        env.pop();
    }
}

fn shown_place(place: &Place) -> String {
    match place {
        Place::Affine(factors, constant) => {
            let mut parts: Vec<String> = factors
                .iter()
                .map(|(name, factor)| if *factor == 1 { name.clone() } else { format!("({factor}) * {name}") })
                .collect();
            if *constant != 0 || parts.is_empty() {
                parts.push(format!("({constant})"));
            }
            parts.join(" + ")
        }
        Place::At(name, places) => shown_read(name, places),
        Place::Group(ids) => {
            format!("({})", ids.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>().join(" "))
        }
    }
}

fn shown_read(name: &str, places: &[Place]) -> String {
    format!("{name}[{}]", places.iter().map(shown_place).collect::<Vec<_>>().join(", "))
}

fn shown_condition(condition: &Condition) -> String {
    match condition {
        Condition::Inside(place, size) => {
            let place = shown_place(place);
            format!("{place} >= 0 and {place} < {size}")
        }
        Condition::LessEqual(a, b) => format!("{} <= {}", shown_place(a), shown_place(b)),
    }
}

fn shown(expr: &Expr) -> String {
    match expr {
        Expr::Number(number) => format!("({number})"),
        Expr::Index(name) => name.clone(),
        Expr::Read(name, places) => shown_read(name, places),
        Expr::Binary(op, a, b) => format!("({} {op} {})", shown(a), shown(b)),
        Expr::Sin(a) => format!("sin({})", shown(a)),
        Expr::If(condition, a, b) => format!("(if {} then {} else {})", shown_condition(condition), shown(a), shown(b)),
        Expr::Reduce(function, ids, condition, body) => {
            let names = ids.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>().join(", ");
            let condition = condition.as_ref().map_or(String::new(), |it| format!(" where {}", shown_condition(it)));
            format!("{function}({names}{condition}: {})", shown(body))
        }
    }
}

/// A program while it grows: the shapes of what has a name.
struct Growing {
    random: Random,
    floats: Vec<(String, Vec<usize>)>,
    /// Tensors of whole numbers, and what all are below.
    ints: Vec<(String, usize, usize)>,
    names: usize,
}

impl Growing {
    /// A place in an axis, and whether it is inside whatever the indices are.
    fn place(&mut self, size: usize, env: &[Index]) -> (Place, bool) {
        let bare: Vec<Index> = env.iter().filter(|(_, own)| *own == size).cloned().collect();
        match self.random.below(8) {
            0..4 if !bare.is_empty() => (Place::Affine(vec![(self.random.of(&bare).0, 1)], 0), true),
            0..2 => (Place::Affine(Vec::new(), self.random.below(size) as i64), true),
            2 | 4 if !self.ints.is_empty() => {
                let (name, length, below) = self.random.of(&self.ints.clone());
                let (place, inside) = self.affine(length, env);
                let place = if inside { place } else { Place::Affine(Vec::new(), 0) };
                (Place::At(name, vec![place]), below <= size)
            }
            5 if env.len() > 1 => {
                let (a, b) = (self.random.of(env), self.random.of(env));
                match a.0 != b.0 && a.1 * b.1 == size {
                    true => (Place::Group(vec![a, b]), true),
                    false => self.affine(size, env),
                }
            }
            _ => self.affine(size, env),
        }
    }

    fn affine(&mut self, size: usize, env: &[Index]) -> (Place, bool) {
        let mut factors: Vec<(String, i64)> = Vec::new();
        let (mut low, mut high) = (0, 0);
        for _ in 0..1 + self.random.below(2) {
            if env.is_empty() {
                break;
            }
            let (name, own) = self.random.of(env);
            let factor = [1, 1, 2, -1][self.random.below(4)];
            if factors.iter().all(|(known, _)| *known != name) {
                let far = factor * (own as i64 - 1);
                (low, high) = (low + far.min(0), high + far.max(0));
                factors.push((name, factor));
            }
        }
        let constant = if self.random.below(3) == 0 { self.random.below(3) as i64 - 1 } else { -low };
        // An index without a written size that is read bare would have the size of that axis.
        let sized = |name: &str| env.iter().any(|(own, of)| own == name && *of == size) || name.starts_with('i');
        if let ([(name, 1)], 0) = (&factors[..], constant)
            && !sized(name)
        {
            return (Place::Affine(Vec::new(), 0), true);
        }
        let inside = low + constant >= 0 && high + constant < size as i64;
        (Place::Affine(factors, constant), inside)
    }

    fn read(&mut self, env: &[Index], depth: usize) -> Expr {
        let (name, shape) = self.random.of(&self.floats.clone());
        let mut guards = Vec::new();
        let mut places = Vec::new();
        for size in shape {
            let (mut place, inside) = self.place(size, env);
            if !inside && matches!(place, Place::At(..)) {
                place = Place::Affine(Vec::new(), 0);
            } else if !inside {
                guards.push(Condition::Inside(place.clone(), size));
            }
            places.push(place);
        }
        guards.into_iter().fold(Expr::Read(name, places), |inner, guard| {
            Expr::If(guard, Box::new(inner), Box::new(self.expr(env, depth + 1)))
        })
    }

    fn expr(&mut self, env: &[Index], depth: usize) -> Expr {
        let choice = if depth > 3 { self.random.below(3) } else { self.random.below(10) };
        match choice {
            0 => Expr::Number((self.random.below(40) as f64 - 20.0) / 16.0),
            1 if !env.is_empty() && self.random.below(4) == 0 => {
                let index = Expr::Index(self.random.of(env).0);
                Expr::Binary('*', Box::new(index), Box::new(Expr::Number(0.125)))
            }
            4..=6 => {
                let op = self.random.of(&['+', '-', '*', '*']);
                Expr::Binary(op, Box::new(self.expr(env, depth + 1)), Box::new(self.expr(env, depth + 1)))
            }
            7 => Expr::Sin(Box::new(self.expr(env, depth + 1))),
            8 | 9 => self.reduction(env, depth),
            _ => self.read(env, depth),
        }
    }

    /// The index of a reduction reads an axis bare, which says how far it goes.
    fn reduction(&mut self, env: &[Index], depth: usize) -> Expr {
        let (name, shape) = self.random.of(&self.floats.clone());
        let (mut ids, mut inner, mut places) = (Vec::new(), env.to_vec(), Vec::new());
        let first = self.random.below(shape.len());
        for (axis, size) in shape.into_iter().enumerate() {
            if axis == first || self.random.below(3) == 0 {
                self.names += 1;
                let id = (format!("r{}", self.names), size);
                ids.push(id.clone());
                inner.push(id.clone());
                places.push(Place::Affine(vec![(id.0, 1)], 0));
            } else {
                let (place, inside) = self.place(size, env);
                places.push(if inside { place } else { Place::Affine(Vec::new(), 0) });
            }
        }
        let function = self.random.of(&["sum", "sum", "sum", "mean", "max", "logsumexp"]);
        let place = |this: &mut Self| Place::Affine(vec![(this.random.of(&inner).0, 1)], 0);
        let condition = (function == "sum" && self.random.below(2) == 0).then(|| {
            let (a, b) = (place(self), place(self));
            Condition::LessEqual(a, b)
        });
        let factor = Expr::Read(name, places);
        let body = match self.random.below(3) {
            0 => factor,
            _ => Expr::Binary('*', Box::new(factor), Box::new(self.expr(&inner, depth + 1))),
        };
        Expr::Reduce(function, ids, condition, Box::new(body))
    }

    fn statement(&mut self) -> Let {
        self.names += 1;
        let name = format!("t{}", self.names);
        let mut axes = Vec::new();
        for _ in 0..1 + self.random.below(2) {
            let mut axis = Vec::new();
            for _ in 0..if self.random.below(4) == 0 { 2 } else { 1 } {
                self.names += 1;
                axis.push((format!("i{}", self.names), self.random.of(&[2, 3, 4])));
            }
            axes.push(axis);
        }
        let env: Vec<Index> = axes.concat();
        let body = self.expr(&env, 0);
        let shape = axes.iter().map(|axis| axis.iter().map(|(_, size)| size).product()).collect();
        self.floats.push((name.clone(), shape));
        Let { name, axes, body }
    }
}

fn shown_let(one: &Let) -> String {
    let index = |(name, size): &Index| format!("{name}: {size}");
    let axis = |axis: &Vec<Index>| match &axis[..] {
        [one] => index(one),
        all => format!("({})", all.iter().map(index).collect::<Vec<_>>().join(", ").replace(", ", " ")),
    };
    let axes: Vec<String> = one.axes.iter().map(axis).collect();
    format!("    let {}[{}] = {}\n", one.name, axes.join(", "), shown(&one.body))
}

fn evaluated(lets: &[Let], values: &mut Values) -> f64 {
    let mut total = 0.0;
    for one in lets {
        let ids: Vec<Index> = one.axes.concat();
        let mut made = Vec::new();
        each(&ids, &mut Vec::new(), &mut |env| made.push(value(&one.body, values, env)));
        let shape = one.axes.iter().map(|axis| axis.iter().map(|(_, size)| size).product()).collect();
        total += made.iter().sum::<f64>();
        values.insert(one.name.clone(), Value { shape, values: made });
    }
    total
}

fn programs() {
    for seed in 1..=PROGRAMS {
        let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        random.below(1);
        let params = [("a", vec![3, 4]), ("b", vec![4]), ("c", vec![2, 3, 4]), ("w", vec![12])];
        let ints = [("p", 4, 3), ("q", 6, 4)];
        let mut growing = Growing {
            random,
            floats: params.iter().map(|(name, shape)| (name.to_string(), shape.clone())).collect(),
            ints: ints.iter().map(|(name, length, below)| (name.to_string(), *length, *below)).collect(),
            names: 0,
        };
        let lets: Vec<Let> = (0..3).map(|_| growing.statement()).collect();
        let mut text = String::from(
            "// file d.csv: x | 1 | 2\ndata d = csv(\"d.csv\") {\n    x = x\n    split = holdout(train = 100%)\n}\n",
        );
        text.push_str("model Net(x: [n]) -> [n] {\n    param z: [] = 0\n    out x * z\n}\ntrain {\n    data = d\n    model = Net\n");
        for (name, shape) in &params {
            writeln!(text, "    param {name}: {shape:?} ~ normal(0, 0.7)").expect("a string takes text");
        }
        for (name, length, below) in ints {
            writeln!(text, "    let {name}[i: {length}] = mod(3 * i + 1, {below})").expect("a string takes text");
        }
        lets.iter().for_each(|one| text.push_str(&shown_let(one)));
        let sums: Vec<String> = lets.iter().map(|one| format!("sum({})", one.name)).collect();
        writeln!(text, "    minimize {} + 0 * mean(model(x)) using sgd(lr = 0)\n    steps = 1\n}}", sums.join(" + "))
            .expect("a string takes text");
        agrees(seed, &text, &lets, &ints);
    }
}

fn agrees(seed: u64, text: &str, lets: &[Let], ints: &[(&str, usize, usize)]) {
    let mut sources = Sources::default();
    let (checked, files, _folder) = spec::opened(&mut sources, text);
    let errors: Vec<&String> =
        checked.found.iter().filter(|one| one.code.starts_with('E')).map(|one| &one.message).collect();
    assert!(errors.is_empty(), "{seed}: {errors:?}\n{text}");
    // A program in which nothing is trained is none.
    let [program] = &checked.programs[..] else { panic!("{seed}: no program\n{text}") };
    let lowered = compile::lower(program).unwrap_or_else(|error| panic!("{seed}: {error}\n{text}"));
    let data = files.open(&program.data).expect("no data is read");
    let schedule = Schedule { steps: 1, epochs: 1, batch: program.data.rows()[0], seed: 1, threads: 2, kept: KEPT };
    let mut run = Run::new(&lowered, schedule, &data).expect("a run");
    let (graph, feed) = run.for_reference().expect("a feed");
    let mut values: Values = HashMap::new();
    for param in &lowered.params {
        let tensor = &feed[param.input];
        values.insert(param.path.clone(), Value { shape: tensor.shape.clone(), values: tensor.values.clone() });
    }
    for (name, shape) in [("a", vec![3, 4]), ("b", vec![4]), ("c", vec![2, 3, 4]), ("w", vec![12])] {
        let count = shape.iter().product();
        values.entry(name.to_string()).or_insert(Value { shape, values: vec![0.5; count] });
    }
    for (name, length, below) in ints {
        let numbers = (0..*length).map(|i| ((3 * i + 1) % below) as f64).collect();
        values.insert(name.to_string(), Value { shape: vec![*length], values: numbers });
    }
    let phase = &lowered.phases[0];
    let roots: Vec<NodeId> = std::iter::once(phase.loss).chain(phase.gradients.iter().map(|(_, by)| *by)).collect();
    let defined = reference::run(&graph, &roots, &feed).expect("numbers");
    let near = |a: f64, b: f64, scale: f64| (a - b).abs() <= scale * (1.0 + a.abs().max(b.abs()));
    let loss = evaluated(lets, &mut values);
    assert!(near(loss, defined[0].values[0], 1e-9), "{seed}: {loss} is computed as {}\n{text}", defined[0].values[0]);
    for ((param, _), found) in phase.gradients.iter().zip(&defined[1..]) {
        let path = lowered.params[*param].path.clone();
        for at in 0..found.values.len() {
            let mut moved = |by: f64| {
                values.get_mut(&path).expect("a parameter").values[at] += by;
                evaluated(lets, &mut values)
            };
            let (up, down) = (moved(1e-5), moved(-2e-5));
            moved(1e-5);
            let slope = (up - down) / 2e-5;
            assert!(
                near(slope, found.values[at], 1e-4),
                "{seed}: d/d{path}[{at}] is {slope}, not {}\n{text}",
                found.values[at]
            );
        }
    }
    spec::agrees_with_the_reference(&lowered, &mut run, 1);
}

/// A scattered sum, a running sum, products of several factors and under a condition, windows: nothing of the size of all pairs lies
/// in memory in a step, gradients included.
fn stores_no_pairs() {
    let bodies = [
        ("let y[i: 40, u] = sum(e where to[e] == i: m[from[e], u] * g[e])", "y", 60 * 40 * 8),
        ("let y[i: 60, u] = sum(e where e <= i: h[e, u])", "y", 60 * 60 * 8),
        ("let y[e] = sum(i, u: h[e, u] * m[i, u] * k[i])", "y", 60 * 40 * 8),
        ("let y[e, i] = sum(u, v: h[e, u] * w[u, v] * m[i, v])", "y", 60 * 40 * 8),
        ("let y[e: 60, u] = sum(f where f <= e: s[e, f] * h[f, u])", "y", 60 * 60 * 8),
        // A convolution's windows, and those of its gradient; of a pooling they are as large as what they are of.
        ("let y[i: 45, o] = sum(u, c: h[i + u, c] * q[o, u, c])", "y", 45 * 16 * 8),
        ("let y[i: 20, u] = max(a where a < 3: s[3 * i + a, u])", "y", 60 * 60 + 1),
        // Of two axes: zeros lie around the image, not around the windows of one axis.
        ("let y[a: 14, b: 14, o] = sum(u, v, c: r[a + u, b + v, c] * t[o, u, v, c])", "y", 16 * 18 * 3 * 8),
    ];
    for (body, name, pairs) in bodies {
        let text = format!(
            "// file d.csv: x | 1 | 2\ndata d = csv(\"d.csv\") {{\n    x = x\n    split = holdout(train = 100%)\n}}\n\
             model Net(x: [n]) -> [n] {{\n    param z: [] = 0\n    out x * z\n}}\ntrain {{\n    data = d\n    model = Net\n    \
             param m: [40, 8] ~ normal(0, 1)\n    param h: [60, 8] ~ normal(0, 1)\n    param g: [60] = 1\n    param k: [40] = 1\n    \
             param w: [8, 8] ~ normal(0, 1)\n    param s: [60, 60] ~ normal(0, 1)\n    param q: [8, 16, 8] ~ normal(0, 1)\n    \
             param r: [16, 16, 8] ~ normal(0, 1)\n    param t: [8, 3, 3, 8] ~ normal(0, 1)\n    let to[e: 60] = mod(7 * e, 40)\n    \
             let from[e: 60] = mod(3 * e + 1, 40)\n    {body}\n    minimize sum({name}^2) + mean(model(x)) using sgd(lr = 0.1)\n    steps = 1\n}}\n"
        );
        let mut sources = Sources::default();
        let (checked, files, _folder) = spec::opened(&mut sources, &text);
        let errors: Vec<&String> = checked.found.iter().map(|one| &one.message).collect();
        let [program] = &checked.programs[..] else { panic!("{errors:?}\n{text}") };
        let lowered = compile::lower(program).expect("a graph");
        let data = files.open(&program.data).expect("the data");
        let schedule = Schedule { steps: 1, epochs: 1, batch: 2, seed: 1, threads: 2, kept: KEPT };
        let mut run = Run::new(&lowered, schedule, &data).expect("a run");
        let largest = run.plan().buffers.iter().map(|buffer| buffer.len).max().unwrap_or(0);
        assert!(largest < pairs, "{body}: {largest} numbers lie in one place\n{}", run.plan());
        assert!(!run.plan().to_string().contains("Fold"), "{body}: windows are added up\n{}", run.plan());
        spec::agrees_with_the_reference(&lowered, &mut run, 1);
    }
}
