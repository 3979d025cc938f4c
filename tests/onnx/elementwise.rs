//! Operators that work element by element.

use super::case::{Case, Kind, Made, Program, number};

const OF_INPUTS: &[(&str, &str)] = &[
    ("Abs", "abs({0})"),
    ("Acos", "atan2(sqrt(1 - {0}^2), {0})"),
    ("Acosh", "log({0} + sqrt({0}^2 - 1))"),
    ("Add", "{0} + {1}"),
    ("And", "{0} and {1}"),
    ("Asin", "atan2({0}, sqrt(1 - {0}^2))"),
    ("Asinh", "log({0} + sqrt({0}^2 + 1))"),
    ("Atan", "atan({0})"),
    ("Atanh", "0.5 * log((1 + {0}) / (1 - {0}))"),
    ("Ceil", "ceil({0})"),
    ("Cos", "cos({0})"),
    ("Cosh", "(exp({0}) + exp(-{0})) / 2"),
    ("Equal", "{0} == {1}"),
    ("Erf", "erf({0})"),
    ("Exp", "exp({0})"),
    ("Expand", "{0}"),
    ("Floor", "floor({0})"),
    ("Greater", "{0} > {1}"),
    ("GreaterOrEqual", "{0} >= {1}"),
    ("HardSwish", "{0} * clamp({0} / 6 + 0.5, 0, 1)"),
    ("Identity", "{0}"),
    ("IsNaN", "{0} != {0}"),
    ("Less", "{0} < {1}"),
    ("LessOrEqual", "{0} <= {1}"),
    ("Log", "log({0})"),
    ("Mish", "{0} * tanh(softplus({0}))"),
    ("Mul", "{0} * {1}"),
    ("Neg", "-{0}"),
    ("Not", "not {0}"),
    ("Or", "{0} or {1}"),
    ("PRelu", "if {0} < 0 then {0} * {1} else {0}"),
    ("Pow", "{0}^{1}"),
    ("Reciprocal", "1 / {0}"),
    ("Relu", "relu({0})"),
    ("Round", "round({0})"),
    ("Sigmoid", "sigmoid({0})"),
    ("Sign", "sign({0})"),
    ("Sin", "sin({0})"),
    ("Sinh", "(exp({0}) - exp(-{0})) / 2"),
    ("Softplus", "softplus({0})"),
    ("Softsign", "{0} / (1 + abs({0}))"),
    ("Sqrt", "sqrt({0})"),
    ("Sub", "{0} - {1}"),
    ("Tan", "tan({0})"),
    ("Tanh", "tanh({0})"),
    ("Where", "if {0} then {1} else {2}"),
    ("Xor", "({0} or {1}) and not ({0} and {1})"),
];

pub fn program(case: &Case) -> Option<Made> {
    let of_bools = |at: usize| case.input(at).is_some_and(|input| input.kind == Kind::Bool);
    let template = match case.op.as_str() {
        "Equal" if of_bools(0) => "({0} and {1}) or not ({0} or {1})".to_string(),
        op => match OF_INPUTS.iter().find(|(known, _)| *known == op) {
            Some((_, template)) => template.to_string(),
            None => with_settings(case)?,
        },
    };
    Some(Ok(Program::of(case.fill(&template))))
}

fn with_settings(case: &Case) -> Option<String> {
    let whole = case.input(0).is_some_and(|input| input.kind == Kind::Int);
    let setting = |name: &str, default: f64| number(case.float(name, default));
    let folded = |name: &str| {
        let all = (1..case.inputs.len()).fold("{0}".to_string(), |text, at| format!("{name}({text}, {{{at}}})"));
        if case.inputs.len() == 1 { "{0}".to_string() } else { all }
    };
    let sum = || (0..case.inputs.len()).map(|at| format!("{{{at}}}")).collect::<Vec<_>>().join(" + ");
    Some(match case.op.as_str() {
        "Celu" => {
            let a = setting("alpha", 1.0);
            format!("max({{0}}, 0) + min(0, {a} * expm1({{0}} / {a}))")
        }
        "Clip" => {
            let low = case.input(1).map_or("{0}".to_string(), |_| "max({0}, {1})".to_string());
            case.input(2).map_or(low.clone(), |_| format!("min({low}, {{2}})"))
        }
        "Div" if whole => "sign({0}) * sign({1}) * floor(abs({0}) / abs({1}))".to_string(),
        "Div" => "{0} / {1}".to_string(),
        "Elu" => format!("if {{0}} > 0 then {{0}} else {} * expm1({{0}})", setting("alpha", 1.0)),
        "Gelu" if case.text("approximate") == "tanh" => {
            "0.5 * {0} * (1 + tanh(0.7978845608028654 * ({0} + 0.044715 * {0}^3)))".to_string()
        }
        "Gelu" => "gelu({0})".to_string(),
        "HardSigmoid" => format!("clamp({} * {{0}} + {}, 0, 1)", setting("alpha", 0.2), setting("beta", 0.5)),
        "IsInf" => {
            let above = if case.int("detect_positive", 1) == 1 { "{0} > 3.4028235e38" } else { "1 > 2" };
            let below = if case.int("detect_negative", 1) == 1 { "{0} < -3.4028235e38" } else { "1 > 2" };
            format!("{above} or {below}")
        }
        "LeakyRelu" => format!("if {{0}} < 0 then {} * {{0}} else {{0}}", setting("alpha", 0.01)),
        "Max" => folded("max"),
        "Mean" => format!("({}) / {}", sum(), case.inputs.len()),
        "Min" => folded("min"),
        "Mod" if case.int("fmod", 0) == 1 => "{0} - {1} * trunc({0} / {1})".to_string(),
        "Mod" => "mod({0}, {1})".to_string(),
        "Selu" => format!(
            "{} * (if {{0}} > 0 then {{0}} else {} * expm1({{0}}))",
            setting("gamma", 1.050_701),
            setting("alpha", 1.673_263_2)
        ),
        "Shrink" => {
            let (l, b) = (setting("lambd", 0.5), setting("bias", 0.0));
            format!("if {{0}} < -{l} then {{0}} + {b} else if {{0}} > {l} then {{0}} - {b} else 0")
        }
        "Sum" => sum(),
        "Swish" => format!("{{0}} * sigmoid({} * {{0}})", setting("alpha", 1.0)),
        "ThresholdedRelu" => format!("if {{0}} > {} then {{0}} else 0", setting("alpha", 1.0)),
        _ => return None,
    })
}
