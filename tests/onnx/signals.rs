//! Waves and windows of them, places that are turned, tables that are read and written at places.

use super::case::{Case, Made, Program, indices, number};
use std::f64::consts::PI;

pub fn program(case: &Case) -> Option<Made> {
    Some(match case.op.as_str() {
        "HannWindow" => Ok(window(case, &[0.5, -0.5])),
        "HammingWindow" => Ok(window(case, &[25.0 / 46.0, -21.0 / 46.0])),
        "BlackmanWindow" => Ok(window(case, &[0.42, -0.5, 0.08])),
        "MelWeightMatrix" => Ok(mel(case)),
        "DFT" => Ok(fourier(case)),
        "STFT" => Ok(short_time(case)),
        "RotaryEmbedding" => Ok(rotary(case)),
        "SwiGLU" => {
            let alpha = number(case.float("alpha", 1.0));
            Ok(Program::of(case.fill(&format!("{{0}} * sigmoid({alpha} * {{0}}) * {{1}}"))))
        }
        "CausalConvWithState" => Ok(causal(case)),
        "GatherND" => Ok(gathered(case)),
        "ScatterND" => Ok(scattered(case)),
        "TensorScatter" => Ok(written(case)),
        "ArrayFeatureExtractor" => Ok(Program::of("x0[i0, x1[i1]]".to_string())),
        "Binarizer" => {
            let bound = number(case.float("threshold", 0.0));
            Ok(Program::of(format!("if {} > {bound} then 1 else 0", case.broadcast(0))))
        }
        "MaxUnpool" => Ok(unpooled(case)),
        "Col2Im" => Ok(columns(case)),
        "Scan" | "FlexAttention" => Err("its body is a graph of its own, which is not recorded"),
        _ => return None,
    })
}

/// A sum of cosines with these factors.
fn window(case: &Case, factors: &[f64]) -> Program {
    let size = case.known(0).map_or(1, |known| known[0]);
    let period = if case.int("periodic", 1) == 1 { size } else { size - 1 };
    let part = |(at, factor): (usize, &f64)| {
        format!("{} * cos({} * i0)", number(*factor), number(2.0 * PI * at as f64 / period as f64))
    };
    Program::of(factors.iter().enumerate().map(part).collect::<Vec<_>>().join(" + "))
}

/// Which waves belong to a band of pitches, and how much.
fn mel(case: &Case) -> Program {
    let known = |at: usize| case.input(at).map_or(0.0, |tensor| tensor.values[0]);
    let (bands, length, rate) = (known(0), known(1), known(2));
    let pitch = |frequency: f64| 2595.0 * (1.0 + frequency / 700.0).log10();
    let (low, high) = (pitch(known(3)), pitch(known(4)));
    let (low, step) = (number(low), number((high - low) / (bands + 2.0)));
    let wave = format!("700 * (10^((m * {step} + {low}) / 2595) - 1)");
    let lets = vec![format!("let bin[m: {}] = floor({} * {wave} / {rate})", bands + 2.0, length + 1.0)];
    let [before, middle, behind] = ["bin[i1]", "bin[i1 + 1]", "bin[i1 + 2]"];
    let rises = format!("if {before} == {middle} then 1 else (i0 - {before}) / ({middle} - {before})");
    let element = format!(
        "if i0 > {middle} and i0 < {behind} then ({behind} - i0) / ({behind} - {middle}) else (if i0 >= {before} and i0 <= {middle} \
         then {rises} else 0)"
    );
    Program { lets, ..Program::of(element) }
}

fn fourier(case: &Case) -> Program {
    let rank = case.rank(0);
    let axis = match case.known(2) {
        Some(axis) => super::case::from_end(axis[0], rank),
        None => case.axis("axis", 1),
    };
    let (old, new) = (case.shape(0)[axis], case.wanted(0)[axis]);
    let inverse = case.int("inverse", 0) == 1;
    let half = inverse && case.int("onesided", 0) == 1;
    let size = if half { new } else { old };
    let mut places = indices(rank);
    places[axis] = "j".to_string();
    let mut read = |part: usize| {
        places[rank - 1] = part.to_string();
        case.at(0, &places)
    };
    let turn = format!("{} * mod(j * i{axis}, {size})", number(2.0 * PI / size as f64));
    let (real, imaginary) = (read(0), if case.shape(0)[rank - 1] == 2 { read(1) } else { "0".to_string() });
    let sign = if inverse { "-" } else { "+" };
    let other = if inverse { "+" } else { "-" };
    // The other half of the waves of a real signal mirrors this one.
    let twice = if half { format!("(if j == 0 or 2 * j == {size} then 1 else 2) * ") } else { String::new() };
    let whole = if inverse { format!(" / {size}") } else { String::new() };
    let a = format!("sum(j: {twice}({real} * cos({turn}) {sign} {imaginary} * sin({turn}))){whole}");
    let b = format!("sum(j: {imaginary} * cos({turn}) {other} {real} * sin({turn})){whole}");
    Program::of(if half { a } else { format!("if i{} == 0 then {a} else {b}", rank - 1) })
}

fn short_time(case: &Case) -> Program {
    let step = case.known(1).map_or(1, |step| step[0]);
    let size = case.known(3).map_or(case.shape(2).first().map_or(1, |size| *size as i64), |size| size[0]);
    let faded = if case.input(2).is_some() { "x2[j] * " } else { "" };
    let turn = format!("{} * mod(j * i2, {size})", number(2.0 * PI / size as f64));
    let of = |wave: &str| format!("sum(j where j < {size}: {faded}x0[i0, {step} * i1 + j, 0] * {wave}({turn}))");
    Program::of(format!("if i3 == 0 then {} else -{}", of("cos"), of("sin")))
}

fn rotary(case: &Case) -> Program {
    let (heads, times, width) = (case.shape(0)[1], case.shape(0)[2], case.shape(0)[3]);
    let turned = match case.int("rotary_embedding_dim", 0) {
        0 => width,
        some => some as usize,
    };
    let half = turned / 2;
    let wave = |input: usize, at: &str| match case.input(3) {
        Some(_) => format!("x{input}[x3[a, t], {at}]"),
        None => format!("x{input}[a, t, {at}]"),
    };
    let (cos, sin) = (wave(1, "j"), wave(2, "j"));
    let (left, right) = match case.int("interleaved", 0) {
        1 => ("x0[a, h, t, 2 * j]".to_string(), "x0[a, h, t, 2 * j + 1]".to_string()),
        _ => ("x0[a, h, t, j]".to_string(), format!("x0[a, h, t, j + {half}]")),
    };
    let target = |name: &str| format!("{name}[a: {}, h: {heads}, t: {times}, j: {half}]", case.shape(0)[0]);
    let lets = vec![
        format!("let {} = {left} * {cos} - {right} * {sin}", target("first")),
        format!("let {} = {left} * {sin} + {right} * {cos}", target("second")),
    ];
    let own = "x0[i0, i1, i2, i3]";
    let element = match case.int("interleaved", 0) {
        1 => format!(
            "if i3 >= {turned} then {own} else (if mod(i3, 2) == 0 then sum(j where 2 * j == i3: first[i0, i1, i2, j]) \
             else sum(j where 2 * j + 1 == i3: second[i0, i1, i2, j]))"
        ),
        _ => format!(
            "if i3 < {half} then first[i0, i1, i2, i3] else (if i3 < {turned} then second[i0, i1, i2, i3 - {half}] else {own})"
        ),
    };
    Program { lets, ..Program::of(element) }
}

/// A convolution of each channel with what came before, and what it keeps of the end.
fn causal(case: &Case) -> Program {
    let (rows, channels, steps) = (case.shape(0)[0], case.shape(0)[1], case.shape(0)[2]);
    let before = case.shape(1)[2] - 1;
    let past = if case.input(3).is_some() { "x3[a, c, t]" } else { "0" };
    let lets = vec![format!(
        "let whole[a: {rows}, c: {channels}, t: {}] = if t < {before} then {past} else x0[a, c, t - {before}]",
        steps + before
    )];
    let bias = if case.input(2).is_some() { " + x2[i1]" } else { "" };
    let sum = format!("sum(j where j <= {before}: x1[i1, 0, j] * whole[i0, i1, i2 + j]){bias}");
    let made = if matches!(case.text("activation"), "silu" | "swish") { format!("silu({sum})") } else { sum };
    Program { lets, elements: vec![Some(made), Some(format!("whole[i0, i1, {steps} + i2]"))], ..Program::default() }
}

fn gathered(case: &Case) -> Program {
    let shared = case.int("batch_dims", 0) as usize;
    let Some((depth, outer)) = case.shape(1).split_last() else { return Program::of("x0".to_string()) };
    let told: Vec<String> = indices(outer.len());
    let at =
        |part: usize| format!("x1[{}]", told.iter().cloned().chain([part.to_string()]).collect::<Vec<_>>().join(", "));
    let inner = outer.len()..case.wanted(0).len();
    let places: Vec<String> =
        indices(shared).into_iter().chain((0..*depth).map(at)).chain(inner.map(|index| format!("i{index}"))).collect();
    Program::of(case.at(0, &places))
}

fn scattered(case: &Case) -> Program {
    let depth = case.shape(1)[1];
    let hits: Vec<String> = (0..depth).map(|part| format!("x1[m, {part}] == i{part}")).collect();
    let hits = hits.join(" and ");
    let places: Vec<String> =
        std::iter::once("m".to_string()).chain((depth..case.rank(0)).map(|at| format!("i{at}"))).collect();
    let (new, own) = (case.at(2, &places), case.broadcast(0));
    let of = |name: &str| format!("{name}(m where {hits}: {new})");
    Program::of(match case.text("reduction") {
        "add" => format!("{own} + {}", of("sum")),
        "mul" => format!("{own} * last(cumprod(m: if {hits} then {new} else 1))"),
        "max" => format!("max({own}, {})", of("max")),
        "min" => format!("min({own}, {})", of("min")),
        _ => format!("if sum(m where {hits}: 1) > 0 then {} else {own}", of("sum")),
    })
}

/// Some steps are written over others, from a place of each row on.
fn written(case: &Case) -> Program {
    let axis = case.axis("axis", -2);
    let steps = case.shape(0)[axis];
    let place = match case.text("mode") {
        "circular" => format!("mod(x2[i0] + u, {steps})"),
        _ => "x2[i0] + u".to_string(),
    };
    let mut places = indices(case.rank(0));
    places[axis] = "u".to_string();
    let (new, own) = (case.at(1, &places), case.broadcast(0));
    let hits = format!("{place} == i{axis}");
    let count = format!("sum(u where u < {} and {hits}: 1)", case.shape(1)[axis]);
    Program::of(format!("if {count} > 0 then sum(u where {hits}: {new}) else {own}"))
}

/// Greatest values where they were: their places are counted in one row, of the picture without what is told besides.
fn unpooled(case: &Case) -> Program {
    let (size, stride) = (case.ints("kernel_shape"), case.ints("strides"));
    let (size, stride) = (size.unwrap_or_else(|| vec![1; 2]), stride.unwrap_or_else(|| vec![1; 2]));
    let whole = |axis: usize| (case.shape(0)[axis + 2] as i64 - 1) * stride[axis] + size[axis];
    let (height, width) = (whole(0), whole(1));
    let place = format!("((i0 * {} + i1) * {height} + i2) * {width} + i3", case.shape(0)[1]);
    Program::of(format!(
        "if i2 < {height} and i3 < {width} then sum(p, q where x1[i0, i1, p, q] == {place}: x0[i0, i1, p, q]) else 0"
    ))
}

/// Blocks are added where they were cut from.
fn columns(case: &Case) -> Program {
    let (image, block) = (case.known(1).unwrap_or_default(), case.known(2).unwrap_or_default());
    let axes = image.len();
    let each = |name: &str| case.ints(name).unwrap_or_else(|| vec![1; axes]);
    let (stride, dilation) = (each("strides"), each("dilations"));
    let pads = case.ints("pads").unwrap_or_else(|| vec![0; 2 * axes]);
    let cuts =
        |at: usize| (image[at] + pads[at] + pads[at + axes] - dilation[at] * (block[at] - 1) - 1) / stride[at] + 1;
    let channels = case.wanted(0)[1];
    let sized = |name: &str, size: &dyn Fn(usize) -> i64| -> Vec<String> {
        (0..axes).map(|at| format!("{name}{at}: {}", size(at))).collect()
    };
    let named = |name: &str| (0..axes).map(|at| format!("{name}{at}")).collect::<Vec<_>>();
    let (r, l) = (named("r"), named("l"));
    let declared: Vec<String> = [
        vec![format!("a: {}", case.shape(0)[0]), format!("c: {channels}")],
        sized("r", &|at| block[at]),
        sized("l", &cuts),
    ]
    .concat();
    let lets = vec![format!("let parts[{}] = x0[a, (c {}), ({})]", declared.join(", "), r.join(" "), l.join(" "))];
    let goes = |at: usize| format!("{} * l{at} + {} * r{at} - {} == i{}", stride[at], dilation[at], pads[at], at + 2);
    let conditions: Vec<String> = (0..axes).map(goes).collect();
    let names = [r.clone(), l.clone()].concat();
    let element =
        format!("sum({} where {}: parts[i0, i1, {}])", names.join(", "), conditions.join(" and "), names.join(", "));
    Program { lets, ..Program::of(element) }
}
