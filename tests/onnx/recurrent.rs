//! Loops over time: RNN, GRU, LSTM.

use super::case::{Case, Made, Program};

pub fn program(case: &Case) -> Option<Made> {
    let gates: &[&str] = match case.op.as_str() {
        "RNN" => &["a"],
        "GRU" => &["z", "r", "c"],
        "LSTM" => &["i", "o", "f", "c"],
        _ => return None,
    };
    Some(Ok(looped(case, gates)))
}

fn looped(case: &Case, gates: &[&str]) -> Program {
    let units = case.int("hidden_size", 1) as usize;
    let rows_first = case.int("layout", 0) == 1;
    let (first, second, width) = (case.shape(0)[0], case.shape(0)[1], case.shape(0)[2]);
    let (steps, rows) = if rows_first { (second, first) } else { (first, second) };
    let directions = case.shape(1)[0];
    let turned = |direction: usize| direction == 1 || case.text("direction") == "reverse";
    let mut lets = Vec::new();
    for direction in 0..directions {
        let time = if turned(direction) { format!("{} - t", steps - 1) } else { "t".to_string() };
        let read = if rows_first { format!("x0[b, {time}, e]") } else { format!("x0[{time}, b, e]") };
        lets.push(format!("let own{direction}[t: {steps}, b: {rows}, e: {width}] = {read}"));
        lets.push(scan(case, gates, direction, units, rows));
    }
    let first = |step: &str, row: &str, unit: &str, at: usize| {
        let step = if turned(at) { format!("{} - {step}", steps - 1) } else { step.to_string() };
        format!("h{at}[{step}, {row}, {unit}]")
    };
    let chosen = |direction: &str, one: &dyn Fn(usize) -> String| match directions {
        1 => one(0),
        _ => format!("(if {direction} == 0 then {} else {})", one(0), one(1)),
    };
    let (all, last) = match rows_first {
        true => (["i1", "i0", "i3", "i2"], ["i0", "i2", "i1"]),
        false => (["i0", "i2", "i3", "i1"], ["i1", "i2", "i0"]),
    };
    let end = |name: &str, at: usize| format!("{name}{at}[{}, {}, {}]", steps - 1, last[0], last[1]);
    let elements = vec![
        Some(chosen(all[3], &|at| first(all[0], all[1], all[2], at))),
        Some(chosen(last[2], &|at| end("h", at))),
        Some(chosen(last[2], &|at| end("c", at))),
    ];
    let elements = elements.into_iter().take(case.outputs.len()).collect();
    Program { lets, elements, ..Program::default() }
}

/// The loop of a direction: `h0`, and of an LSTM `c0`.
fn scan(case: &Case, gates: &[&str], at: usize, units: usize, rows: usize) -> String {
    let given = |gate: usize| format!("sum(e: now[b, e] * x1[{at}, {} + k, e])", gate * units);
    let kept = |gate: usize, of: &str| format!("sum(j: {of} * x2[{at}, {} + k, j])", gate * units);
    let bias = |gate: usize, side: usize| match case.input(3) {
        Some(_) => format!(" + x3[{at}, {} + k]", (side * gates.len() + gate) * units),
        None => String::new(),
    };
    let peephole = |gate: usize, of: &str| match case.input(7) {
        Some(_) => format!(" + x7[{at}, {} + k] * {of}[b, k]", gate * units),
        None => String::new(),
    };
    let sum = |gate: usize, of: &str| format!("{} + {}{}{}", given(gate), kept(gate, of), bias(gate, 0), bias(gate, 1));
    let target = |name: &str| format!("{name}[b: {rows}, k: {units}]");
    let start = |input: usize| match case.input(input) {
        Some(_) => format!("x{input}[{at}]"),
        None => "0".to_string(),
    };
    let mut lines = vec![format!("state h: [{rows}, {units}] = {}", start(5))];
    let (names, gives) = match gates.len() {
        1 => {
            lines.push(format!("h'[b, k: {units}] = tanh({})", sum(0, "h[b, j]")));
            (format!("h{at}"), "h'")
        }
        3 => {
            lines.push(format!("let {} = sigmoid({})", target("z"), sum(0, "h[b, j]")));
            lines.push(format!("let {} = sigmoid({})", target("r"), sum(1, "h[b, j]")));
            lines.push(format!("let {} = tanh({})", target("c"), sum(2, "r[b, j] * h[b, j]")));
            lines.push("h'[b, k] = (1 - z[b, k]) * c[b, k] + z[b, k] * h[b, k]".to_string());
            (format!("h{at}"), "h'")
        }
        _ => {
            lines.push(format!("state c: [{rows}, {units}] = {}", start(6)));
            lines.push(format!("let {} = sigmoid({}{})", target("i"), sum(0, "h[b, j]"), peephole(0, "c")));
            lines.push(format!("let {} = sigmoid({}{})", target("f"), sum(2, "h[b, j]"), peephole(2, "c")));
            lines.push(format!("let {} = tanh({})", target("g"), sum(3, "h[b, j]")));
            lines.push("c'[b, k] = f[b, k] * c[b, k] + i[b, k] * g[b, k]".to_string());
            lines.push(format!("let {} = sigmoid({}{})", target("o"), sum(1, "h[b, j]"), peephole(1, "c'")));
            lines.push("h'[b, k] = o[b, k] * tanh(c'[b, k])".to_string());
            (format!("h{at}, c{at}"), "(h', c')")
        }
    };
    let body: String = lines.iter().map(|line| format!("        {line}\n")).collect();
    format!("let {names} = scan now in own{at}[t, b, e] over t {{\n{body}        out {gives}\n    }}")
}
