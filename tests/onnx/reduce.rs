//! Reductions, running sums, orders, products of matrices.

use super::case::{Case, Kind, Made, Program, from_end, indices, number, read};

const PRODUCT: &str = "fn product(x: [k]) -> [] = last(cumprod(x))\n";

pub fn program(case: &Case) -> Option<Made> {
    Some(match case.op.as_str() {
        "ReduceL1" => reduced(case, "sum(R: abs(X))", "abs(X)"),
        "ReduceL2" => reduced(case, "sqrt(sum(R: X^2))", "sqrt(X^2)"),
        "ReduceLogSum" => reduced(case, "log(sum(R: X))", "log(X)"),
        "ReduceLogSumExp" => reduced(case, "logsumexp(R: X)", "X"),
        "ReduceMax" => reduced(case, "max(R: X)", "X"),
        "ReduceMean" => reduced(case, "mean(R: X)", "X"),
        "ReduceMin" => reduced(case, "min(R: X)", "X"),
        "ReduceProd" => reduced(case, "product(R: X)", "X"),
        "ReduceSum" => reduced(case, "sum(R: X)", "X"),
        "ReduceSumSquare" => reduced(case, "sum(R: X^2)", "X^2"),
        "GlobalAveragePool" => Ok(Program::of(over_pictures(case, "mean"))),
        "GlobalMaxPool" => Ok(Program::of(over_pictures(case, "max"))),
        "ArgMax" => Ok(Program::of(greatest(case, ""))),
        "ArgMin" => Ok(Program::of(greatest(case, "-"))),
        "Softmax" => Ok(Program::of(along(case, "softmax"))),
        "LogSoftmax" => Ok(Program::of(along(case, "log_softmax"))),
        "Hardmax" => {
            let axis = case.axis("axis", -1);
            Ok(Program::of(format!("if argmax(r: {}) == i{axis} then 1 else 0", line(case, axis, "r"))))
        }
        "LpNormalization" => {
            let axis = case.axis("axis", -1);
            let line = line(case, axis, "r");
            let norm = match case.int("p", 2) {
                1 => format!("sum(r: abs({line}))"),
                _ => format!("sqrt(sum(r: {line}^2))"),
            };
            Ok(Program::of(format!("if {norm} == 0 then 0 else {} / {norm}", case.broadcast(0))))
        }
        "CumSum" | "CumProd" => running(case),
        "TopK" => best(case),
        "MatMul" => product(case),
        "Gemm" => gemm(case),
        "Einsum" => einsum(case),
        _ => return None,
    })
}

/// The first input along an axis by an index, at the indices of the result elsewhere.
fn line(case: &Case, axis: usize, index: &str) -> String {
    let mut places = indices(case.rank(0));
    places[axis] = index.to_string();
    case.at(0, &places)
}

fn along(case: &Case, function: &str) -> String {
    let axis = case.axis("axis", -1);
    format!("{function}(i{axis}: {})", case.broadcast(0))
}

/// The axes that are reduced: by the attribute, or the second input.
fn axes(case: &Case) -> Vec<usize> {
    let rank = case.rank(0);
    let told = case.ints("axes").or_else(|| case.known(1)).filter(|axes| !axes.is_empty());
    match told {
        Some(axes) => axes.into_iter().map(|axis| from_end(axis, rank)).collect(),
        None if case.int("noop_with_empty_axes", 0) == 1 => Vec::new(),
        None => (0..rank).collect(),
    }
}

fn reduced(case: &Case, template: &str, of_one: &str) -> Made {
    let axes = axes(case);
    let keeps = case.int("keepdims", 1) == 1;
    let mut next = 0;
    let mut places = Vec::new();
    for axis in 0..case.rank(0) {
        let gone = axes.contains(&axis);
        places.push(if gone { format!("r{axis}") } else { format!("i{next}") });
        next += usize::from(!gone || keeps);
    }
    let bools = case.input(0).is_some_and(|input| input.kind == Kind::Bool);
    let element = case.at(0, &places);
    let element = if bools { format!("(if {element} then 1 else 0)") } else { element };
    let names: Vec<String> = axes.iter().map(|axis| format!("r{axis}")).collect();
    let template = if axes.is_empty() { of_one } else { template };
    let text = template.replace('R', &names.join(", ")).replace('X', &element);
    let text = if bools { format!("{text} > 0.5") } else { text };
    Ok(Program { functions: PRODUCT.to_string(), ..Program::of(text) })
}

fn over_pictures(case: &Case, function: &str) -> String {
    let inner: Vec<String> = (2..case.rank(0)).map(|axis| format!("r{axis}")).collect();
    let places = [&indices(2)[..], &inner[..]].concat();
    format!("{function}({}: {})", inner.join(", "), case.at(0, &places))
}

fn greatest(case: &Case, sign: &str) -> String {
    let (axis, rank) = (case.axis("axis", 0), case.rank(0));
    let keeps = case.int("keepdims", 1) == 1;
    let last = case.int("select_last_index", 0) == 1;
    let most = case.shape(0)[axis] - 1;
    let place = |at: usize| match at {
        _ if at == axis && last => format!("{most} - r"),
        _ if at == axis => "r".to_string(),
        _ if at > axis && !keeps => format!("i{}", at - 1),
        _ => format!("i{at}"),
    };
    let element = case.at(0, &(0..rank).map(place).collect::<Vec<_>>());
    let found = format!("argmax(r: {sign}{element})");
    if last { format!("{most} - {found}") } else { format!("0 + {found}") }
}

fn running(case: &Case) -> Made {
    let axis = from_end(case.known(1).ok_or("the axis is known in the run alone")?[0], case.rank(0));
    let compare = match (case.int("reverse", 0) == 1, case.int("exclusive", 0) == 1) {
        (false, false) => "<=",
        (false, true) => "<",
        (true, false) => ">=",
        (true, true) => ">",
    };
    let line = line(case, axis, "r");
    let element = match case.op.as_str() {
        "CumSum" => format!("sum(r where r {compare} i{axis}: {line})"),
        _ => format!("product(r: if r {compare} i{axis} then {line} else 1)"),
    };
    Ok(Program { functions: PRODUCT.to_string(), ..Program::of(element) })
}

fn best(case: &Case) -> Made {
    let (axis, rank) = (case.axis("axis", -1), case.rank(0));
    let count = case.known(1).ok_or("how many is known in the run alone")?[0];
    let sign = if case.int("largest", 1) == 1 { "" } else { "-" };
    let others: Vec<usize> = (0..rank).filter(|at| *at != axis).collect();
    let order: Vec<usize> = others.iter().copied().chain([axis]).collect();
    let named: Vec<String> = order.iter().map(|at| format!("a{at}: {}", case.shape(0)[*at])).collect();
    let places: Vec<String> = (0..rank).map(|at| format!("a{at}")).collect();
    let lets = vec![
        format!("let lines[{}] = {sign}{}", named.join(", "), case.at(0, &places)),
        format!("let values, places = top_k(lines, {count})"),
    ];
    let at: Vec<String> = order.iter().map(|at| format!("i{at}")).collect();
    let elements = vec![Some(format!("{sign}{}", read("values", &at))), Some(format!("0 + {}", read("places", &at)))];
    Ok(Program { lets, elements, ..Program::default() })
}

/// Matrices, the last two axes; a vector is a row or a column.
fn product(case: &Case) -> Made {
    let (a, b, all) = (case.rank(0), case.rank(1), case.wanted(0).len());
    let batches = all + usize::from(a == 1) + usize::from(b == 1) - 2;
    let batch = |input: usize, rank: usize| -> Vec<String> {
        let own = rank.saturating_sub(2);
        (0..own)
            .map(|at| if case.shape(input)[at] == 1 { "0".to_string() } else { format!("i{}", batches - own + at) })
            .collect()
    };
    let mut left = batch(0, a);
    left.extend((a > 1).then(|| format!("i{batches}")));
    left.push("k".to_string());
    let mut right = batch(1, b);
    right.push("k".to_string());
    right.extend((b > 1).then(|| format!("i{}", all - 1)));
    Ok(Program::of(format!("sum(k: {} * {})", case.at(0, &left), case.at(1, &right))))
}

fn gemm(case: &Case) -> Made {
    let pair = |turned: bool, one: &str, two: &str| {
        if turned { [two.to_string(), one.to_string()] } else { [one.to_string(), two.to_string()] }
    };
    let a = case.at(0, &pair(case.int("transA", 0) == 1, "i0", "k"));
    let b = case.at(1, &pair(case.int("transB", 0) == 1, "k", "i1"));
    let product = format!("{} * sum(k: {a} * {b})", number(case.float("alpha", 1.0)));
    let more = case.input(2).map(|_| format!(" + {} * {}", number(case.float("beta", 1.0)), case.broadcast(2)));
    Ok(Program::of(product + &more.unwrap_or_default()))
}

fn einsum(case: &Case) -> Made {
    let equation: String = case.text("equation").chars().filter(|letter| !letter.is_whitespace()).collect();
    if equation.contains("...") {
        return Err("axes without letters are rests, which are named");
    }
    let (given, result) = match equation.split_once("->") {
        Some((given, result)) => (given.to_string(), result.to_string()),
        None => {
            let mut once: Vec<char> = equation.chars().filter(|letter| letter.is_alphabetic()).collect();
            once.sort_unstable();
            let alone = |letter: &&char| equation.matches(**letter).count() == 1;
            (equation.clone(), once.iter().filter(alone).collect())
        }
    };
    let name = |letter: char| match result.find(letter) {
        Some(at) => format!("i{at}"),
        None => format!("r{letter}"),
    };
    let mut summed: Vec<String> = Vec::new();
    let mut factors = Vec::new();
    for (input, letters) in given.split(',').enumerate() {
        let places: Vec<String> = letters.chars().map(name).collect();
        summed.extend(places.iter().filter(|place| place.starts_with('r')).cloned());
        factors.push(case.at(input, &places));
    }
    summed.sort();
    summed.dedup();
    let product = factors.join(" * ");
    Ok(Program::of(if summed.is_empty() { product } else { format!("sum({}: {product})", summed.join(", ")) }))
}
