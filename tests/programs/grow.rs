//! Grows programs: tensors of known shapes are made of what is there by all that the language has.

use std::fmt::Write;

/// Sizes of the columns: `x` is [n, 3], `s` is [n, 4, 2], `c` is class(3)[n], `y` is [n].
const WIDTH: usize = 3;
const STEPS: usize = 4;
const DEPTH: usize = 2;
const CLASSES: usize = 3;

/// A layer of the file: the widths that it takes and gives.
struct Layer {
    name: String,
    takes: usize,
    gives: usize,
}

/// The statements of a body, and what they have made so far.
struct Body<'r> {
    below: &'r mut dyn FnMut(usize) -> usize,
    layers: &'r [Layer],
    lines: Vec<String>,
    /// Names of [n, width].
    vectors: Vec<(String, usize)>,
    /// Names of [n, steps, width].
    sequences: Vec<(String, usize, usize)>,
    /// Names of [classes, width].
    tables: Vec<(String, usize)>,
    count: usize,
}

pub fn program(below: &mut dyn FnMut(usize) -> usize) -> String {
    let mut text = format!(
        "data d = rows(5, seed = {}) {{\n    x: [{WIDTH}] ~ normal(0, 1)\n    s: [{STEPS}, {DEPTH}] ~ normal(0, 1)\n    \
         c: class({CLASSES})[] ~ categorical([0, 0, 1])\n    y: [] ~ normal(0, 1)\n    split = holdout(train = 100%)\n}}\n",
        below(100)
    );
    text += "fn spread(v: [k]) -> [] = sqrt(mean((v - mean(v))^2) + 0.1)\n";
    text += "fn bent(v: [..s]) -> [..s] = if v > 0 then tanh(v) else 0.5 * v\n";
    text += "optimizer slow(lr = 0.1, keep = 0.5) {\n    state m = 0\n    m' = keep * m + (1 - keep) * g\n    p' = p - lr * m'\n}\n";
    let mut layers: Vec<Layer> = Vec::new();
    for at in 0..below(3) {
        let (takes, gives) = (2 + below(3), 2 + below(3));
        text += &layer(below, &layers, &format!("block{at}"), takes, gives);
        layers.push(Layer { name: format!("block{at}"), takes, gives });
    }
    text += &model(below, &layers);
    let loops = text.contains("scan");
    text += &train(below, loops);
    text
}

fn layer(below: &mut dyn FnMut(usize) -> usize, layers: &[Layer], name: &str, takes: usize, gives: usize) -> String {
    let mut body = Body::new(below, layers);
    body.vectors.push(("v".to_string(), takes));
    if body.one_in(3) {
        body.lines.push(format!("state average: [{takes}] = 0"));
        body.lines.push("let now[e] = mean(n: v[n, e])".to_string());
        body.lines.push("average' = 0.9 * average + 0.1 * now".to_string());
        body.lines.push("let centred = v - (if training then now else average)".to_string());
        body.vectors.push(("centred".to_string(), takes));
    }
    let out = body.vector(gives, 3);
    let head = format!("layer {name}(rate = 0.5)(v: [n, {takes}], c: class({CLASSES})[n]) -> [n, {gives}]");
    format!("{head} {{\n{}    out rate * {out}\n}}\n", body.text())
}

fn model(below: &mut dyn FnMut(usize) -> usize, layers: &[Layer]) -> String {
    let mut body = Body::new(below, layers);
    body.vectors.push(("x".to_string(), WIDTH));
    body.sequences.push(("s".to_string(), STEPS, DEPTH));
    let inner = body.vector(2 + body.count % 3, 4);
    body.lines.push(format!("let inner = {inner}"));
    body.lines.push("emit size = mean(inner^2)".to_string());
    let head = format!("model Net(x: [n, {WIDTH}], s: [n, {STEPS}, {DEPTH}], c: class({CLASSES})[n]) -> [n]");
    format!("{head} {{\n{}    out inner |> dense(1) |> squeeze\n}}\n", body.text())
}

/// What loops sum over rows in their steps is not computed in parts.
fn train(below: &mut dyn FnMut(usize) -> usize, loops: bool) -> String {
    let mut lines = vec!["let z = model(x, s, c)".to_string()];
    let mut loss = "mse(z, y)".to_string();
    // None that makes a step of the sign of a gradient, which is rounding where the gradient is 0.
    let optimizers =
        ["sgd(lr = 0.01)", "sgd(lr = 0.01, momentum = 0.5)", "slow", "slow except sgd(lr = 0.01) for \"**.b\""];
    let mut using = || optimizers[below(optimizers.len())];
    let (first, second) = (using(), using());
    match below(5) {
        0 => loss += " + 0.1 * sum(emitted(z, \"size\"))",
        1 => loss += " + 0.001 * total(model^2)",
        2 => {
            lines.push("let slope = grad(sum(z), x)".to_string());
            loss += " + 0.1 * mean(slope^2)";
        }
        3 => {
            lines.push("let noise: [n] ~ normal(0, 0.1)".to_string());
            loss += " + mean(noise * z)";
        }
        _ => {}
    }
    match below(6) {
        0 => {
            lines.push("let other = Net".to_string());
            lines.push(format!("minimize first = {loss} using {first} over model"));
            lines.push(format!("minimize second = mse(other(x, s, c), constant(z)) using {second} over other times 2"));
        }
        1 => {
            lines.push("state teacher = model".to_string());
            lines.push("teacher' = 0.9 * teacher + 0.1 * model'".to_string());
            lines.push(format!("minimize {loss} + 0.1 * mse(z, teacher(x, s, c)) using {first}"));
        }
        2 => {
            lines.push("let moved = model - 0.01 * grad(mse(z, y), model)".to_string());
            lines.push(format!("minimize mse(moved(x, s, c), y) using {first}"));
        }
        _ => lines.push(format!("minimize {loss} using {first}")),
    }
    lines.push("report r2(z, y)".to_string());
    lines.push("report far = max(abs(z - y))".to_string());
    if below(4) == 0 && !loops {
        lines.push("accumulate = 2".to_string());
    }
    lines.push("steps = 1".to_string());
    let text: String = lines.iter().map(|line| format!("    {line}\n")).collect();
    format!("train {{\n    data = d\n    model = Net\n{text}}}\n")
}

impl<'r> Body<'r> {
    fn new(below: &'r mut dyn FnMut(usize) -> usize, layers: &'r [Layer]) -> Body<'r> {
        let none = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (lines, vectors, sequences, tables) = none;
        Body { below, layers, lines, vectors, sequences, tables, count: 0 }
    }

    fn text(&self) -> String {
        self.lines.iter().fold(String::new(), |mut text, line| {
            writeln!(text, "    {line}").expect("a string takes text");
            text
        })
    }

    fn pick(&mut self, end: usize) -> usize {
        (self.below)(end)
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.pick(count) == 0
    }

    fn name(&mut self, start: &str) -> String {
        self.count += 1;
        format!("{start}{}", self.count)
    }

    /// The name of some vector that is there.
    fn known(&mut self) -> (String, usize) {
        let at = self.pick(self.vectors.len());
        self.vectors[at].clone()
    }

    /// A tensor [n, width], in parentheses where it needs them.
    fn vector(&mut self, width: usize, fuel: usize) -> String {
        if fuel == 0 {
            return self.leaf(width);
        }
        let less = fuel - 1;
        match self.pick(19) {
            0 => {
                let function =
                    ["tanh", "bent", "sigmoid", "sin", "softplus", "cumsum", "softmax", "sort", "abs", "relu"];
                let function = function[self.pick(function.len())];
                format!("{function}({})", self.vector(width, less))
            }
            1 => {
                let sign = ["+", "-", "*"][self.pick(3)];
                format!("({} {sign} {})", self.vector(width, less), self.vector(width, less))
            }
            2 => {
                let condition =
                    if self.one_in(2) { "2 > 1".to_string() } else { format!("{} > 0", self.vector(width, 0)) };
                format!("(if {condition} then {} else {})", self.vector(width, less), self.vector(width, less))
            }
            3 => {
                let inner = 2 + self.pick(3);
                format!("({} |> dense({width}) |> tanh)", self.vector(inner, less))
            }
            4 => format!("({} |> [dense(4), tanh, dense({width})])", self.vector(width, less)),
            5 => format!("({} |> repeat(2, dense({width})))", self.vector(width, less)),
            6 => format!("({} |> [dense(k) for k in [4, {width}]])", self.vector(width, less)),
            7 => {
                let (a, b) = (self.vector(width, less), self.vector(2, less));
                format!("concat({b}, {a})[.., 2..]")
            }
            8 => {
                let (a, b) = (self.name("a"), self.name("b"));
                let whole = self.vector(2 + self.count % 3, less);
                self.lines.push(format!("let {a}, {b} = {whole} |> dense({}) |> split(2)", 2 * width));
                self.vectors.push((a.clone(), width));
                format!("({a} * sigmoid({b}))")
            }
            9 => self.application(width, less),
            10 => {
                let name = self.name("z");
                self.lines.push(format!("let {name}: [n, {width}] ~ normal(0, 0.1)"));
                self.vectors.push((name.clone(), width));
                name
            }
            11..=13 => self.indexed(width, less),
            14 => self.recurrent(width, less),
            15 => {
                let sequence = self.sequence(less);
                format!("(mean_of_steps({sequence}) |> dense({width}))").replace("mean_of_steps", "sequence_mean")
            }
            16 => {
                let each = self.vector(width, less);
                format!("({each} * mean(stack([tanh(k * {}) for k in 1..3], axis = 0)))", self.vector(width, 0))
            }
            17 => {
                let name = self.name("values");
                let whole = self.vector(width + 1, less);
                self.lines.push(format!("let {name}, {name}_at = top_k({whole}, {width})"));
                self.vectors.push((name.clone(), width));
                name
            }
            _ => self.leaf(width),
        }
    }

    /// What is there, widened by a layer where its width is another.
    fn leaf(&mut self, width: usize) -> String {
        let (name, own) = self.known();
        if own == width { name } else { format!("({name} |> dense({width}))") }
    }

    /// A layer of the file.
    fn application(&mut self, width: usize, fuel: usize) -> String {
        if self.layers.is_empty() {
            return self.leaf(width);
        }
        let at = self.pick(self.layers.len());
        let Layer { name, takes, gives } = &self.layers[at];
        let (name, takes, gives) = (name.clone(), *takes, *gives);
        let given = self.vector(takes, fuel);
        let setting = ["", "(rate = 0.2)"][self.pick(2)];
        let made = if self.one_in(2) {
            let own = self.name("own");
            let recipe = if setting.is_empty() { format!("{name}()") } else { format!("{name}{setting}") };
            self.lines.push(format!("let {own} = {recipe}"));
            format!("{own}({own}_first, c)").replace(&format!("{own}_first"), &given)
        } else {
            format!("({given} |> {name}{}(c))", if setting.is_empty() { "()" } else { setting })
        };
        if gives == width { made } else { format!("({made} |> dense({width}))") }
    }

    /// An indexed `let`.
    fn indexed(&mut self, width: usize, fuel: usize) -> String {
        let body = self.element(width, fuel.max(1));
        let name = self.name("m");
        self.lines.push(format!("let {name}[n, i: {width}] = {body}"));
        self.vectors.push((name.clone(), width));
        name
    }

    /// A number for each `n` and each `i` below a width.
    fn element(&mut self, width: usize, fuel: usize) -> String {
        let (name, own) = self.known();
        let j = self.name("j");
        let bare = match own {
            _ if own == width => format!("{name}[n, i]"),
            _ if own > width => format!("{name}[n, i + {}]", own - width),
            _ => format!("(if i < {own} then {name}[n, i] else 0.1 * i)"),
        };
        if fuel == 0 {
            return bare;
        }
        let less = fuel - 1;
        match self.pick(14) {
            0 => format!(
                "(if i >= 1 then {} else {bare})",
                bare.replace("i + ", "(i - 1) + ").replace("n, i]", "n, i - 1]")
            ),
            1 => format!("sum({j}: {name}[n, {j}] * {name}[n, {}])", self.place(own)),
            2 => format!("sum({j} where {j} <= i: {name}[n, {j}])"),
            3 => format!("tanh({} * {})", self.element(width, less), self.element(width, less)),
            4 => format!("spread({j}: {name}[n, {j}] + 0.1 * i)"),
            5 => format!("(if c[n] == 1 then {} else {})", self.element(width, less), self.element(width, less)),
            6 => format!("mean({j} where {name}[n, {j}] > -5: {name}[n, {j}] * {name}[n, {j}])"),
            7 => {
                let steps = ["0..3", "1..3"][self.pick(2)];
                let first = self.element(width, 0);
                format!(
                    "last(scan {j} in {steps} {{ state h: [] = {first} let u = 0.5 * h + 0.1 * {j} h' = u out h' }})"
                )
            }
            8 => {
                let table = self.table(width);
                format!("{table}[c[n], i]")
            }
            9 => match self.sequences.last().cloned() {
                Some((sequence, _, inner)) => {
                    let k = self.name("k");
                    format!("sum({j}, {k}: {sequence}[n, {j}, {k}] * 0.{})", inner + 1)
                }
                None => bare,
            },
            10 => format!("max({bare}, {})", self.element(width, less)),
            11 => format!("quantile({j}: {name}[n, {j}], 0.3)"),
            12 => format!("({} + 0.1 * i)", self.element(width, less)),
            _ => bare,
        }
    }

    /// A place within an axis.
    fn place(&mut self, size: usize) -> String {
        self.pick(size).to_string()
    }

    /// A parameter with a row for each class.
    fn table(&mut self, width: usize) -> String {
        if let Some((name, _)) = self.tables.iter().find(|(_, own)| *own == width) {
            return name.clone();
        }
        let name = self.name("table");
        let start = ["~ normal(0, 0.5)", "= 0.3", "~ glorot_uniform", "~ truncated_normal(0, 0.5)"][self.pick(4)];
        self.lines.push(format!("param {name}: [{CLASSES}, {width}] {start}"));
        self.tables.push((name.clone(), width));
        name
    }

    /// A tensor [n, steps, width].
    fn sequence(&mut self, fuel: usize) -> String {
        if let Some((name, ..)) = self.sequences.last().cloned()
            && self.one_in(2)
        {
            return if self.one_in(2) { name } else { format!("({name} |> dense(3) |> tanh)") };
        }
        let name = self.name("steps");
        let body = self.element(3, fuel);
        let body = body.replace("; ", "");
        self.lines.push(format!("let {name}[n, t: {STEPS}, i: 3] = 0.5 * t + {body}"));
        self.sequences.push((name.clone(), STEPS, 3));
        name
    }

    /// A loop over the steps of a sequence.
    fn recurrent(&mut self, width: usize, fuel: usize) -> String {
        let sequence = self.sequence(fuel);
        let (given, own, back, made) = (self.name("given"), self.name("own"), self.name("back"), self.name("h"));
        self.lines.push(format!("let {given} = {sequence}"));
        self.lines.push(format!("let {own} = dense({width})"));
        self.lines.push(format!("let {back} = dense({width}, bias = false)"));
        let first = self.leaf(width);
        // Products of what the step reads, of what the step before left, of both, and of what is given.
        let body = match self.pick(4) {
            0 => format!("h' = tanh({own}(concat(at, h)) - {back}(h)) out h'"),
            1 => format!("h' = tanh({own}(at) + h) out {back}(h')"),
            2 => format!(
                "state all: [n, {width}] = 0 h' = sin({own}(at) + {back}(h)) all' = all + {back}(h) out all' * h'"
            ),
            _ => format!("h' = tanh({own}(at) + {back}(h)) out h'"),
        };
        let scan = format!("scan at in {given}[n, t, e] over t {{ state h: [n, {width}] = {first} {body} }}");
        if self.one_in(2) {
            return format!("last({scan})");
        }
        self.lines.push(format!("let {made} = {scan}"));
        if self.one_in(2) { format!("last({made})") } else { format!("({made}[.., 1, 0..{width}] + last({made}))") }
    }
}
