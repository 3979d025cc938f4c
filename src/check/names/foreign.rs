//! What names of other libraries mean here: a table of them, and of the names that stand for the same thing.

/// A few names as others write them, in small letters without `_`; the names of the standard library that their advice
/// rests on; and the advice.
type Row = (&'static str, &'static [&'static str], &'static str);

const TABLE: &[Row] = &[
    ("true", &[], "write `true`"),
    ("false", &[], "write `false`"),
    (
        "none null nil nan",
        &[],
        "there is no such value: a setting has a default, and a column that lacks values is read by `impute(column)` or `fill(column, 0)`",
    ),
    ("pi", &["pi"], "write `pi`"),
    (
        "linear fc lin affine fullyconnected lazylinear densenet perceptron innerproduct",
        &["dense"],
        "an affine layer is `dense(units)`; the size of its input it finds itself",
    ),
    (
        "conv2d convolution convolution1d convolution2d convolution3d",
        &["conv"],
        "a convolution is `conv(channels, size)`; the channels of its input it finds itself",
    ),
    (
        "convtranspose convtranspose2d conv2dtranspose deconv deconvolution",
        &["conv_transpose"],
        "write `conv_transpose(channels, size)`",
    ),
    ("depthwiseconv2d depthwise", &["depthwise_conv"], "write `depthwise_conv(size)`"),
    ("batchnorm batchnorm1d batchnorm2d batchnorm3d batchnormalization bn", &["batch_norm"], "write `batch_norm`"),
    ("layernorm layernormalization", &["layer_norm"], "write `layer_norm`"),
    ("groupnorm groupnormalization", &["group_norm"], "write `group_norm`"),
    ("instancenorm instancenorm1d instancenorm2d", &["instance_norm"], "write `instance_norm`"),
    ("rmsnorm", &["rms_norm"], "write `rms_norm`"),
    ("maxpool maxpool2d maxpool3d maxpooling2d", &["max_pool"], "write `max_pool(size)`"),
    ("avgpool avgpool2d averagepooling2d averagepool meanpool", &["average_pool"], "write `average_pool(size)`"),
    (
        "maxpool1d maxpooling1d",
        &["max"],
        "along a sequence it is written out: `let y[n, c, i] = max(u where u < 2: x[n, c, 2 * i + u])`",
    ),
    (
        "avgpool1d averagepool1d averagepooling1d",
        &["mean"],
        "along a sequence it is written out: `let y[n, c, i] = mean(u where u < 2: x[n, c, 2 * i + u])`",
    ),
    ("upsample1d upsampling1d", &[], "along a sequence it is written out: `let y[n, c, (i u: 2)] = x[n, c, i]`"),
    ("globalaveragepooling2d globalavgpool gap", &["global_average_pool"], "write `global_average_pool`"),
    ("globalmaxpooling2d globalmaxpool", &["global_max_pool"], "write `global_max_pool`"),
    ("adaptiveavgpool2d adaptiveavgpool", &["adaptive_average_pool"], "write `adaptive_average_pool(rows)`"),
    ("upsampling2d interpolate", &["upsample"], "write `upsample(factor)`, or `upsample(factor, mode = \"bilinear\")`"),
    ("multiheadattention selfattention mha", &["attention"], "write `attention(heads)`"),
    ("dropout1d dropout2d spatialdropout2d", &["dropout"], "write `dropout(p)`"),
    ("embed embeddings", &["embedding"], "write `embedding(rows, width)`"),
    (
        "sequential chain compose",
        &["dense", "relu"],
        "layers in a row are a pipe: `x |> dense(64) |> relu |> dense(10)`",
    ),
    ("swish", &["silu"], "write `silu`"),
    ("logistic expit", &["sigmoid"], "write `sigmoid`"),
    (
        "crossentropyloss crossentropy softmaxcrossentropy softmaxcrossentropywithlogits categoricalcrossentropy sparsecategoricalcrossentropy logloss",
        &["cross_entropy"],
        "write `cross_entropy(scores, target)`: of raw scores, without a `softmax` before it",
    ),
    (
        "bce bceloss bcewithlogits bcewithlogitsloss binarycrossentropyloss binarycrossentropywithlogits sigmoidcrossentropy sigmoidcrossentropywithlogits",
        &["binary_cross_entropy"],
        "write `binary_cross_entropy(score, target)`: of a raw score, without a `sigmoid` before it",
    ),
    ("nllloss negativeloglikelihood", &["nll"], "write `nll`"),
    ("mseloss meansquarederror l2loss squarederror squaredloss", &["mse"], "write `mse(prediction, target)`"),
    ("rootmeansquarederror", &["rmse"], "write `rmse(prediction, target)`"),
    ("l1loss meanabsoluteerror absoluteerror", &["mae"], "write `mae(prediction, target)`"),
    ("smoothl1 smoothl1loss huberloss", &["huber"], "write `huber(prediction, target)`"),
    ("kldiv kldivloss kldivergence kullbackleibler", &["kl"], "write `kl`"),
    (
        "focalloss sigmoidfocalloss",
        &["focal", "binary_focal"],
        "write `focal(scores, target)`, or `binary_focal` of one score",
    ),
    ("hingeloss svmloss", &["hinge"], "write `hinge(score, target)`, or `multi_hinge` of a score for each class"),
    ("multimarginloss", &["multi_hinge"], "write `multi_hinge(scores, target)`"),
    ("tripletloss tripletmarginloss", &["triplet"], "write `triplet(anchor, alike, other)`"),
    (
        "infonceloss ntxent ntxentloss contrastiveloss",
        &["info_nce"],
        "write `info_nce(a, b)`, of two views of the same rows",
    ),
    ("cosineembeddingloss cosineloss", &["cosine_loss"], "write `cosine_loss(prediction, target)`"),
    ("ctcloss", &["ctc"], "write `ctc(scores, target, frames, length)`: of raw scores, class 0 being the blank"),
    ("gaussiannllloss", &["gaussian_nll"], "write `gaussian_nll(mean, target, variance)`"),
    ("poissonnllloss poissonloss", &["poisson_nll"], "write `poisson_nll(log_rate, target)`"),
    ("quantileloss pinballloss meanpinballloss", &["pinball"], "write `pinball(prediction, target, q)`"),
    ("diceloss", &["dice"], "write `dice(scores, target)`"),
    ("labelsmoothing", &["cross_entropy"], "write `cross_entropy(scores, target, smoothing = 0.1)`"),
    ("rocauc rocaucscore auroc aucroc", &["auc"], "write `auc(score, target)`"),
    ("averageprecisionscore auprc prauc", &["average_precision"], "write `average_precision(score, target)`"),
    ("confusionmatrix", &["confusion"], "write `report confusion(scores, target)`"),
    ("balancedaccuracyscore", &["balanced_accuracy"], "write `balanced_accuracy(scores, target)`"),
    (
        "topk topkaccuracy topkaccuracyscore topkcategoricalaccuracy",
        &["top_accuracy", "top_k"],
        "the greatest elements are `top_k(x, k)`; the metric is `top_accuracy(scores, target, k = 5)`",
    ),
    ("ece expectedcalibrationerror", &["calibration_error"], "write `calibration_error(scores, target)`"),
    ("meanabsolutepercentageerror", &["mape"], "write `mape(prediction, target)`"),
    ("explainedvariancescore", &["explained_variance"], "write `explained_variance(prediction, target)`"),
    ("macrof1score f1macro", &["macro_f1"], "write `macro_f1(scores, target)`"),
    ("r2score rsquared", &["r2"], "write `r2(prediction, target)`"),
    (
        "acc accuracyscore categoricalaccuracy sparsecategoricalaccuracy",
        &["accuracy"],
        "write `accuracy(scores, target)`",
    ),
    ("f1score", &["f1"], "write `f1`"),
    ("precisionscore", &["precision"], "write `precision`"),
    ("recallscore sensitivity", &["recall"], "write `recall`"),
    (
        "std stdev stddev standarddeviation stdevp sd",
        &["sqrt", "variance"],
        "the standard deviation is `sqrt(variance(x))`",
    ),
    ("var varp", &["variance"], "write `variance(x)`"),
    ("average avg reducemean", &["mean"], "write `mean(x)`"),
    ("reducesum sumproduct", &["sum"], "write `sum(x)`; along an index, `sum(i: x[i])`"),
    ("ln", &["log"], "write `log(x)`"),
    ("pow power", &[], "a power is written `x^2`"),
    ("square", &[], "write `x^2`"),
    ("matmul mm bmm dot mmult tensordot", &[], "a product of matrices is written `a @ b`"),
    ("einsum", &["sum"], "write it as index notation: `let y[i, k] = sum(j: a[i, j] * b[j, k])`"),
    ("clamp clip clipbyvalue", &["min", "max"], "write `min(max(x, low), high)`"),
    ("maximum", &["max"], "write `max(a, b)`"),
    ("minimum", &["min"], "write `min(a, b)`"),
    ("where ifelse", &[], "a choice is written `if a then b else c`"),
    ("absolute fabs", &["abs"], "write `abs(x)`"),
    ("range arange", &[], "whole numbers from a to b, without b, are written `a..b`"),
    ("zeros ones zeroslike oneslike full", &[], "a number stands for every element: `param b: [d] = 0`"),
    (
        "reshape view permute unsqueeze expanddims rearrange",
        &[],
        "axes are laid out by index notation: `let y[n, (h w)] = x[n, h, w]`",
    ),
    ("cat concatenate hstack", &["concat"], "write `concat(a, b)`"),
    ("onehotencoder tocategorical getdummies", &["one_hot"], "write `one_hot(category(column))`"),
    (
        "standardscaler normalize zscore scaler",
        &["standardize"],
        "write `x |> standardize`: it is fitted on the training rows",
    ),
    ("minmaxscaler", &["minmax"], "write `x |> minmax`: it is fitted on the training rows"),
    ("simpleimputer fillna", &["impute", "fill"], "write `impute(column)` for the mean, or `fill(column, 0)`"),
    ("labelencoder factor astype ascategory", &["category"], "write `category(column)`"),
    ("polynomialfeatures", &["polynomial"], "write `polynomial(x, degree)`"),
    ("readcsv loadcsv readtable", &[], "rows come from `data name = csv(\"file.csv\") { … }`"),
    ("traintestsplit", &[], "write `split = holdout(train = 80%, test = 20%, seed = 1)` in the `data` block"),
    (
        "dataloader tensordataset",
        &[],
        "rows come from a `data` block, and `batch = 64` in `train` takes so many a step",
    ),
    ("len shape size ndim", &[], "a signature names sizes: in `x: [n, d]`, `d` is the second"),
    ("xavier xavieruniform glorot", &["glorot_uniform"], "write `glorot_uniform`"),
    ("xaviernormal", &["glorot_normal"], "write `glorot_normal`"),
    ("kaiming kaiminguniform he", &["he_uniform"], "write `he_uniform`"),
    ("kaimingnormal", &["he_normal"], "write `he_normal`"),
    ("randn gaussian randomnormal", &["normal"], "a draw is written `let z: [n, d] ~ normal(0, 1)`"),
    ("rand random randomuniform randint", &["uniform"], "a draw is written `let z: [n, d] ~ uniform(0, 1)`"),
    ("detach stopgradient stopgrad nograd", &["constant"], "write `constant(x)`"),
    ("gather takealongaxis", &["pick"], "write `pick(x, class)`, or read `x[i, class[i]]`"),
    ("cosineannealing cosineannealinglr cosinedecay", &["cosine"], "write `lr = 0.1 * cosine(step, steps)`"),
    ("steplr multisteplr", &["step_decay"], "write `lr = 0.1 * step_decay(…)`"),
    ("cosineannealingwarmrestarts", &["cosine_restarts"], "write `lr = 0.1 * cosine_restarts(step, 100)`"),
    ("linearlr polynomiallr lineardecay", &["linear_decay"], "write `lr = 0.1 * linear_decay(step, steps)`"),
    ("cycliclr", &["cyclic"], "write `lr = 0.1 * cyclic(step, 100)`"),
    ("noamlr inversesqrtlr", &["inverse_sqrt"], "write `lr = 0.1 * inverse_sqrt(step, 100)`"),
    ("exponentiallr exponentialdecay", &["exponential"], "write `lr = 0.1 * exponential(…)`"),
    ("onecyclelr", &["one_cycle"], "write `lr = 0.1 * one_cycle(step, steps)`"),
    ("momentum nesterov", &["sgd"], "write `sgd(lr = 0.1, momentum = 0.9)`"),
    ("logprob logpdf logpmf", &["logp"], "a density is `logp(normal(m, s), z)`"),
    ("sample rsample", &[], "a draw is written `let z: [n, d] ~ normal(m, s)`"),
    ("eye identity", &[], "write `let one[i: d, j: d] = if i == j then 1 else 0`"),
    ("linspace", &[], "write `let x[i: 11] = low + (high - low) * i / 10`"),
    ("tril triu causalmask", &[], "a condition leaves elements out: `softmax(j where j <= i: score[i, j])`"),
    ("norm l2norm", &["sqrt", "sum"], "write `sqrt(sum(x^2))`"),
    ("prod product reduceprod", &["cumprod", "last"], "write `last(cumprod(x))`"),
    ("transposed t", &["transpose"], "write `transpose(x)`"),
];

/// Signs of the blackboard, whose case tells them from names.
const SIGNS: [(&str, &str, &str); 5] = [
    ("N", "normal", "a draw is of `normal(0, 1)`: of a mean and a standard deviation"),
    ("𝒩", "normal", "a draw is of `normal(0, 1)`: of a mean and a standard deviation"),
    ("U", "uniform", "a draw is of `uniform(0, 1)`: from the first to the second"),
    ("Σ", "sum", "write `sum(j: x[j])`"),
    ("E", "mean", "write `mean(j: x[j])`"),
];

/// The modules that other libraries keep their names in.
const MODULES: [&str; 20] = [
    "nn",
    "np",
    "numpy",
    "torch",
    "tf",
    "tensorflow",
    "keras",
    "F",
    "optim",
    "sklearn",
    "pd",
    "pandas",
    "jnp",
    "jax",
    "math",
    "scipy",
    "layers",
    "losses",
    "metrics",
    "init",
];

/// What to write for a name of another library, if everything that this needs is `known`.
pub fn advice(name: &str, known: impl Fn(&str) -> bool) -> Option<&'static str> {
    if let Some((_, needed, advice)) = SIGNS.iter().find(|(sign, ..)| *sign == name) {
        return known(needed).then_some(*advice);
    }
    let plain: String = name.chars().filter(|c| *c != '_').flat_map(char::to_lowercase).collect();
    let row = TABLE.iter().find(|(names, ..)| names.split(' ').any(|other| other == plain))?;
    row.1.iter().all(|needed| known(needed)).then_some(row.2)
}

/// Whether a name is one of a module of other libraries.
pub fn is_module(name: &str) -> bool {
    MODULES.contains(&name)
}
