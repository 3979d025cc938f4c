//! Attention with its masks.

use super::case::{Case, Kind, Made, Program, number};

pub fn program(case: &Case) -> Option<Made> {
    (case.op == "Attention").then(|| Ok(attention(case)))
}

/// Heads, places and width of an input.
fn sizes(case: &Case, input: usize, heads: i64) -> [usize; 3] {
    match case.shape(input) {
        [_, heads, places, width] => [*heads, *places, *width],
        [_, places, width] => [heads as usize, *places, width / heads as usize],
        _ => [1; 3],
    }
}

fn attention(case: &Case) -> Program {
    let rows = case.shape(0)[0];
    let ([heads, asks, width], [shared, places, _], [_, _, wide]) = (
        sizes(case, 0, case.int("q_num_heads", 1)),
        sizes(case, 1, case.int("kv_num_heads", 1)),
        sizes(case, 2, case.int("kv_num_heads", 1)),
    );
    let apart = |input: usize| {
        if case.rank(input) == 3 { format!("x{input}[a, t, (h e)]") } else { format!("x{input}[a, h, t, e]") }
    };
    let scale = number(case.float("scale", 1.0 / (width as f64).sqrt()));
    let product = format!("sum(e: q[a, h, i, e] * k[a, floor(h / {}), j, e]) * {scale}", heads / shared);
    let cap = case.float("softcap", 0.0);
    let score = if cap > 0.0 { format!("{c} * tanh(({product}) / {c})", c = number(cap)) } else { product };
    let mask = mask(case);
    let score = match &mask {
        Some((Kind::Float, mask)) => format!("{score} + {mask}"),
        _ => score,
    };
    let all = format!("a: {rows}, h: {heads}, i: {asks}, j: {places}");
    let lets = vec![
        format!("let q[a: {rows}, h: {heads}, t: {asks}, e: {width}] = {}", apart(0)),
        format!("let k[a: {rows}, h: {shared}, t: {places}, e: {width}] = {}", apart(1)),
        format!("let v[a: {rows}, h: {shared}, t: {places}, e: {wide}] = {}", apart(2)),
        format!("let sees[{all}] = {}", sees(case, mask, asks)),
        format!("let score[{all}] = {score}"),
        format!("let weight[{all}] = softmax(j where sees[a, h, i, j]: score[a, h, i, j])"),
        format!(
            "let mixed[a: {rows}, h: {heads}, i: {asks}, e: {wide}] = sum(j: weight[a, h, i, j] * v[a, floor(h / {}), j, e])",
            heads / shared
        ),
    ];
    let (lets, element) = match case.rank(0) {
        3 => {
            let together = format!("let beside[a: {rows}, i: {asks}, (h: {heads} e: {wide})] = mixed[a, h, i, e]");
            ([lets, vec![together]].concat(), "beside[i0, i1, i2]")
        }
        _ => (lets, "mixed[i0, i1, i2, i3]"),
    };
    let weights = Some("weight[i0, i1, i2, i3]".to_string());
    Program { lets, elements: vec![Some(element.to_string()), None, None, weights], ..Program::default() }
}

/// An element of the mask, which has all axes or the last ones.
fn mask(case: &Case) -> Option<(Kind, String)> {
    let mask = case.input(3)?;
    let names = ["a", "h", "i", "j"];
    let own = &names[names.len() - mask.shape.len()..];
    let places = own.iter().zip(&mask.shape).map(|(name, size)| if *size == 1 { "0" } else { name });
    Some((mask.kind, format!("x3[{}]", places.collect::<Vec<_>>().join(", "))))
}

/// Whether the place `i` sees the place `j`.
fn sees(case: &Case, mask: Option<(Kind, String)>, asks: usize) -> String {
    let mut all = vec!["0 <= j".to_string()];
    match mask {
        Some((Kind::Bool, mask)) => all.push(mask),
        Some((_, mask)) => all.push(format!("{mask} > -1e30")),
        None => {}
    }
    // Of places that are filled up so many are there, and the last of those is asked for last.
    let own = match case.input(6) {
        Some(_) => format!("(i + x6[a] - {asks})"),
        None => "i".to_string(),
    };
    if case.input(6).is_some() {
        all.push("j < x6[a]".to_string());
    }
    if case.int("is_causal", 0) == 1 {
        all.push(format!("j <= {own}"));
    }
    let (left, right) = (case.int("left_window_size", -1), case.int("right_window_size", -1));
    if left >= 0 {
        all.push(format!("j >= {own} - {left}"));
    }
    if right >= 0 {
        all.push(format!("j <= {own} + {right}"));
    }
    all.join(" and ")
}
