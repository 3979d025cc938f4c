//! Pictures of another size, and read at places between their pixels.

use super::case::{Case, Made, Program, from_end, indices, number};

pub fn program(case: &Case) -> Option<Made> {
    Some(match case.op.as_str() {
        "Resize" | "Upsample" => resized(case),
        "GridSample" => sampled(case),
        "AffineGrid" => Ok(grid(case)),
        "RoiAlign" => Ok(regions(case)),
        "DeformConv" => Ok(deformed(case)),
        _ => return None,
    })
}

/// One at 0, none from 1 on; and the cubic curve of a factor `a`, none from 2 on.
fn kernels(a: f64) -> String {
    let a = number(a);
    format!(
        "fn tent(d: [..s]) -> [..s] = max(1 - abs(d), 0)\n\
         fn curve(d: [..s]) -> [..s] = inner(abs(d))\n\
         fn inner(d: [..s]) -> [..s] = if d < 1 then (({a} + 2) * d - ({a} + 3)) * d^2 + 1\n    \
         else if d < 2 then {a} * (((d - 5) * d + 8) * d - 4) else 0\n"
    )
}

/// An axis that is resized: how long it was and is, and by what factor.
struct Axis {
    at: usize,
    old: usize,
    new: usize,
    scale: f64,
    /// The part of it that is taken, from and to.
    part: Option<(f64, f64)>,
}

fn axes(case: &Case) -> Option<Vec<Axis>> {
    let upsample = case.op == "Upsample";
    let rank = case.rank(0);
    let named = case.ints("axes").map(|all| all.into_iter().map(|axis| from_end(axis, rank)).collect::<Vec<_>>());
    let named = named.unwrap_or_else(|| (0..rank).collect());
    let scales = case.input(if upsample { 1 } else { 2 }).map(|scales| scales.values.clone());
    let sizes = case.input(3).map(|sizes| sizes.values.clone());
    let lengths: Vec<f64> = named.iter().map(|at| case.shape(0)[*at] as f64).collect();
    let mut factors = match (scales, sizes) {
        (Some(scales), _) => scales,
        (None, Some(sizes)) => sizes.iter().zip(&lengths).map(|(new, old)| new / old).collect(),
        (None, None) => return None,
    };
    let least = factors.iter().copied().fold(f64::INFINITY, f64::min);
    let most = factors.iter().copied().fold(0.0, f64::max);
    match case.text("keep_aspect_ratio_policy") {
        "not_larger" => factors.fill(least),
        "not_smaller" => factors.fill(most),
        _ => {}
    }
    let roi = case.input(1).filter(|_| case.text("coordinate_transformation_mode") == "tf_crop_and_resize");
    let axis = |(place, at): (usize, &usize)| Axis {
        at: *at,
        old: case.shape(0)[*at],
        new: case.wanted(0)[*at],
        scale: factors[place],
        part: roi.map(|roi| (roi.values[place], roi.values[place + named.len()])),
    };
    let all = named.iter().enumerate().map(axis);
    Some(all.filter(|axis| axis.old != 1 || axis.new != 1).collect())
}

/// The place in the old picture of a new one, `o`.
fn place(case: &Case, axis: &Axis) -> String {
    let (scale, new, old) = (number(axis.scale), axis.new as f64, axis.old as f64);
    let whole = axis.scale * old;
    match case.text("coordinate_transformation_mode") {
        "align_corners" if whole == 1.0 => "0 * o".to_string(),
        "align_corners" => format!("o * {} / {}", number(old - 1.0), number(whole - 1.0)),
        "asymmetric" => format!("o / {scale}"),
        "pytorch_half_pixel" if axis.new == 1 => "0 * o - 0.5".to_string(),
        "half_pixel_symmetric" => {
            let offset = old / 2.0 * (1.0 - new / whole);
            format!("{} + (o + 0.5) / {scale} - 0.5", number(offset))
        }
        "tf_crop_and_resize" => match axis.part {
            Some((from, to)) if axis.new > 1 => {
                format!("{} + o * {}", number(from * (old - 1.0)), number((to - from) * (old - 1.0) / (new - 1.0)))
            }
            Some((from, to)) => format!("0 * o + {}", number(0.5 * (from + to) * (old - 1.0))),
            None => "1 * o".to_string(),
        },
        _ if case.op == "Upsample" => format!("o / {scale}"),
        _ => format!("(o + 0.5) / {scale} - 0.5"),
    }
}

/// How much of each old place `p` goes into each new one, as a matrix.
fn weights(case: &Case, axis: &Axis) -> Vec<String> {
    let (at, old, new) = (axis.at, axis.old, axis.new);
    let within = |text: &str| format!("min(max({text}, 0), {})", old - 1);
    let x = format!("let at{at}[o: {new}] = {}", place(case, axis));
    if !matches!(case.text("mode"), "linear" | "cubic") {
        let nearest = match case.text("nearest_mode") {
            "floor" => format!("floor(at{at}[o])"),
            "ceil" => format!("ceil(at{at}[o])"),
            "round_prefer_ceil" => format!("floor(at{at}[o] + 0.5)"),
            _ if case.op == "Upsample" => format!("floor(at{at}[o])"),
            _ => format!("ceil(at{at}[o] - 0.5)"),
        };
        let chosen = format!("let w{at}[o: {new}, p: {old}] = if {} == p then 1 else 0", within(&nearest));
        return vec![x, chosen];
    }
    let kernel = if case.text("mode") == "linear" { "tent" } else { "curve" };
    let narrow = if case.int("antialias", 0) == 1 { axis.scale.min(1.0) } else { 1.0 };
    // Places beyond the picture, as far as a kernel reaches, have what its border has.
    let beyond = (2.0 / narrow).ceil() as usize + 1;
    let all = old + 2 * beyond;
    let value = format!("{kernel}((at{at}[o] - (c - {beyond})) * {})", number(narrow));
    let kept = match case.int("exclude_outside", 0) {
        1 => format!("if c >= {beyond} and c < {} then {value} else 0", old + beyond),
        _ => value,
    };
    vec![
        x,
        format!("let reach{at}[o: {new}, c: {all}] = {kept}"),
        format!(
            "let w{at}[o: {new}, p: {old}] = sum(c where {} == p: reach{at}[o, c]) / sum(c: reach{at}[o, c])",
            within(&format!("c - {beyond}"))
        ),
    ]
}

fn resized(case: &Case) -> Made {
    let Some(all) = axes(case) else { return Err("neither factors nor sizes") };
    let mut places = indices(case.rank(0));
    let (mut lets, mut factors, mut names) = (Vec::new(), Vec::new(), Vec::new());
    for axis in &all {
        lets.extend(weights(case, axis));
        places[axis.at] = format!("p{}", axis.at);
        factors.push(format!("w{}[i{}, p{}]", axis.at, axis.at, axis.at));
        names.push(format!("p{}", axis.at));
    }
    factors.push(case.at(0, &places));
    let sum = format!("sum({}: {})", names.join(", "), factors.join(" * "));
    let outside = |axis: &Axis| {
        let at = axis.at;
        format!("at{at}[i{at}] < 0 or at{at}[i{at}] > {}", axis.old - 1)
    };
    let made = match case.text("coordinate_transformation_mode") {
        "tf_crop_and_resize" => {
            let outside: Vec<String> = all.iter().map(outside).collect();
            let value = number(case.float("extrapolation_value", 0.0));
            format!("if {} then {value} else {sum}", outside.join(" or "))
        }
        _ => sum,
    };
    let functions = kernels(case.float("cubic_coeff_a", -0.75));
    Ok(Program { functions, lets, elements: vec![Some(made)] })
}

/// A picture at the places of a grid from -1 to 1, whose last axis counts its axes from the last.
fn sampled(case: &Case) -> Made {
    let sizes = &case.shape(0)[2..];
    let aligned = case.int("align_corners", 0) == 1;
    let grid = |at: usize| {
        let places: Vec<String> = std::iter::once("b".to_string())
            .chain((0..sizes.len()).map(|axis| format!("o{axis}")))
            .chain([(sizes.len() - 1 - at).to_string()])
            .collect();
        format!("x1[{}]", places.join(", "))
    };
    let declared: Vec<String> = std::iter::once(format!("b: {}", case.wanted(0)[0]))
        .chain(case.wanted(0)[2..].iter().enumerate().map(|(axis, size)| format!("o{axis}: {size}")))
        .collect();
    let own: Vec<String> =
        std::iter::once("i0".to_string()).chain((0..sizes.len()).map(|axis| format!("i{}", axis + 2))).collect();
    let (mut lets, mut factors) = (Vec::new(), Vec::new());
    for (at, size) in sizes.iter().enumerate() {
        let (last, whole) = (size - 1, size);
        let place = match aligned {
            true => format!("({} + 1) / 2 * {last}", grid(at)),
            false => format!("(({} + 1) * {whole} - 1) / 2", grid(at)),
        };
        lets.push(format!("let far{at}[{}] = {place}", declared.join(", ")));
        let far = format!("far{at}[{}]", own.join(", "));
        let inside = |text: String| format!("min(max({text}, 0), {last})");
        let near = match case.text("padding_mode") {
            "border" => inside(far),
            "reflection" => {
                let (low, span) = if aligned { ("0", last) } else { ("-0.5", *whole) };
                let over = format!("abs({far} - {low})");
                let part = format!("mod({over}, {span})");
                let even = format!("mod(floor({over} / {span}), 2) == 0");
                inside(format!("(if {even} then {part} + {low} else {span} - {part} + {low})"))
            }
            _ => far,
        };
        factors.push(match case.text("mode") {
            "nearest" => format!("(if round({near}) == p{at} then 1 else 0)"),
            "cubic" => format!("curve({near} - p{at})"),
            _ => format!("tent({near} - p{at})"),
        });
    }
    let names: Vec<String> = (0..sizes.len()).map(|at| format!("p{at}")).collect();
    let places: Vec<String> = ["i0".to_string(), "i1".to_string()].into_iter().chain(names.iter().cloned()).collect();
    factors.push(case.at(0, &places));
    let made = format!("sum({}: {})", names.join(", "), factors.join(" * "));
    Ok(Program { functions: kernels(-0.75), lets, elements: vec![Some(made)] })
}

fn grid(case: &Case) -> Program {
    let sizes = case.known(1).unwrap_or_default();
    let aligned = case.int("align_corners", 0) == 1;
    let along = |index: &str, size: i64| match aligned {
        true => format!("(2 * {index} / {} - 1)", size - 1),
        false => format!("((2 * {index} + 1) / {size} - 1)"),
    };
    let spatial = &sizes[2..];
    let last = spatial.len();
    let part = |at: usize| {
        let axis = last - 1 - at;
        format!("x0[i0, i{}, {at}] * {}", last + 1, along(&format!("i{}", axis + 1), spatial[axis]))
    };
    let parts: Vec<String> = (0..last).map(part).chain([format!("x0[i0, i{}, {last}]", last + 1)]).collect();
    Program::of(parts.join(" + "))
}

/// Parts of a picture, each cut into cells of which a few points are read.
fn regions(case: &Case) -> Program {
    let (count, rows, columns) = (case.shape(1)[0], case.wanted(0)[2], case.wanted(0)[3]);
    let (height, width) = (case.shape(0)[2], case.shape(0)[3]);
    let points = case.int("sampling_ratio", 0);
    let scale = number(case.float("spatial_scale", 1.0));
    let half = case.text("coordinate_transformation_mode") != "output_half_pixel";
    let shift = if half { "0.5" } else { "0" };
    let corner = |at: usize| format!("(x1[r, {at}] * {scale} - {shift})");
    let places = |name: &str, first: usize, cells: usize, size: usize| {
        let whole = format!("({} - {})", corner(first + 2), corner(first));
        let whole = if half { whole } else { format!("max({whole}, 1)") };
        let step = format!("(o + (s + 0.5) / {points})");
        let place = format!("{} + {step} * {whole} / {cells}", corner(first));
        [
            format!("let {name}[r: {count}, o: {cells}, s: {points}] = {place}"),
            format!(
                "let {name}w[r: {count}, o: {cells}, s: {points}, p: {size}] = if {name}[r, o, s] < -1 or {name}[r, o, s] > {size} \
                 then 0 else tent(min(max({name}[r, o, s], 0), {}) - p)",
                size - 1
            ),
        ]
    };
    let lets = [places("y", 1, rows, height), places("x", 0, columns, width)].concat();
    let point = "yw[i0, i2, s, p] * xw[i0, i3, u, q] * x0[x2[i0], i1, p, q]";
    let element = match case.text("mode") {
        "max" => format!("max(s, u, p, q: {point})"),
        _ => format!("sum(s, u, p, q: {point}) / {}", points * points),
    };
    Program { functions: kernels(-0.75), lets, elements: vec![Some(element)] }
}

/// A convolution that reads at places which move with the picture.
fn deformed(case: &Case) -> Program {
    let (channels, height, width) = (case.shape(0)[1], case.shape(0)[2], case.shape(0)[3]);
    let (tall, wide) = (case.shape(1)[2], case.shape(1)[3]);
    let (rows, columns) = (case.wanted(0)[2], case.wanted(0)[3]);
    let groups = case.int("offset_group", 1) as usize;
    let pads = case.ints("pads").unwrap_or_else(|| vec![0; 4]);
    let window = format!("a: {}, g: {groups}, u: {tall}, v: {wide}", case.shape(0)[0]);
    let taken = if case.input(4).is_some() { "x4[a, (g u v), i, j]" } else { "1" };
    let lets = vec![
        format!("let moved[{window}, d: 2, i: {rows}, j: {columns}] = x2[a, (g u v d), i, j]"),
        format!(
            "let y[{window}, i: {rows}, j: {columns}, p: {height}] = tent(i + u - {} + moved[a, g, u, v, 0, i, j] - p)",
            pads[0]
        ),
        format!(
            "let x[{window}, i: {rows}, j: {columns}, q: {width}] = tent(j + v - {} + moved[a, g, u, v, 1, i, j] - q)",
            pads[1]
        ),
        format!("let taken[{window}, i: {rows}, j: {columns}] = {taken}"),
        format!(
            "let own[a: {}, g: {groups}, c: {}, p: {height}, q: {width}] = x0[a, (g c), p, q]",
            case.shape(0)[0],
            channels / groups
        ),
        format!(
            "let k[o: {}, g: {groups}, c: {}, u: {tall}, v: {wide}] = x1[o, (g c), u, v]",
            case.shape(1)[0],
            channels / groups
        ),
        format!(
            "let read[{window}, i: {rows}, j: {columns}, c: {}] = sum(p, q: y[a, g, u, v, i, j, p] * x[a, g, u, v, i, j, q] * own[a, g, c, p, q])",
            channels / groups
        ),
    ];
    let bias = if case.input(3).is_some() { " + x3[i1]" } else { "" };
    let element =
        format!("sum(g, c, u, v: k[i1, g, c, u, v] * taken[i0, g, u, v, i2, i3] * read[i0, g, u, v, i2, i3, c]){bias}");
    Program { functions: kernels(-0.75), lets, elements: vec![Some(element)] }
}
