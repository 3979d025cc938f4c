//! Which figures of the library are better the greater they are, and which the smaller.

/// Those that have a slope.
pub const GREATER_WITH_SLOPE: &[&str] = &["r2", "explained_variance"];

const GREATER: &[&str] = &[
    "accuracy",
    "auc",
    "average_precision",
    "balanced_accuracy",
    "binary_accuracy",
    "f1",
    "macro_f1",
    "micro_f1",
    "precision",
    "recall",
    "top_accuracy",
];

const SMALLER: &[&str] = &[
    "binary_cross_entropy",
    "binary_focal",
    "calibration_error",
    "cosine_loss",
    "cross_entropy",
    "ctc",
    "dice",
    "focal",
    "gaussian_nll",
    "hinge",
    "huber",
    "kl",
    "mae",
    "mape",
    "mse",
    "multi_hinge",
    "nll",
    "perplexity",
    "pinball",
    "poisson_nll",
    "rmse",
];

/// Whether a figure is better the greater it is, if it is known.
pub fn is_better_greater(name: &str) -> Option<bool> {
    let greater = GREATER.contains(&name) || GREATER_WITH_SLOPE.contains(&name);
    (greater || SMALLER.contains(&name)).then_some(greater)
}
