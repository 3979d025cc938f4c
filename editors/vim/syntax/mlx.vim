" Syntax of the mlx language.
if exists("b:current_syntax")
  finish
endif

syn iskeyword @,48-57,_,192-255
syn keyword mlxStatement let param state out emit minimize report predict calibrate check if then else and or not scan
syn keyword mlxStatement using
syn keyword mlxItem use fn layer model optimizer data train sweep
syn keyword mlxPlace as except for from in names on over times where
syn keyword mlxType bool class distribution float int list string
syn keyword mlxLibrary abs accuracy adadelta adafactor adagrad adam adamax adamw argmax argmin atan atan2 auc
syn keyword mlxLibrary average_precision balanced_accuracy batch_norm bernoulli binary_accuracy binary_cross_entropy
syn keyword mlxLibrary binary_focal bradley_terry by_class calibration_error categorical category ceil cholesky
syn keyword mlxLibrary clamp class_f1 class_precision class_recall concat confusion constant cos cosine cosine_loss
syn keyword mlxLibrary cosine_restarts cosine_similarity count cross_entropy ctc cummax cummin cumprod cumsum cyclic
syn keyword mlxLibrary dense dice digamma drop_path dropout elbo_kl elu erf exp explained_variance expm1 exponential
syn keyword mlxLibrary f1 fill first fitted floor focal gaussian_nll gelu glorot_normal glorot_uniform grad
syn keyword mlxLibrary he_normal he_uniform hinge huber impute info_nce integers inverse inverse_sqrt kl kl_normal
syn keyword mlxLibrary l1 l2 lamb last leaky_relu lecun_normal lecun_uniform lgamma linear_decay lion log log1p
syn keyword mlxLibrary log_add log_bernoulli log_beta_density log_categorical log_det log_gamma_density log_integers
syn keyword mlxLibrary log_laplace log_mixture log_normal log_normal_mixture log_of_powers log_poisson log_softmax
syn keyword mlxLibrary log_student_t log_uniform logp logsumexp logsumexp_last macro_f1 mae mape max mean median
syn keyword mlxLibrary micro_f1 min minmax missing mod mse multi_hinge muon nadam newton_schulz nll normal
syn keyword mlxLibrary on_the_line once one_cycle one_hot order perplexity pick pinball poisson_nll polynomial
syn keyword mlxLibrary precision quantile r2 radam recall relu reparameterized repeat rmse rmsprop round sgd sigmoid
syn keyword mlxLibrary sign silu sin softmax softplus solve sort split sqrt squeeze stack standardize step_decay sum
syn keyword mlxLibrary tan tanh top_accuracy top_k total total_variation transpose triangular_solve triplet trunc
syn keyword mlxLibrary uniform variance warmup weighted_mean
syn keyword mlxTruth true false
syn match mlxNumber "\<\d\(\d\|_\d\)*\(\.\d\+\)\?\([eE][+-]\?\d\+\)\?%\?"
syn match mlxOperator "|>\|->\|[-+*/@^<>=~]"
syn region mlxString start=+"+ skip=+\\.+ end=+"\|$+
syn region mlxName start=+`+ end=+`+ oneline
syn match mlxComment "//.*$"
syn match mlxDoc "///.*$"

hi def link mlxStatement Statement
hi def link mlxItem Structure
hi def link mlxPlace Keyword
hi def link mlxType Type
hi def link mlxLibrary Function
hi def link mlxTruth Boolean
hi def link mlxNumber Number
hi def link mlxOperator Operator
hi def link mlxString String
hi def link mlxName Identifier
hi def link mlxComment Comment
hi def link mlxDoc SpecialComment

let b:current_syntax = "mlx"
