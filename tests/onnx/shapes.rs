//! Operators that move elements, and those that make them of places.

use super::case::{Case, Made, Program, Tensor, from_end, indices, list, number, place_in, read};

pub fn program(case: &Case) -> Option<Made> {
    Some(match case.op.as_str() {
        "Flatten" | "Reshape" | "Squeeze" | "Unsqueeze" => {
            let element = if case.rank(0) == 0 { "flat[0]".to_string() } else { flat(case) };
            Ok(Program { lets: vec![case.flat("flat")], ..Program::of(element) })
        }
        "Transpose" => {
            let rank = case.rank(0);
            let order = case.ints("perm").unwrap_or_else(|| (0..rank as i64).rev().collect());
            let mut places = vec![String::new(); rank];
            order.iter().enumerate().for_each(|(at, axis)| places[*axis as usize] = format!("i{at}"));
            Ok(Program::of(case.at(0, &places)))
        }
        "Concat" => Ok(Program::of(joined(case))),
        "Split" => Ok(split(case)),
        "Gather" => Ok(gathered(case)),
        "GatherElements" => Ok(gathered_each(case)),
        "ScatterElements" | "Scatter" => scattered(case),
        "Tile" => {
            let place = |at: usize| format!("mod(i{at}, {})", case.shape(0)[at]);
            Ok(Program::of(case.at(0, &(0..case.rank(0)).map(place).collect::<Vec<_>>())))
        }
        "Pad" => padded(case),
        "DepthToSpace" => Ok(to_space(case)),
        "SpaceToDepth" => Ok(to_depth(case)),
        "Trilu" => {
            let k = case.known(1).map_or(0, |k| k[0]);
            let (row, column) = (case.rank(0) - 2, case.rank(0) - 1);
            let compare = if case.int("upper", 1) == 1 { ">=" } else { "<=" };
            Ok(Program::of(format!("if i{column} - i{row} {compare} {k} then {} else 0", case.broadcast(0))))
        }
        "EyeLike" => Ok(Program::of(format!("if i1 == i0 + {} then 1 else 0", case.int("k", 0)))),
        "OneHot" => one_hot(case),
        "Range" => Ok(Program::of("x0 + i0 * x2".to_string())),
        "Constant" => case.tensor("value").map(constant).unwrap_or(Err("a constant is written as it is")),
        "ConstantOfShape" => {
            let value = case.tensor("value").map_or(0.0, |tensor| tensor.values[0]);
            Ok(Program::of(number(value)))
        }
        "ReverseSequence" => {
            let (time, batch) = (case.int("time_axis", 0) as usize, case.int("batch_axis", 1) as usize);
            let mut places = indices(case.rank(0));
            places[time] = format!("x1[i{batch}] - 1 - i{time}");
            let (turned, own) = (case.at(0, &places), case.broadcast(0));
            Ok(Program::of(format!("if i{time} < x1[i{batch}] then {turned} else {own}")))
        }
        _ => return None,
    })
}

fn flat(case: &Case) -> String {
    format!("flat[{}]", place_in(case.wanted(0)))
}

fn constant(tensor: Tensor) -> Made {
    let values: Vec<String> = tensor.values.iter().map(|value| number(*value)).collect();
    let lets = vec![format!("let flat = [{}]", values.join(", "))];
    Ok(Program { lets, ..Program::of(format!("flat[{}]", place_in(&tensor.shape))) })
}

fn joined(case: &Case) -> String {
    let axis = case.axis("axis", 0);
    let mut first = 0;
    let mut parts = Vec::new();
    for at in 0..case.inputs.len() {
        let mut places = indices(case.rank(0));
        places[axis] = format!("i{axis} - {first}");
        first += case.shape(at)[axis];
        parts.push((case.at(at, &places), first));
    }
    let last = parts.pop().map_or(String::new(), |(part, _)| part);
    parts.into_iter().rev().fold(last, |rest, (part, end)| format!("if i{axis} < {end} then {part} else {rest}"))
}

fn split(case: &Case) -> Program {
    let axis = case.axis("axis", 0);
    let mut first = 0;
    let mut program = Program::default();
    for at in 0..case.outputs.len() {
        let mut places = indices(case.rank(0));
        places[axis] = format!("i{axis} + {first}");
        first += case.wanted(at)[axis];
        program.elements.push(Some(case.at(0, &places)));
    }
    program
}

/// Places counted from the end, too, as those from the start.
fn places_of(case: &Case, input: usize, size: usize) -> String {
    let known = case.known(input).unwrap_or_default();
    let from_start: Vec<i64> = known.iter().map(|at| from_end(*at, size) as i64).collect();
    format!("let at = {}", list(case.shape(input), &from_start))
}

fn gathered(case: &Case) -> Program {
    let (axis, count) = (case.axis("axis", 0), case.rank(1));
    let own = |at: usize| match at {
        _ if at < axis => format!("i{at}"),
        _ if at > axis => format!("i{}", at - 1 + count),
        _ => read("at", &(axis..axis + count).map(|at| format!("i{at}")).collect::<Vec<_>>()),
    };
    let places: Vec<String> = (0..case.rank(0)).map(own).collect();
    Program { lets: vec![places_of(case, 1, case.shape(0)[axis])], ..Program::of(case.at(0, &places)) }
}

fn gathered_each(case: &Case) -> Program {
    let axis = case.axis("axis", 0);
    let mut places = indices(case.rank(0));
    places[axis] = read("at", &indices(case.rank(0)));
    Program { lets: vec![places_of(case, 1, case.shape(0)[axis])], ..Program::of(case.at(0, &places)) }
}

fn scattered(case: &Case) -> Made {
    let axis = case.axis("axis", 0);
    let mut places = indices(case.rank(0));
    places[axis] = "r".to_string();
    // Elsewhere than along the axis there may be fewer updates than elements.
    let mut inside = Vec::new();
    for at in (0..case.rank(0)).filter(|at| *at != axis && case.shape(1)[*at] < case.shape(0)[*at]) {
        inside.push(format!("i{at} < {}", case.shape(1)[at]));
    }
    inside.push(format!("{} == i{axis}", read("at", &places)));
    let (condition, update, own) = (inside.join(" and "), case.at(2, &places), case.broadcast(0));
    let element = match case.text("reduction") {
        "" | "none" => {
            let many = format!("sum(r: if {condition} then 1 else 0)");
            format!("if {many} > 0 then sum(r where {condition}: {update}) else {own}")
        }
        "add" => format!("{own} + sum(r where {condition}: {update})"),
        "max" => format!("max({own}, max(r where {condition}: {update}))"),
        "min" => format!("min({own}, min(r where {condition}: {update}))"),
        "mul" => {
            let functions = "fn product(x: [k]) -> [] = last(cumprod(x))\n".to_string();
            let element = format!("{own} * product(r: if {condition} then {update} else 1)");
            let lets = vec![places_of(case, 1, case.shape(0)[axis])];
            return Ok(Program { functions, lets, ..Program::of(element) });
        }
        _ => return Err("another way to join updates"),
    };
    Ok(Program { lets: vec![places_of(case, 1, case.shape(0)[axis])], ..Program::of(element) })
}

fn padded(case: &Case) -> Made {
    let rank = case.rank(0);
    let pads = case.known(1).or_else(|| case.ints("pads")).ok_or("how much is known in the run alone")?;
    let axes = case.known(3).unwrap_or_else(|| (0..rank as i64).collect());
    let mut before = vec![0; rank];
    axes.iter().zip(&pads).for_each(|(axis, pad)| before[from_end(*axis, rank)] = *pad);
    let size = |at: usize| case.shape(0)[at] as i64;
    let from = |at: usize| format!("i{at} - {}", number(before[at] as f64));
    let places = |place: &dyn Fn(usize) -> String| case.at(0, &(0..rank).map(place).collect::<Vec<_>>());
    let element = match case.text("mode") {
        "" | "constant" => {
            let inside: Vec<String> =
                (0..rank).map(|at| format!("{0} >= 0 and {0} < {1}", from(at), size(at))).collect();
            let value = case.input(2).map_or("0".to_string(), |value| number(value.values[0]));
            format!("if {} then {} else {value}", inside.join(" and "), places(&from))
        }
        "edge" => places(&|at| format!("clamp({}, 0, {})", from(at), size(at) - 1)),
        "reflect" => places(&|at| format!("{0} - abs({0} - abs({1}))", size(at) - 1, from(at))),
        "wrap" => places(&|at| format!("mod({}, {})", from(at), size(at))),
        _ => return Err("another way to pad"),
    };
    Ok(Program::of(element))
}

fn to_space(case: &Case) -> Program {
    let b = case.int("blocksize", 1) as usize;
    let [n, c, h, w] = case.shape(0) else { return Program::default() };
    let depth = if case.text("mode") == "CRD" { "(c u v)" } else { "(u v c)" };
    let c = c / (b * b);
    let spread = format!("let d[n: {n}, c: {c}, (h: {h} u: {b}), (w: {w} v: {b})] = x0[n, {depth}, h, w]");
    Program { lets: vec![spread], ..Program::of("d[i0, i1, i2, i3]".to_string()) }
}

fn to_depth(case: &Case) -> Program {
    let b = case.int("blocksize", 1) as usize;
    let [n, c, h, w] = case.shape(0) else { return Program::default() };
    let (h, w) = (h / b, w / b);
    let depth =
        if case.text("mode") == "CRD" { format!("(c: {c} u: {b} v: {b})") } else { format!("(u: {b} v: {b} c: {c})") };
    let spread = format!("let d[n: {n}, {depth}, h: {h}, w: {w}] = x0[n, c, (h u), (w v)]");
    Program { lets: vec![spread], ..Program::of("d[i0, i1, i2, i3]".to_string()) }
}

fn one_hot(case: &Case) -> Made {
    let depth = case.input(1).ok_or("how many is known in the run alone")?.values[0] as usize;
    let axis = from_end(case.int("axis", -1), case.rank(0) + 1);
    let others: Vec<String> = (0..=case.rank(0)).filter(|at| *at != axis).map(|at| format!("i{at}")).collect();
    let element = format!("if {} == i{axis} then x2[1] else x2[0]", read("at", &others));
    Ok(Program { lets: vec![places_of(case, 0, depth)], ..Program::of(element) })
}
