//! Reading tables: what columns hold, and one clear diagnostic for each mistake in a file.

use libtest_mimic::Trial;
use mlx::data::csv;
use mlx::data::table::{Table, Values};
use mlx::diagnostic::{Diagnostic, draw};
use mlx::run::dataset::lacking;
use mlx::source::{Sources, Span};
use mlx::train::identity::Identity;
use mlx::train::weights;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use std::time::{Duration, Instant};

use crate::binary::{mlx, train};
use crate::trial;

pub fn trials() -> Vec<Trial> {
    vec![
        trial("data::types_by_scan", types_by_scan),
        trial("data::byte_order_mark_and_separator", byte_order_mark_and_separator),
        trial("data::quotes_and_places", quotes_and_places),
        trial("data::models_data_reads", models_data_reads),
        trial("data::each_mistake_has_its_code", each_mistake_has_its_code),
        trial("data::a_word_among_numbers_is_shown", a_word_among_numbers_is_shown),
        trial("data::ragged_rows_are_shown", ragged_rows_are_shown),
        trial("data::missing_cells", missing_cells),
        trial("data::all_columns_are_reported", all_columns_are_reported),
        trial("data::new_rows_may_lack_what_the_program_fills", new_rows_may_lack),
        trial("data::what_a_binary_file_is", what_a_binary_file_is),
        trial("data::no_bytes_panic", no_bytes_panic),
        trial("data::headers_are_normalized", headers_are_normalized),
        trial("data::gaps_are_drawn_in_their_own_rows", gaps_are_drawn_in_their_own_rows),
        trial("data::lines_of_spaces_are_no_rows", lines_of_spaces_are_no_rows),
        trial("data::rows_that_end_in_a_separator", rows_that_end_in_a_separator),
        trial("data::a_hundred_thousand_columns", a_hundred_thousand_columns),
        trial("data::new_rows_are_read_alike", new_rows_are_read_alike),
        trial("data::fits_are_as_exact_as_their_columns", fits_are_as_exact_as_their_columns),
    ]
}

/// A program with a call, for the label that every diagnostic has.
pub fn program() -> (Sources, Span) {
    let mut sources = Sources::default();
    let source = sources.add("model.mlx", "data d = csv(\"d.csv\")");
    (sources, Span::new(source, 9, 21))
}

fn try_read(bytes: &[u8], separator: u8) -> (Sources, Result<Table, Vec<Diagnostic>>) {
    let (mut sources, call) = program();
    let table = csv::read(&mut sources, "d.csv", bytes, separator, call, || false);
    (sources, table)
}

pub fn table(text: &str) -> (Sources, Table) {
    let (sources, table) = try_read(text.as_bytes(), b',');
    (sources, table.unwrap_or_else(|wrong| panic!("{wrong:?}")))
}

/// The mistakes in a text, as `code line:column "text there": message`.
fn mistakes(text: &[u8]) -> Vec<String> {
    let (sources, table) = try_read(text, b',');
    // What is wrong with a column is told by who reads it.
    let of_columns = |table: Table| table.columns.into_iter().flat_map(|column| column.mistakes).collect();
    let wrong: Vec<Diagnostic> = table.map_or_else(|wrong| wrong, of_columns);
    wrong.iter().map(|mistake| shown(&sources, mistake)).collect()
}

pub fn shown(sources: &Sources, mistake: &Diagnostic) -> String {
    let first = mistake.labels[0].span;
    let place = sources.start(first);
    assert!(mistake.labels.iter().any(|label| sources.get(label.span.source).name == "model.mlx"), "{mistake:?}");
    format!("{} {}:{} {:?}: {}", mistake.code, place.line, place.column, sources.text(first), mistake.message)
}

fn types_by_scan() {
    let (_, t) = table("a,b,c\n1,1.5, x\n-2,1e3,y z \n");
    assert_eq!((t.rows, t.columns.len()), (2, 3));
    assert_eq!(t.column("a").map(|c| &c.values), Some(&Values::Integers(vec![1, -2])));
    assert_eq!(t.column("b").map(|c| &c.values), Some(&Values::Numbers(vec![1.5, 1000.0])));
    assert_eq!(t.column("c").map(|c| &c.values), Some(&Values::Text(vec!["x".into(), "y z".into()])));
    let (sources, t) = table("house\n12\n12a\n13\n");
    assert_eq!(t.columns[0].word, Some(t.place(&sources, 1, 0)));
}

fn byte_order_mark_and_separator() {
    let (sources, t) = try_read("\u{feff}größe;b\r\n1;2\r\n\r\n3;4".as_bytes(), b';');
    let t = t.expect("a table");
    assert_eq!(t.column("größe").map(|c| &c.values), Some(&Values::Integers(vec![1, 3])));
    assert_eq!(sources.text(t.columns[1].span), "b");
    assert_eq!(sources.start(t.columns[1].span).column, 7);
    assert_eq!(sources.start(t.place(&sources, 1, 1)).line, 4);
}

fn quotes_and_places() {
    let (sources, t) = table("name,text,\nann,\"a, \"\"b\"\"\n2\",5\nbob,\"\",6\n");
    assert_eq!(t.column("text").map(|c| &c.values), Some(&Values::Text(vec!["a, \"b\"\n2".into(), String::new()])));
    assert_eq!(t.column("column 3").map(|c| &c.values), Some(&Values::Integers(vec![5, 6])));
    assert_eq!(sources.text(t.place(&sources, 0, 2)), "5");
    assert_eq!(sources.text(t.place(&sources, 1, 0)), "bob");
}

fn models_data_reads() {
    let files = [("diabetes", 442, 11), ("breast_cancer", 569, 31), ("iris", 150, 5), ("digits", 1797, 65)];
    for (name, rows, columns) in files {
        let path = format!("{}/models/data/{name}.csv", env!("CARGO_MANIFEST_DIR"));
        let bytes = mlx::io::read(path.as_ref()).expect("a file of the project");
        let t = try_read(&bytes, b',').1.expect("a table");
        assert_eq!((t.rows, t.columns.len()), (rows, columns), "{name}");
    }
}

fn each_mistake_has_its_code() {
    let cases: &[(&[u8], &str)] = &[
        (b"a\n\xff\n", "E0301 2:1 \"\u{fffd}\": `d.csv` is not a text file in UTF-8"),
        (b"a\n1\0\n", "E0301 2:2 \"\\0\": `d.csv` is not a text file in UTF-8"),
        (b"", "E0302 1:1 \"\": `d.csv` is empty"),
        (b"\n\n", "E0302 1:1 \"\": `d.csv` is empty"),
        (b"a,b\n", "E0303 1:1 \"a,b\": `d.csv` has a header and no rows"),
        (b"a,b, a\n1,2,3\n", "E0304 1:6 \"a\": two columns are named `a`"),
        (b"a,b\n1,2\n3\n", "E0305 3:1 \"3\": 1 row of `d.csv` has another number of cells than the header's 2"),
        (b"a\n1\n2\nx\n3\n4\n", "E0307 4:1 \"x\": column `a` holds numbers, but not in 1 of 5 rows"),
        (b"a,b\n1,+inf\n2,-inf\n", "E0308 2:3 \"+inf\": column `b` is not finite in 2 rows"),
        (b"a\n1\n1e999\n", "E0308 3:1 \"1e999\": column `a` is not finite in 1 row"),
        (b"a,b\n1,\"x\n2,3\n", "E0309 2:3 \"\\\"\": a quote in `d.csv` never closes"),
        (b"a,b\n1,2\n\"x\n2,3\n", "E0309 3:1 \"\\\"\": a quote in `d.csv` never closes"),
        (b"a;b\n1;2\n", "E0310 1:1 \"a;b\": the header of `d.csv` is a single cell"),
    ];
    for (text, expected) in cases {
        assert_eq!(mistakes(text), [expected.to_string()]);
    }
}

fn a_word_among_numbers_is_shown() {
    let (sources, t) = try_read(b"a,b\n1,2\n2,two\n3,1\n4,2\n5,2\n6, six\n7,1\n8,1\n9,1\n10,1\n", b',');
    let wrong = t.expect("a table").columns[1].mistakes.clone();
    let places: Vec<_> = wrong[0].labels.iter().map(|label| (sources.text(label.span), &*label.text)).collect();
    assert_eq!(places, [("two", "not a number"), ("six", "not a number"), ("csv(\"d.csv\")", "read here")]);
}

fn ragged_rows_are_shown() {
    let (sources, t) = try_read(b"a,b\n1,2,3\n4\n5,6\n7,\"8\n9\",0\n1,2,3\n", b',');
    let wrong = t.expect_err("a mistake");
    let places: Vec<_> = wrong[0].labels.iter().map(|label| (sources.text(label.span), &*label.text)).collect();
    assert_eq!(places[..3], [("1,2,3", "3 cells here"), ("4", "1 cell here"), ("7,\"8", "3 cells here")]);
    assert!(wrong[0].message.starts_with("4 rows"));
}

/// Missing values are no mistake of the file, but of who reads them as if they were there.
fn missing_cells() {
    let gaps = |text: &[u8], column: usize| {
        let (sources, t) = try_read(text, b',');
        let lacking = t.expect("a table").columns[column].lacking.clone();
        let (count, places) = (lacking.count, lacking.first);
        let places: Vec<(usize, String)> =
            places.iter().map(|place| (sources.start(*place).line, sources.text(*place).to_string())).collect();
        (count, places)
    };
    let at = |line: usize, text: &str| (line, text.to_string());
    // Four quoted empty cells are text; the fifth is missing.
    assert_eq!(gaps(b"a,b\nx,1\n\"\",1\n\"\",1\n\"\",1\n\"\",1\n,1\n", 0), (1, vec![at(7, "")]));
    assert_eq!(gaps(b"a,b\n1,2\n\"\",3\n", 0), (1, vec![at(3, "\"\"")]));
    assert_eq!(gaps(b"a,b\n,2\n,3\n", 0), (2, vec![at(2, ""), at(3, "")]));
    // Among numbers, what many programs write for a missing value is one; among words it is a word.
    assert_eq!(gaps(b"a,b\n1,x\nNA,NA\n n/a,y\n4,?\n,z\n?,z\n", 0), (4, vec![at(3, "NA"), at(4, "n/a"), at(6, "")]));
    assert_eq!(gaps(b"a,b\n1,x\nNA,NA\n n/a,y\n4,?\n,z\n?,z\n", 1), (0, vec![]));
    let (_, t) = try_read(b"a\n1\nNA\n3\n", b',');
    let Values::Numbers(numbers) = &t.expect("a table").columns[0].values else { panic!("numbers") };
    assert!(numbers[0] == 1.0 && numbers[1].is_nan() && numbers[2] == 3.0);
}

/// The mean of the training rows comes with the weights.
fn new_rows_may_lack() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("written");
    write("d.csv", "a,b,y\n1,5,1\n3,6,2\n,7,3\n");
    write(
        "net.mlx",
        "data d = csv(\"d.csv\") {\n    x = [impute(a), b]\n    y = y\n    split = holdout(train = 100%)\n}\n\
         model Net(x: [n, d]) -> [n] {\n    param w: [d] = 1\n    out x @ w\n}\n\
         train {\n    data = d\n    model = Net\n    minimize mse(model(x), y) using sgd(lr = 0)\n    predict z = model(x)\n    steps = 1\n}\n",
    );
    train(folder.path(), "net.mlx".as_ref(), &[]);
    write("new.csv", "a,b\n,1\n10,1\n");
    let predict = |input: &str| {
        mlx(folder.path(), &["predict", "net.mlx", "--weights", "run/last.safetensors", "--input", input])
    };
    assert_eq!(String::from_utf8_lossy(&predict("new.csv").stdout), "z\n3\n11\n");
    write("lacking.csv", "a,b\n1,\n10,1\n");
    let output = predict("lacking.csv");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && told.contains("column `b` lacks a value in 1 row"), "{told}");
}

fn all_columns_are_reported() {
    let codes: Vec<String> =
        mistakes(b"a,b,c\ninf,1e999,1\n1,2,3\n").iter().map(|text| text[..9].to_string()).collect();
    assert_eq!(codes, ["E0308 2:1", "E0308 2:5"]);
}

fn what_a_binary_file_is() {
    let help = |bytes: &[u8]| try_read(bytes, b',').1.expect_err("a mistake")[0].help.clone().expect("help");
    assert!(help(b"\x1f\x8b\x08\0").contains("gzip"));
    assert!(help(b"PK\x03\x04\x00").contains("zip"));
    assert!(help(b"PAR1\x15\x00").contains("Parquet"));
    assert!(help(b"\xff\xfea\0,\0").contains("UTF-16"));
    assert!(help(b"caf\xe9\n1").contains("UTF-8"));
}

fn no_bytes_panic() {
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::default() });
    let garbage = proptest::collection::vec(any::<u8>(), 0..60);
    let near = "[,\"\n\r\\t é1.x;-]{0,40}";
    let checked = |bytes: &[u8]| -> Result<(), TestCaseError> {
        if let (sources, Err(wrong)) = try_read(bytes, b',') {
            assert!(!wrong.is_empty());
            wrong.iter().for_each(|mistake| drop(shown(&sources, mistake)));
        }
        Ok(())
    };
    runner.run(&garbage, |bytes| checked(&bytes)).expect("no panic");
    runner.run(&near, |text| checked(text.as_bytes())).expect("no panic");
}

/// `é` in one sign is `e` with an accent.
fn headers_are_normalized() {
    let (_, t) = table("e\u{301}\n1\n");
    assert_eq!(t.column("\u{e9}").map(|c| &c.values), Some(&Values::Integers(vec![1])));
    let twice = "E0304 1:4 \"e\\u{301}\": two columns are named `\u{e9}`".to_string();
    assert_eq!(mistakes("\u{e9}, e\u{301}\n1,2\n".as_bytes()), [twice]);
}

/// The line of a gap, as it is counted and as it is drawn, whatever stands around it.
fn gaps_are_drawn_in_their_own_rows() {
    let cases = [
        ("a,b\n1,2\n3,\n4,5\n", 3),
        ("a,b\n1,2\n3,", 3),
        ("a,b\r\n1,2\r\n3,\r\n4,5\r\n", 3),
        ("a,b\r1,2\r3,\r4,5\r", 3),
        ("\u{feff}a,b\n1,2\n3,  \n4,5", 3),
        ("a,b\n\"1\n\",2\n\"3\",\n4,5\n", 4),
        ("a,b\n1,2\n\"3\n3\",\n4,5\n", 4),
        ("\n\na,b\n1,2\n\n3,\"\"\n\n4,5\n\n", 6),
        ("a,b\n1,2\n,\n", 3),
        ("a,b\n漢字,2\n漢字,\n", 3),
        ("a,b\n1,2\n3,NA\n", 3),
        // Rows that are too short.
        ("a,b\n1,2\n3\n4,5\n", 3),
        ("a,b\n1,2\n3", 3),
        ("a,b\n1,\"2\n\"\n\"3\"\r\n4,5\n", 4),
    ];
    for (text, line) in cases {
        let (sources, t) = try_read(text.as_bytes(), b',');
        let call = program().1;
        let wrong = match t {
            Ok(t) => lacking(&t, &t.columns[1]).mistake("b", call).expect("a gap"),
            Err(wrong) => wrong[0].clone(),
        };
        assert_eq!(sources.start(wrong.labels[0].span).line, line, "{text:?}");
        let drawing = draw(&wrong, &sources, false);
        let shown = drawing.lines().filter_map(|row| row.trim_start().split_once(" │ ")?.0.parse().ok());
        assert_eq!(shown.collect::<Vec<usize>>(), [line, 1], "{text:?}\n{drawing}");
    }
}

fn lines_of_spaces_are_no_rows() {
    let (_, t) = table("  \na,b\n1,2\n   \n3,4\n ");
    assert_eq!(t.column("b").map(|c| &c.values), Some(&Values::Integers(vec![2, 4])));
    assert_eq!(mistakes(b" \n"), ["E0302 1:1 \"\": `d.csv` is empty"]);
    assert_eq!(mistakes(b" \na,b\n \n"), ["E0303 2:1 \"a,b\": `d.csv` has a header and no rows"]);
}

fn rows_that_end_in_a_separator() {
    let help = |text: &str| try_read(text.as_bytes(), b',').1.expect_err("a mistake")[0].help.clone().expect("help");
    assert!(help("a,b\n1,2,\n3,4,\n").contains("at the end of the row"));
    assert!(help("a,b\n1,2,\n3,4,5\n").contains("in quotes"));
    assert!(help("a,b\n1,2,\n3\n").contains("for each name"));
}

/// Two columns of very many are read, found and missed in no time, whatever the others hold.
fn a_hundred_thousand_columns() {
    let columns = 100_000;
    let row = |cell: &dyn Fn(usize) -> String| (0..columns).map(cell).collect::<Vec<_>>().join(",") + "\n";
    let others: [&dyn Fn(usize, usize) -> String; 3] = [
        &|_, row| row.to_string(),
        &|column, row| if column % 3 == row { String::new() } else { "1".to_string() },
        &|_, row| ["x", "y", "inf"][row].to_string(),
    ];
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("written");
    write(
        "net.mlx",
        "data d = csv(\"d.csv\") {\n    x = [c7, c8x]\n    y = c7\n    split = holdout(train = 100%)\n}\n",
    );
    for other in others {
        let known = |column: usize, row: usize| if column == 7 { "1".to_string() } else { other(column, row) };
        let rows: String = (0..3).map(|at| row(&|column| known(column, at))).collect();
        write("d.csv", &(row(&|column| format!("c{column}")) + &rows));
        let start = Instant::now();
        let output = mlx(folder.path(), &["check", "net.mlx"]);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(told.contains("cannot find column `c8x`") && told.contains("did you mean `c8"), "{told}");
        assert!(!told.contains("`c7`"), "{told}");
        assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    }
}

/// Names, gaps and doubled columns of the rows that `predict` gets are those of any table.
fn new_rows_are_read_alike() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("written");
    write("d.csv", "\u{e9},k,y\n1,red,1\n2,NA,2\n3,red,3\n");
    write(
        "net.mlx",
        "data d = csv(\"d.csv\") {\n    x = [\u{e9}]\n    k = category(k)\n    y = y\n    split = holdout(train = 100%)\n}\n\
         model Net(x: [n, d], k: class(c)[n]) -> [n] {\n    param w: [d] = 1\n    param v: [c] = 2\n    out x @ w + one_hot(k) @ v\n}\n\
         train {\n    data = d\n    model = Net\n    minimize mse(model(x, k), y) using sgd(lr = 0)\n    predict z = model(x, k)\n    steps = 1\n}\n",
    );
    train(folder.path(), "net.mlx".as_ref(), &[]);
    let predict = |text: &str| {
        write("new.csv", text);
        let arguments = ["predict", "net.mlx", "--weights", "run/last.safetensors", "--input", "new.csv"];
        let output = mlx(folder.path(), &arguments);
        let told = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        (output.status.code(), told)
    };
    // Alone, `NA` is still the class that it was.
    assert_eq!(predict("e\u{301},k\n5,NA\n"), (Some(0), "z\n7\n".to_string()));
    for (text, told) in [
        ("\u{e9},e\u{301},k\n5,5,NA\n", "two columns are named `\u{e9}`"),
        ("\u{e9},k\n5,red\n6,", "column `k` lacks a value in 1 row"),
        ("k,\u{e9}\nred,\nred,\n", "column `\u{e9}` has no value in any row"),
        ("k,\u{e9}\nred,1\nred\n", "1 row of `new.csv` has another number of cells"),
        ("k,\u{e9}x\nred,1\n", "`new.csv` has no column `\u{e9}`"),
    ] {
        let (code, all) = predict(text);
        assert!(code == Some(1) && all.contains(told), "{text:?}: {all}");
    }
}

/// Means, deviations and ranges of columns that are far from 0, huge, tiny, or constant but for rounding.
fn fits_are_as_exact_as_their_columns() {
    const ROWS: usize = 20_000;
    let folder = tempfile::tempdir().expect("a folder");
    // Spread evenly over -1..1, in an order without order.
    let even = |row: usize| ((row * 7919) % ROWS) as f64 / (ROWS as f64 / 2.0) - 1.0;
    let columns: [(&str, &dyn Fn(usize) -> f64); 9] = [
        ("near", &|row| 1e7 + even(row)),
        ("far", &|row| 1e9 + even(row)),
        ("huge", &|row| (3.0 + even(row)) * 1e200),
        ("tiny", &|row| (3.0 + even(row)) * 1e-300),
        ("spike", &|row| if row == 5 { 1.0 } else { 0.0 }),
        ("tenth", &|_| 0.1),
        ("big", &|_| 1e200),
        ("small", &|_| 1e-300),
        ("rounded", &|row| if row % 3 == 0 { 0.3 } else { 0.1 + 0.2 }),
    ];
    let names = columns.map(|(name, _)| name).join(", ");
    let mut text = format!("{names},y\n");
    for row in 0..ROWS {
        columns.iter().for_each(|(_, value)| text += &format!("{:?},", value(row)));
        text += "1\n";
    }
    let program = format!(
        "data d = csv(\"d.csv\") {{\n    x = [{names}] |> standardize\n    z = [{names}] |> minmax\n    y = y\n    split = holdout(train = 100%)\n}}\n\
         model Net(x: [n, d]) -> [n] {{\n    param w: [d] = 1\n    out x @ w\n}}\n\
         train {{\n    data = d\n    model = Net\n    minimize mse(model(x), y) using sgd(lr = 0)\n    predict x = x\n    predict z = z\n    steps = 1\n}}\n"
    );
    std::fs::write(folder.path().join("d.csv"), &text).expect("written");
    std::fs::write(folder.path().join("net.mlx"), program).expect("written");
    train(folder.path(), "net.mlx".as_ref(), &[]);
    let bytes = std::fs::read(folder.path().join("run/last.safetensors")).expect("weights");
    let identity = Identity::from_json(&weights::from_bytes("last", &bytes, None).expect("weights").meta);
    let output =
        mlx(folder.path(), &["predict", "net.mlx", "--weights", "run/last.safetensors", "--input", "d.csv"]).stdout;
    let output = String::from_utf8(output).expect("text");
    let made: Vec<Vec<f64>> = output
        .lines()
        .skip(1)
        .map(|line| line.split(',').map(|cell| cell.parse().expect("a number")).collect())
        .collect();
    assert_eq!(made.len(), ROWS);
    for (at, (name, value)) in columns.iter().enumerate() {
        let fitted = |fit: &str| identity.fits[fit].values[at];
        let column = |from: usize| made.iter().map(move |row| row[from + at]);
        if at >= 5 {
            assert!(column(0).chain(column(columns.len())).all(|value| value == 0.0), "{name}");
            continue;
        }
        // In units and around a centre in which nothing is lost.
        let (centre, unit) = ([1e7, 1e9, 3e200, 3e-300, 0.0][at], [1.0, 1.0, 1e200, 1e-300, 1.0][at]);
        let exact: Vec<f64> = (0..ROWS).map(|row| (value(row) - centre) / unit).collect();
        let mean = exact.iter().sum::<f64>() / ROWS as f64;
        let deviation = (exact.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / ROWS as f64).sqrt();
        let near = |found: f64, wanted: f64| assert!((found / wanted - 1.0).abs() < 1e-9, "{name}: {found} {wanted}");
        near(fitted("d.x.0") / unit, centre / unit + mean);
        near(fitted("d.x.1") / unit, deviation);
        let least = (0..ROWS).map(value).fold(f64::INFINITY, f64::min);
        assert_eq!(fitted("d.z.0"), least, "{name}");
        for (row, (x, z)) in column(0).zip(column(columns.len())).enumerate() {
            assert!((x - (exact[row] - mean) / deviation).abs() < 1e-4 * x.abs().max(1.0), "{name} {row}: {x}");
            assert!((0.0..=1.0).contains(&z), "{name} {row}: {z}");
        }
    }
}
