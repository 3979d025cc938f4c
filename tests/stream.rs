//! What is computed batch by batch, in how many passes over the rows, and what is not.

use crate::trial;
use libtest_mimic::Trial;
use mlx::compile;
use mlx::passes::streamed;
use mlx::run::dataset::Files;
use mlx::source::Sources;

pub fn trials() -> Vec<Trial> {
    vec![trial("stream::passes_over_the_rows", passes_over_the_rows)]
}

/// The passes that a report takes; `None` if it is computed of all rows at once.
fn passes(report: &str) -> Option<usize> {
    let program = format!(
        "data d = rows(7, seed = 1) {{\n    x: [3] ~ normal(0, 1)\n    z: [3] ~ normal(0, 1)\n    y ~ normal(0, 1)\n    \
         k = argmax(z)\n    b = argmax([y, 0])\n    split = holdout(train = 100%)\n}}\n\
         fn first(x: [n, d]) -> [n] {{\n    let y[i] = sum(j where j == 0: x[i, j])\n    out y\n}}\n\
         fn pairs(x: [n, d]) -> [] {{\n    let p[i, j] = sum(k: x[i, k] * x[j, k])\n    out mean(p)\n}}\n\
         model Net(x: [n, d]) -> [n, 3] {{\n    out x |> dense(4) |> relu |> dense(3)\n}}\n\
         train {{\n    data = d\n    model = Net\n    minimize mse(model(x), z) using sgd\n    report r = {report}\n}}\n"
    );
    let mut sources = Sources::default();
    let source = sources.add("net.mlx", program);
    let checked = compile::check(&mut sources, source, &mut Files::beside("net.mlx".as_ref()), &[]).expect("no --set");
    assert!(checked.found.iter().all(|found| found.code == "W0411"), "{report}: {:?}", checked.found);
    let lowered = compile::lower(&checked.programs[0]).expect("a graph");
    let roots = [lowered.reports[0].1];
    let streamed = streamed(&lowered.graph, &lowered.rows, &roots, lowered.inputs.len())?;
    streamed.graph.verify().expect("a graph that keeps the rules");
    Some(streamed.joins.iter().map(|join| join.pass + 1).max().unwrap_or(0))
}

fn passes_over_the_rows() {
    let one = [
        "mse(model(x), z)",
        "mae(model(x), z)",
        "huber(model(x), z)",
        "rmse(model(x), z)",
        "kl(model(x), z)",
        "cross_entropy(model(x), k)",
        "nll(log_softmax(model(x)), k)",
        "accuracy(model(x), k)",
        "perplexity(model(x), k)",
        "binary_cross_entropy(first(x), b)",
        "binary_accuracy(first(x), b)",
        "precision(first(x), b)",
        "recall(first(x), b)",
        "f1(first(x), b)",
        "max(y) - min(y)",
        "count(y)",
    ];
    for report in one {
        let wanted = if report == "count(y)" { 0 } else { 1 };
        assert_eq!(passes(report), Some(wanted), "{report}");
    }
    // Of the mean, then of the squares around it.
    assert_eq!(passes("r2(first(x), y)"), Some(2));
    assert_eq!(passes("variance(y)"), Some(2));
    // Rows that meet rows, and rows that know their number.
    assert_eq!(passes("pairs(x)"), None);
    assert_eq!(passes("sum(i where i > 2: y[i])"), None);
}
