//! Parts of networks: norms, windows, losses.

use super::case::{Case, Kind, Made, Program, from_end, indices, number};

pub fn program(case: &Case) -> Option<Made> {
    Some(match case.op.as_str() {
        "AveragePool" | "MaxPool" | "LpPool" => pooled(case),
        "Conv" => convolved(case),
        "ConvTranspose" => transposed(case),
        "BatchNormalization" => batch_norm(case),
        "InstanceNormalization" => {
            let spread: Vec<usize> = (2..case.rank(0)).collect();
            let element = normalized(case, &spread, case.float("epsilon", 1e-5), true);
            Ok(Program::of(format!("x1[i1] * ({element}) + x2[i1]")))
        }
        "LayerNormalization" => Ok(layer_norm(case)),
        "RMSNormalization" => {
            let axes: Vec<usize> = (case.axis("axis", -1)..case.rank(0)).collect();
            let eps = number(case.float("epsilon", 1e-5));
            let (names, element) = over(case, &axes);
            let own = case.broadcast(0);
            Ok(Program::of(format!("{} * {own} / sqrt(mean({names}: {element}^2) + {eps})", case.broadcast(1))))
        }
        "GroupNormalization" => group_norm(case),
        "MeanVarianceNormalization" => {
            let axes = case.ints("axes").unwrap_or_else(|| vec![0, 2, 3]);
            let axes: Vec<usize> = axes.into_iter().map(|axis| from_end(axis, case.rank(0))).collect();
            let (names, element) = over(case, &axes);
            let mean = format!("mean({names}: {element})");
            let spread = format!("sqrt(mean({names}: {element}^2) - {mean}^2)");
            Ok(Program::of(format!("({} - {mean}) / ({spread} + 1e-9)", case.broadcast(0))))
        }
        "Dropout" => dropout(case),
        "NegativeLogLikelihoodLoss" => loss(case, false),
        "SoftmaxCrossEntropyLoss" => loss(case, true),
        "Adam" | "Adagrad" | "Momentum" => {
            Err("an optimizer is a recurrence over parameters, not a function of tensors")
        }
        _ => return None,
    })
}

/// The names of reductions over some axes, and the element there.
fn over(case: &Case, axes: &[usize]) -> (String, String) {
    let place = |at: usize| if axes.contains(&at) { format!("r{at}") } else { format!("i{at}") };
    let names: Vec<String> = axes.iter().map(|at| format!("r{at}")).collect();
    (names.join(", "), case.at(0, &(0..case.rank(0)).map(place).collect::<Vec<_>>()))
}

fn normalized(case: &Case, axes: &[usize], eps: f64, whole: bool) -> String {
    let (names, element) = over(case, axes);
    let mean = format!("mean({names}: {element})");
    // The mean of squares of what is left of the mean, which reads no index of the reduction.
    let variance = format!("variance({names}: {element})");
    let own = case.broadcast(0);
    if whole { format!("({own} - {mean}) / sqrt({variance} + {})", number(eps)) } else { mean }
}

fn layer_norm(case: &Case) -> Program {
    let first = case.axis("axis", -1);
    let axes: Vec<usize> = (first..case.rank(0)).collect();
    let eps = case.float("epsilon", 1e-5);
    let (names, element) = over(case, &axes);
    let scaled = format!("{} * ({})", case.broadcast(1), normalized(case, &axes, eps, true));
    let shifted = if case.input(2).is_some() { format!("{scaled} + {}", case.broadcast(2)) } else { scaled };
    let mean = format!("mean({names}: {element})");
    let spread = format!("1 / sqrt(variance({names}: {element}) + {})", number(eps));
    let all = [Some(shifted), Some(mean), Some(spread)];
    Program { elements: all.into_iter().take(case.outputs.len()).collect(), ..Program::default() }
}

fn group_norm(case: &Case) -> Made {
    let groups = case.int("num_groups", 1) as usize;
    let Some((channels, inner)) = case.shape(0)[1..].split_first() else { return Err("no channels") };
    let each = channels / groups;
    let rest: Vec<String> = (0..inner.len()).map(|at| format!("s{at}")).collect();
    let reads = rest.join(", ");
    let lets = vec![
        format!("let parts[n: {}, g: {groups}, c: {each}, {}] = x0[n, (g c), {reads}]", case.shape(0)[0], sized(inner)),
        format!("let middle[n, g] = mean(c, {reads}: parts[n, g, c, {reads}])"),
        format!("let width[n, g] = variance(c, {reads}: parts[n, g, c, {reads}])"),
        format!("let middles[n, (g c: {each})] = middle[n, g]"),
        format!("let widths[n, (g c: {each})] = width[n, g]"),
    ];
    let own = case.broadcast(0);
    let eps = number(case.float("epsilon", 1e-5));
    let element = format!("x1[i1] * ({own} - middles[i0, i1]) / sqrt(widths[i0, i1] + {eps}) + x2[i1]");
    Ok(Program { lets, ..Program::of(element) })
}

fn sized(inner: &[usize]) -> String {
    inner.iter().enumerate().map(|(at, size)| format!("s{at}: {size}")).collect::<Vec<_>>().join(", ")
}

fn batch_norm(case: &Case) -> Made {
    let eps = number(case.float("epsilon", 1e-5));
    let own = case.broadcast(0);
    if case.int("training_mode", 0) == 0 {
        let element = format!("x1[i1] * ({own} - x3[i1]) / sqrt(x4[i1] + {eps}) + x2[i1]");
        return Ok(Program::of(element));
    }
    let all: Vec<usize> = (0..case.rank(0)).filter(|at| *at != 1).collect();
    let (names, element) = over(case, &all);
    let momentum = case.float("momentum", 0.9);
    let (kept, new) = (number(momentum), number(1.0 - momentum));
    let running = |statistic: &str, input: usize| {
        format!("{kept} * x{input}[i0] + {new} * {statistic}({names}: {})", element.replace("i1", "i0"))
    };
    let element = format!("x1[i1] * ({}) + x2[i1]", normalized(case, &all, case.float("epsilon", 1e-5), true));
    Ok(Program {
        elements: vec![Some(element), Some(running("mean", 3)), Some(running("variance", 4))],
        ..Program::default()
    })
}

/// How windows lie along each axis: size, stride, dilation, and how far the first begins before the image.
struct Windows {
    size: Vec<i64>,
    stride: Vec<i64>,
    dilation: Vec<i64>,
    before: Vec<i64>,
    after: Vec<i64>,
}

fn windows(case: &Case, size: Vec<i64>) -> Windows {
    let axes = size.len();
    let each = |name: &str, default: i64| case.ints(name).unwrap_or_else(|| vec![default; axes]);
    let (stride, dilation) = (each("strides", 1), each("dilations", 1));
    let pads = case.ints("pads").unwrap_or_else(|| vec![0; 2 * axes]);
    let (mut before, mut after) = (pads[..axes].to_vec(), pads[axes..].to_vec());
    if case.text("auto_pad").starts_with("SAME") {
        for at in 0..axes {
            let (own, made) = (case.shape(0)[at + 2] as i64, case.wanted(0)[at + 2] as i64);
            let all = ((made - 1) * stride[at] + dilation[at] * (size[at] - 1) + 1 - own).max(0);
            before[at] = if case.text("auto_pad") == "SAME_LOWER" { (all + 1) / 2 } else { all / 2 };
            after[at] = all - before[at];
        }
    }
    Windows { size, stride, dilation, before, after }
}

impl Windows {
    /// The place that an element of a window reads.
    fn place(&self, at: usize) -> String {
        format!(
            "{} * i{} + {} * r{at} - {}",
            self.stride[at],
            at + 2,
            self.dilation[at],
            number(self.before[at] as f64)
        )
    }

    /// Elements of a window that are there: within its size, and within some places around the image.
    fn within(&self, case: &Case, around: bool) -> String {
        let part = |at: usize| {
            let place = self.place(at);
            let (low, high) = if around { (-self.before[at], self.after[at]) } else { (0, 0) };
            let own = case.shape(0)[at + 2] as i64;
            format!("r{at} < {} and {place} >= {low} and {place} < {}", self.size[at], own + high)
        };
        (0..self.size.len()).map(part).collect::<Vec<_>>().join(" and ")
    }

    fn names(&self) -> String {
        (0..self.size.len()).map(|at| format!("r{at}")).collect::<Vec<_>>().join(", ")
    }

    fn places(&self, first: [&str; 2]) -> Vec<String> {
        first.iter().map(|place| place.to_string()).chain((0..self.size.len()).map(|at| self.place(at))).collect()
    }
}

fn pooled(case: &Case) -> Made {
    if case.input(0).is_some_and(|input| input.kind == Kind::Int) {
        return Err("of bytes");
    }
    let all = windows(case, case.ints("kernel_shape").ok_or("no size")?);
    let (names, within) = (all.names(), all.within(case, false));
    let element = case.at(0, &all.places(["i0", "i1"]));
    let made = match case.op.as_str() {
        "MaxPool" => format!("max({names} where {within}: {element})"),
        "LpPool" => {
            let p = number(case.int("p", 2) as f64);
            format!("sum({names} where {within}: abs({element})^{p})^(1 / {p})")
        }
        _ => {
            let counted = if case.int("count_include_pad", 0) == 1 { all.within(case, true) } else { within.clone() };
            format!("sum({names} where {within}: {element}) / sum({names} where {counted}: 1)")
        }
    };
    let elements = std::iter::once(Some(made)).chain((1..case.outputs.len()).map(|_| None)).collect();
    Ok(Program { elements, ..Program::default() })
}

fn convolved(case: &Case) -> Made {
    if case.int("group", 1) != 1 {
        return Err("groups are in the library's `conv`");
    }
    let all = windows(case, case.shape(1)[2..].iter().map(|size| *size as i64).collect());
    let element = case.at(0, &all.places(["i0", "c"]));
    let weight = case.at(1, &["i1".to_string(), "c".to_string()].into_iter().chain(names(&all)).collect::<Vec<_>>());
    let sum = format!("sum(c, {} where {}: {element} * {weight})", all.names(), all.within(case, false));
    Ok(Program::of(if case.input(2).is_some() { format!("{sum} + x2[i1]") } else { sum }))
}

fn names(all: &Windows) -> Vec<String> {
    (0..all.size.len()).map(|at| format!("r{at}")).collect()
}

/// Every pixel adds its multiples of the kernel where they go.
fn transposed(case: &Case) -> Made {
    if case.int("group", 1) != 1 {
        return Err("groups are in the library's `conv_transpose`");
    }
    let mut all = windows(case, case.shape(1)[2..].iter().map(|size| *size as i64).collect());
    let told = case.ints("output_shape").is_some() || case.text("auto_pad").starts_with("SAME");
    let more = case.ints("output_padding").unwrap_or_else(|| vec![0; all.size.len()]);
    for at in (0..all.size.len()).filter(|_| told) {
        let (own, made) = (case.shape(0)[at + 2] as i64, case.wanted(0)[at + 2] as i64);
        let cut = all.stride[at] * (own - 1) + more[at] + all.dilation[at] * (all.size[at] - 1) + 1 - made;
        all.before[at] = if case.text("auto_pad") == "SAME_UPPER" { cut / 2 } else { cut - cut / 2 };
        all.before[at] = if case.text("auto_pad").is_empty() { cut / 2 } else { all.before[at] };
    }
    let pixels: Vec<String> = (0..all.size.len()).map(|at| format!("p{at}")).collect();
    let goes = |at: usize| {
        let before = number(all.before[at] as f64);
        format!("{} * p{at} + {} * r{at} - {before} == i{}", all.stride[at], all.dilation[at], at + 2)
    };
    let conditions: Vec<String> = (0..all.size.len()).map(goes).collect();
    let places = |first: [&str; 2], rest: &[String]| -> Vec<String> {
        first.iter().map(|place| place.to_string()).chain(rest.iter().cloned()).collect()
    };
    let (element, weight) = (case.at(0, &places(["i0", "c"], &pixels)), case.at(1, &places(["c", "i1"], &names(&all))));
    let sum = format!(
        "sum(c, {}, {} where {}: {element} * {weight})",
        pixels.join(", "),
        all.names(),
        conditions.join(" and ")
    );
    Ok(Program::of(if case.input(2).is_some() { format!("{sum} + x2[i1]") } else { sum }))
}

fn dropout(case: &Case) -> Made {
    let training = case.input(2).is_some_and(|training| training.values[0] != 0.0);
    let ratio = case.input(1).map_or(0.5, |ratio| ratio.values[0]);
    if training && ratio != 0.0 {
        return Err("draws are those of another generator");
    }
    let elements = [Some(case.broadcast(0)), Some("1 < 2".to_string())];
    Ok(Program { elements: elements.into_iter().take(case.outputs.len()).collect(), ..Program::default() })
}

/// Losses of classes along the second axis; `raw` of scores, otherwise of logarithms of probabilities.
fn loss(case: &Case, raw: bool) -> Made {
    let inner: Vec<String> = (0..case.rank(1)).map(|at| format!("a{at}")).collect();
    let sized: Vec<String> = case.shape(1).iter().enumerate().map(|(at, size)| format!("a{at}: {size}")).collect();
    let at_class = |class: &str| [&inner[..1], &[class.to_string()], &inner[1..]].concat();
    let whole = [&inner[..1], &["k".to_string()], &inner[1..]].concat();
    let mut lets = Vec::new();
    let classes = case.shape(0)[1];
    let all = [&sized[..1], &[format!("k: {classes}")], &sized[1..]].concat();
    let told = case.at(0, &whole);
    lets.push(match raw {
        true => format!("let told[{}] = log_softmax(k: {told})", all.join(", ")),
        false => format!("let told[{}] = {told}", all.join(", ")),
    });
    let target = format!("x1[{}]", inner.join(", "));
    let ignored = case.ints("ignore_index").map(|all| all[0]).or(Some(case.int("ignore_index", i64::MIN)));
    let counts = match ignored {
        Some(class) if class != i64::MIN => format!("{target} != {class}"),
        _ => "1 < 2".to_string(),
    };
    let weight = if case.input(2).is_some() { format!("x2[{target}]") } else { "1".to_string() };
    let element = format!("-told[{}]", at_class(&target).join(", "));
    lets.push(format!("let w[{}] = if {counts} then {weight} else 0", sized.join(", ")));
    lets.push(format!("let l[{}] = if {counts} then {weight} * ({element}) else 0", sized.join(", ")));
    let made = match case.text("reduction") {
        "none" => format!("l[{}]", indices(case.rank(1)).join(", ")),
        "sum" => "sum(l)".to_string(),
        _ => "sum(l) / sum(w)".to_string(),
    };
    let places = indices(case.rank(0));
    let elements = [Some(made), Some(format!("told[{}]", places.join(", ")))];
    Ok(Program { lets, elements: elements.into_iter().take(case.outputs.len()).collect(), ..Program::default() })
}
