//! What the language has and this program does not build yet: the table. A row dies once its meaning arrives.

use crate::diagnostic::Diagnostic;
use crate::source::Span;

/// The name that the walk has for a construct, and what a message calls it.
const CONSTRUCTS: [(&str, &str); 32] = [
    ("use", "`use`"),
    ("sweep", "`sweep`"),
    ("scan", "`scan`"),
    ("emit", "`emit`"),
    ("predict", "`predict`"),
    ("calibrate", "`calibrate`"),
    ("record", "a result with named parts"),
    ("tuple", "a result of several tensors"),
    ("several", "a `let` of several names"),
    ("columns", "one value for several columns"),
    ("from", "`from`"),
    ("except", "`except`"),
    ("over", "`over`"),
    ("times", "`times`"),
    ("minimizes", "more than one `minimize`"),
    ("comprehension", "a list made with `for`"),
    ("as", "`as`"),
    ("slice", "a slice"),
    ("group", "a group of axes"),
    ("affine", "a read at anything but a name"),
    ("gather", "a read at the elements of a tensor"),
    ("size", "a size written in an indexed `let`"),
    ("where", "`where` in a reduction"),
    ("state", "`state` outside of an optimizer"),
    ("draw", "a draw inside of a computation"),
    ("generated", "a column drawn from a distribution"),
    ("rank", "an optimizer for one rank"),
    ("param", "`param` in a `train`"),
    ("string", "a parameter that is a string"),
    ("list", "a parameter that is a list"),
    ("layer", "a parameter that is a layer"),
    ("distribution", "a parameter that is a distribution"),
];

/// Settings of a `train`.
const SETTINGS: [&str; 7] = ["batch", "clip", "accumulate", "validate", "stop", "keep", "freeze"];

/// Where rows come from, besides `csv`.
pub const SOURCES: [&str; 11] =
    ["parquet", "jsonl", "npy", "npz", "safetensors", "idx", "cifar10", "cifar100", "images", "text", "rows"];

/// Functions, layers and optimizers that the standard library is to have.
const FUNCTIONS: [&str; 43] = [
    "grad",
    "emitted",
    "repeat",
    "logp",
    "transpose",
    "concat",
    "split",
    "softmax",
    "conv",
    "batch_norm",
    "layer_norm",
    "dropout",
    "global_average_pool",
    "pad_same",
    "he_normal",
    "bernoulli",
    "ceil",
    "gelu",
    "softplus",
    "embedding",
    "attention",
    "kl",
    "minmax",
    "one_hot",
    "polynomial",
    "classes",
    "characters",
    "next_token",
    "random_crop",
    "pad",
    "given",
    "kfold",
    "total",
    "stack",
    "sort",
    "cumsum",
    "once",
    "adamw",
    "warmup",
    "cosine",
    "every",
    "patience",
    "quantile",
];

/// Every message that says so.
pub fn messages() -> Vec<String> {
    let names = SETTINGS.iter().map(|name| setting_called(name)).chain(SOURCES.iter().map(|name| source_called(name)));
    let named = names.chain(FUNCTIONS.iter().map(|name| format!("`{name}`")));
    CONSTRUCTS.iter().map(|(_, called)| called.to_string()).chain(named).map(|called| not_yet(&called)).collect()
}

pub fn construct(name: &str, span: Span) -> Diagnostic {
    let (_, called) = CONSTRUCTS.iter().find(|(row, _)| *row == name).unwrap_or(&("", "this"));
    diagnostic(called, span)
}

pub fn setting(name: &str, span: Span) -> Option<Diagnostic> {
    SETTINGS.contains(&name).then(|| diagnostic(&setting_called(name), span))
}

pub fn source(name: &str, span: Span) -> Option<Diagnostic> {
    SOURCES.contains(&name).then(|| diagnostic(&source_called(name), span))
}

pub fn function(name: &str, span: Span) -> Option<Diagnostic> {
    FUNCTIONS.contains(&name).then(|| diagnostic(&format!("`{name}`"), span))
}

fn setting_called(name: &str) -> String {
    format!("the setting `{name}`")
}

fn source_called(name: &str) -> String {
    format!("reading `{name}` data")
}

fn not_yet(called: &str) -> String {
    format!("{called} is not built yet")
}

fn diagnostic(called: &str, span: Span) -> Diagnostic {
    Diagnostic::error("E0199", not_yet(called), span, "the language has this, the program does not")
}
