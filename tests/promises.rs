//! What the language promises, a line each, and the section of the specification that shows it: a program that trains, or a mistake
//! that is told. Every section of `design_*.mlx` is shown by one of them.

use crate::spec;
use crate::trial;
use libtest_mimic::Trial;
use std::collections::HashMap;
use std::fs;

enum Shown {
    /// The program is right, and takes a step.
    Trains,
    /// The checker says what is wrong, or warns.
    Says,
}

use Shown::{Says, Trains};

/// A promise, the file of the specification, its section, and what is shown there.
type Promise = (&'static str, &'static str, &'static str, Shown);

pub fn trials() -> Vec<Trial> {
    vec![trial("promises::each_is_shown", each_is_shown)]
}

fn each_is_shown() {
    let mut sections: HashMap<(String, String), spec::Section> = HashMap::new();
    for path in spec::files() {
        let file = path.file_stem().expect("a name").to_string_lossy().into_owned();
        for section in spec::sections(&fs::read_to_string(&path).expect("a spec")) {
            sections.insert((file.clone(), section.name.clone()), section);
        }
    }
    let mut broken: Vec<String> = Vec::new();
    for (promise, file, name, shown) in PROMISES {
        let kept = sections.get(&(file.to_string(), name.to_string())).is_some_and(|section| {
            let errs = section.expected.contains("// error ");
            match shown {
                Trains => !errs && section.program.lines().any(|line| line.starts_with("train")),
                Says => errs || section.expected.contains("// warning "),
            }
        });
        if !kept {
            broken.push(format!("{promise}: {file}, {name}"));
        }
    }
    let is_named =
        |(file, name): &(String, String)| PROMISES.iter().any(|(_, own, section, _)| own == file && section == name);
    let unnamed = sections.keys().filter(|key| key.0.starts_with("design_") && !is_named(key));
    broken.extend(unnamed.map(|(file, name)| format!("no promise: {file}, {name}")));
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

const PROMISES: &[Promise] = &[
    ("a first file: data, split, model, loss, optimizer, a report", "design_training", "a first file", Trains),
    (
        "items stand in any order, each with its comment",
        "design_text",
        "a file is a list of items in any order, each with its comment",
        Trains,
    ),
    (
        "names of every script, primes, backquotes; `50_000`, `1e-3`, `80%`",
        "design_text",
        "names of every script, primes, words of the language in backquotes, numbers",
        Trains,
    ),
    ("words by place are names elsewhere", "design_text", "words by place are names elsewhere", Trains),
    (
        "identifiers are normalized",
        "design_text",
        "one name however it is typed: a letter with its accent, and a letter and an accent",
        Trains,
    ),
    (
        "`not` binds looser than a comparison; an `if` reaches as far right as it can",
        "design_text",
        "`not` binds looser than a comparison, an `if` reaches as far right as it can",
        Trains,
    ),
    (
        "a comma takes apart; line breaks change no meaning",
        "design_text",
        "a comma takes apart, a pipe may begin a line",
        Trains,
    ),
    ("`a < b < c` is an error", "names", "comparisons do not chain", Says),
    ("mistakes of one item do not hide those of the next", "errors", "several mistakes in one file", Says),
    ("`//` behind an operand", "comments", "a divisor behind two slashes", Says),
    ("`use` brings the items of another file", "uses", "the items of another file", Trains),
    (
        "`[n, d]`, `int[n]`, `bool[n]`, `class(k)[n]`, `[]`, `[..s, d]`; sizes are expressions",
        "design_types",
        "every kind of element, rests, sizes that are expressions",
        Trains,
    ),
    (
        "hyperparameters: int, float, bool, string, fn, layer, distribution, lists, of two kinds",
        "design_types",
        "hyperparameters of every kind",
        Trains,
    ),
    ("a shape adds axes or stretches", "design_types", "a shape adds axes or stretches, never both at once", Trains),
    (
        "an operation never adds an axis to one operand and stretches another",
        "types",
        "no operation both adds and stretches an axis",
        Says,
    ),
    (
        "messages name the batch, and both origins of a size",
        "design_types",
        "a batch stays a name in messages, and both origins of a size are shown",
        Says,
    ),
    (
        "a division of sizes is exact, and the error names the layer",
        "design_types",
        "a division of sizes is exact, and the layer that asked is named",
        Says,
    ),
    ("literals take the kind of what they meet", "functions", "a literal that is no class is a number", Says),
    ("dense as its definition; `bias = false` has no `b`", "values", "a bias that nothing uses does not exist", Trains),
    (
        "a residual net: blocks, repeats, a skip by sizes",
        "design_layers",
        "a residual net: a skip that is chosen by sizes, repeats of layers, a pipe through it all",
        Trains,
    ),
    ("`x |> f(a)` puts x before the other inputs", "values", "a pipe puts its value first", Trains),
    (
        "a list of layers is their composition; a pipe that begins with a recipe is a recipe",
        "design_layers",
        "a list of layers is their composition; a pipe that begins with a recipe is a recipe",
        Trains,
    ),
    (
        "`repeat` of a recipe makes fresh layers, of an instance tied ones",
        "design_decisions",
        "recipes and instances: repeats and lists make fresh layers of a recipe, of an instance the same",
        Trains,
    ),
    (
        "paths of parameters; branches that are not taken count",
        "design_decisions",
        "paths: a name by `let` or `as`, else the layer and its count; branches that are not taken count",
        Trains,
    ),
    ("`as` names an application; tied weights", "design_layers", "an embedding, tied to what reads it", Trains),
    ("a settled `if` chooses structure", "values", "a settled if chooses structure", Trains),
    (
        "any other `if` chooses per element; what is not chosen has gradient 0",
        "where",
        "what is not chosen has no gradient in a product either",
        Trains,
    ),
    (
        "`training` is true while a layer is trained",
        "training",
        "`training` is true where a loss is minimized, and false where it is evaluated",
        Trains,
    ),
    ("draws inside of the graph", "draws", "dropout", Trains),
    (
        "several results, with names and without",
        "design_decisions",
        "several results with names; a let in a train without data; checks",
        Trains,
    ),
    (
        "`emit` and `emitted`, from any depth, from a scan with its axis",
        "design_decisions",
        "what is emitted, from any depth, by a scan with its axis",
        Trains,
    ),
    ("states: kept between steps, threaded in the order of the text", "states", "a counter, applied twice", Trains),
    (
        "layers call themselves where a settled `if` ends it",
        "design_layers",
        "a recursion that stands before the `if` that ends it",
        Trains,
    ),
    (
        "a `let` that no taken branch reads is not made",
        "design_decisions",
        "laziness: what no branch reads is not made; a hyperparameter of two kinds; slices",
        Trains,
    ),
    ("a function applies the layers that it is handed, and makes none", "types", "a layer in a function", Says),
    (
        "attention in index notation",
        "design_layers",
        "attention over groups, with queries, keys and values taken apart",
        Trains,
    ),
    ("convolution as its definition", "index", "convolution as its definition", Trains),
    ("message passing on a graph", "design_layers", "message passing: each node sums what its neighbours send", Trains),
    ("places: affine, elements, groups, rests", "index", "places that are affine in indices", Trains),
    (
        "`f(j: e)` of any function, one of one's own, with `where`",
        "design_functions",
        "a vector's function of one's own, along an index; masks; wholes that flatten",
        Trains,
    ),
    (
        "sizes of indices; guards; rests in reductions; further arguments",
        "design_decisions",
        "reads and sizes: guards, sizes from conditions, rests, flattened indices, further arguments",
        Trains,
    ),
    ("a read that can leave its axis", "index", "what can be wrong, each told once", Says),
    ("an index of two sizes", "types", "an index over two sizes", Says),
    (
        "an unindexed vector right of an indexed `let`",
        "design_decisions",
        "an axis name that is an index and a size at once",
        Says,
    ),
    (
        "`count` under a `where`; a size there is an error",
        "design_decisions",
        "what a name of an axis is under a where",
        Says,
    ),
    ("slices; an open start has a hint", "design_decisions", "an open start of a slice", Says),
    ("slices beside indices", "design_index", "slices beside indices are axes", Trains),
    ("slices that leave their axis, or depend on an index", "design_index", "slices that are none", Says),
    ("rests of what has no name", "design_index", "a rest of what has no name", Trains),
    (
        "sums of products of several factors",
        "design_index",
        "sums of products of several factors, and under a condition",
        Trains,
    ),
    ("lstm as a scan", "design_layers", "a long short-term memory", Trains),
    (
        "scans over several things, ranges, rows; tuples; `last`",
        "design_decisions",
        "scans: several sources, ranges, the axis of the result, tuples, the last step, loops over rows",
        Trains,
    ),
    (
        "losses as formulas; derivatives of derivatives",
        "design_functions",
        "losses as their formulas, a derivative of a derivative",
        Trains,
    ),
    ("`constant` stops the gradient", "values", "gradients stop at a constant", Trains),
    ("elementwise `min` and `max`", "functions", "elementwise choices of ints, truth values and classes", Trains),
    ("densities and draws of every distribution", "design_decisions", "densities and draws", Trains),
    (
        "draws depend on seed, place and row alone",
        "draws",
        "two calls draw differently, and one is the same wherever it is read",
        Trains,
    ),
    ("`generate`: tokens one after the other", "design_functions", "drawing a continuation, token by token", Trains),
    ("the library's signatures", "design_decisions", "library signatures", Trains),
    (
        "distributions know fan-in and fan-out; equal maxima share; exact gelu",
        "design_decisions",
        "defaults: matrices have their fan-in and fan-out, equal maxima share, gelu is the exact one",
        Trains,
    ),
    (
        "lists along a first axis, `stack`, `concat`",
        "design_decisions",
        "lists stand along a new first axis, stack along a last one, concat along the last",
        Trains,
    ),
    (
        "exact numbers, 32-bit ints, quotients, floors",
        "design_decisions",
        "numbers: exact while they are settled, 32-bit ints, true quotients, exact floors, literals of what they meet",
        Trains,
    ),
    (
        "classes: arithmetic makes ints, choosing and gathering keep them",
        "design_decisions",
        "arithmetic of a class is a plain int, with a warning; what chooses keeps the classes",
        Trains,
    ),
    (
        "adamw as its recurrence, with a schedule",
        "design_functions",
        "a rule for a parameter as its recurrence",
        Trains,
    ),
    (
        "rules of one rank; totals",
        "design_training",
        "an optimizer for one rank beside one for the rest, and a sum over all parameters",
        Trains,
    ),
    ("`except … for` takes over settings", "minimized", "`except` takes parameters by their paths", Says),
    (
        "schedules of step, steps, epoch, epochs",
        "design_training",
        "schedules are expressions of step, steps, epoch, epochs",
        Trains,
    ),
    (
        "tables: columns side by side, ranges of columns, all but some",
        "design_data",
        "columns side by side in a table: as they are, one from another, all but some",
        Trains,
    ),
    (
        "a distribution instead of a file",
        "design_data",
        "a distribution instead of a file: constants and columns of one, functions of them",
        Trains,
    ),
    ("text, characters, windows", "design_data", "text by its characters, windows of it", Trains),
    ("what is fitted can be undone", "design_data", "what is fitted is undone, also a scale of one's own", Trains),
    ("whole values: a graph, a table", "design_data", "whole values: a graph's edges, a table of weights", Trains),
    (
        "lags and windows need rows in order",
        "design_data",
        "functions of the order of rows want a split that is not shuffled",
        Trains,
    ),
    (
        "… and are cut at the borders of a split",
        "figures",
        "the rows before and behind a row, a mean of some, sums so far",
        Trains,
    ),
    ("… or are an error", "figures", "rows that are shuffled have no order", Says),
    (
        "classes in their order, as told, unknown ones, whole numbers",
        "design_data",
        "the order of the classes, as they are and as told; unknown ones; whole numbers as classes",
        Trains,
    ),
    ("rows of unequal length", "design_data", "rows of unequal length", Trains),
    ("a reduction over rows must be fitted", "joins", "columns that join their rows", Says),
    ("columns that are others in training", "whole", "columns that are others in training", Trains),
    ("stratified and grouped splits, folds", "splits", "folds keep groups and strata", Trains),
    ("a fold is held out as `valid`", "splits", "a fold is held out for validation", Trains),
    ("`given(by = column)`", "splits", "a column says the split", Trains),
    ("a bad row is drawn like a source error", "jsonl", "a line that is no JSON", Says),
    ("missing values", "missing", "a mean of the training rows, a number, and which rows", Trains),
    ("data without a split", "missing_parts", "columns and rows that no data gives", Says),
    (
        "every setting of a training; a second training from the first; a sweep",
        "design_training",
        "every setting of a training",
        Trains,
    ),
    ("two nets against each other", "design_training", "two nets against each other", Trains),
    (
        "parameters of a block",
        "design_training",
        "a parameter of the block: cluster centres, an input that is optimized",
        Trains,
    ),
    ("`calibrate … on valid`", "design_training", "calibrated when training is over", Trains),
    (
        "points in parameter space: copies, sums, steps, draws, `each`, `total`",
        "design_training",
        "models are points: copies, sums, scalings, a step along a gradient, a draw, tensor by tensor",
        Trains,
    ),
    (
        "a policy and its critic: `once`, `times`, `over`",
        "design_training",
        "a policy that is drawn from, rewarded, and moved by the draws of one step",
        Trains,
    ),
    ("`Net(x)` beside `model = Net`", "design_decisions", "a net by its own name beside model =", Says),
    (
        "scope: own names, columns, the file, the library; hiding is warned of",
        "design_decisions",
        "scope in a train: its own names, columns, the file's, the library's; shadowing is warned of",
        Says,
    ),
    ("`freeze`", "minimized", "freezing", Says),
    ("a sweep", "sweeps", "a sweep", Trains),
    ("a block without data, model or loss", "missing_parts", "no data and no model", Trains),
    ("`check` in the first step and in evaluations", "over", "a check that a run looks at", Trains),
    ("reports of several numbers", "reports", "of each class, in the order of the classes", Trains),
    ("softmax before a loss of raw scores", "lints", "w0401_fires", Says),
    ("two softmaxes", "lints", "w0402_fires", Says),
    ("two linear maps in a row", "lints", "w0404_fires", Says),
    ("… but not between two nets", "figures", "w0404_must_not_4: what one net gives another", Trains),
    ("a loss without a gradient", "lints", "w0405_fires", Says),
    ("all-zero weights", "lints", "w0407_fires", Says),
    ("a target among the inputs", "lints", "w0410_fires", Says),
    ("unscaled inputs", "lints", "w0414_fires", Says),
    ("class imbalance without a metric that sees it", "lints", "w0415_fires", Says),
    ("a bias before a norm", "lints", "w0416_fires", Says),
    ("dropout before a batch norm", "lints", "w0417_fires", Says),
    ("a last batch of one row", "lints", "w0418_fires", Says),
    ("a schedule of another length than the run", "lints", "w0419_fires", Says),
    ("labels that are not shifted", "lints_of_training", "w0444_fires", Says),
    ("a language model without a causal mask", "lints_of_training", "w0445_fires", Says),
    ("a learning rate out of range", "usual", "a learning rate that can hardly be meant", Says),
    ("a choice by test rows", "over", "calibrated by test rows", Says),
    (
        "measurements under a loss of classes, classes under one of numbers",
        "types",
        "measurements are no classes",
        Says,
    ),
    ("a model that mixes its rows", "joins", "a model that joins its rows", Says),
    ("a strong decay of scales", "figures", "w0461_fires", Says),
    ("figures of training rows alone", "figures", "w0462_fires", Says),
    ("groups split at random", "figures", "w0463_fires", Says),
    ("a time series split at random", "figures", "w0463_fires_2: a time series", Says),
    ("an unknown name, with the nearest one", "names", "the nearest name is meant", Says),
    ("a path that matches nothing", "minimized", "freezing", Says),
];
