//! The surface: every example of the language reads, and one run finds every mistake.

use crate::trial;
use libtest_mimic::Trial;
use mlx::source::Sources;
use mlx::syntax::parse;
use mlx::syntax::tree::{ExprKind, ItemKind, StatementKind};
use std::fs;
use std::path::Path;

pub fn trials() -> Vec<Trial> {
    let mut trials = vec![
        trial("syntax::one_run_finds_all_mistakes", one_run_finds_all_mistakes),
        trial("syntax::columns_behind_japanese_text", columns_behind_japanese_text),
        trial("syntax::words_end_where_names_would", words_end_where_names_would),
        trial("syntax::precedence", precedence),
        trial("syntax::a_body_that_never_ends", a_body_that_never_ends),
        trial("syntax::limits_come_before_recursion", limits_come_before_recursion),
    ];
    for folder in ["tests/spec/syntax", "stdlib", "models"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        let files = fs::read_dir(folder).expect("a folder of .mlx files").map(|entry| entry.expect("readable").path());
        for path in files.filter(|path| path.extension().is_some_and(|end| end == "mlx")) {
            let name = path.strip_prefix(env!("CARGO_MANIFEST_DIR")).expect("it is below").display().to_string();
            trials.push(Trial::test(format!("syntax::{name}"), move || {
                let text = fs::read_to_string(&path).map_err(|error| error.to_string())?;
                let mistakes = mistakes(&text);
                if mistakes.is_empty() { Ok(()) } else { Err(mistakes.join("\n").into()) }
            }));
        }
    }
    trials
}

/// `line:column message` of everything that is wrong.
fn mistakes(text: &str) -> Vec<String> {
    let mut sources = Sources::default();
    let id = sources.add("test.mlx", text);
    let (_, found) = parse(&sources, id);
    let line = |diagnostic: &mlx::diagnostic::Diagnostic| {
        let place = sources.start(diagnostic.labels[0].span);
        format!("{}:{} {}", place.line, place.column, diagnostic.message)
    };
    found.iter().map(line).collect()
}

fn one_run_finds_all_mistakes() {
    let text = "let a = * 2\n\nfn f(x) = x\n\nmodel M(x: [n, d]) -> [n] {\n    param w: [d = 0\n    let y = x @\n    out y\n}\n\nlet b = 3 )\n";
    let found = mistakes(text);
    let lines: Vec<&str> = found.iter().map(|mistake| mistake.split(':').next().expect("a line")).collect();
    assert_eq!(lines, ["1", "6", "8", "11"], "{found:#?}");
}

fn columns_behind_japanese_text() {
    let found = mistakes("let 重み = 1 // 学習率\nlet 学習率 = ^2\n");
    assert_eq!(found, ["2:11 expected an expression, found `^`"]);
}

fn words_end_where_names_would() {
    let mut sources = Sources::default();
    let id = sources.add("test.mlx", "model M(x) {\n    letters = 4 // 2\n    out letters / 3\n}\n");
    let (file, found) = parse(&sources, id);
    assert!(found.is_empty(), "{found:?}");
    let ItemKind::Layer(model) = &file.items[0].kind else { panic!("a model") };
    assert!(matches!(model.body[0].kind, StatementKind::Assign(..)));
    assert_eq!(model.body.len(), 2);
}

/// An expression with every binary operator in brackets.
fn shape(text: &str) -> String {
    fn write(expr: &mlx::syntax::tree::Expr) -> String {
        match &expr.kind {
            ExprKind::Binary(operator, _, a, b) => format!("({operator:?} {} {})", write(a), write(b)),
            ExprKind::Unary(operator, a) => format!("({operator:?} {})", write(a)),
            ExprKind::Pipe(a, _, b) => format!("(Pipe {} {})", write(a), write(b)),
            ExprKind::If(a, b, c) => format!("(If {} {} {})", write(a), write(b), write(c)),
            ExprKind::Name(name) => name.text.clone(),
            ExprKind::Number { digits, .. } => digits.clone(),
            other => format!("{other:?}"),
        }
    }
    let mut sources = Sources::default();
    let id = sources.add("test.mlx", format!("let y = {text}"));
    let (file, found) = parse(&sources, id);
    assert!(found.is_empty(), "{found:?}");
    let ItemKind::Let(item) = &file.items[0].kind else { panic!("a let") };
    write(&item.value)
}

fn precedence() {
    assert_eq!(shape("x @ a + b"), "(Add (Product x a) b)");
    assert_eq!(shape("-x^2"), "(Negate (Power x 2))");
    assert_eq!(shape("2^-a^b"), "(Power 2 (Negate (Power a b)))");
    assert_eq!(shape("a - b - c"), "(Subtract (Subtract a b) c)");
    assert_eq!(shape("not a == b and c"), "(And (Not (Equal a b)) c)");
    assert_eq!(shape("a + b |> f"), "(Pipe (Add a b) f)");
    assert_eq!(shape("if a then b else c |> f"), "(If a b (Pipe c f))");
}

fn a_body_that_never_ends() {
    assert_eq!(mistakes("model M(x) {\n    out x\n"), ["3:1 a `}` is missing"]);
}

fn limits_come_before_recursion() {
    for nested in ["(", "[", "-", "not ", "if a then ", "2^", "f("] {
        let found = mistakes(&format!("let y = {}", nested.repeat(20_000)));
        assert!(found.len() == 1 && found[0].contains("nested deeper"), "{nested}: {found:?}");
    }
    assert!(mistakes(&"x".repeat(50_000_000))[0].contains("50000000 bytes"));
    assert_eq!(mistakes("let a = 1\0"), ["1:10 the text holds a NUL byte"]);
    assert!(mistakes(&format!("let y = {}1{}", "(".repeat(60), ")".repeat(60))).is_empty());
}
