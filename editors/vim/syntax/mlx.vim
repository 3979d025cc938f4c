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
syn keyword mlxLibrary abs accuracy adadelta adafactor adagrad adam adamax adamw argmax argmin atan atan2 attention auc
syn keyword mlxLibrary average_precision balanced_accuracy batch_norm bernoulli bidirectional binary_accuracy
syn keyword mlxLibrary binary_cross_entropy binary_focal bradley_terry by_class calibration_error categorical category
syn keyword mlxLibrary ceil characters cholesky clamp class_f1 class_precision class_recall concat confusion constant
syn keyword mlxLibrary cos cosine cosine_loss cosine_restarts cosine_similarity count cross_entropy ctc cummax cummin
syn keyword mlxLibrary cumprod cumsum cyclic decoder_block dense dice digamma drop_path dropout elbo_kl elu embedding
syn keyword mlxLibrary emitted encoder_block erf every_position exp explained_variance expm1 exponential f1 fill first
syn keyword mlxLibrary fitted floor focal gaussian_nll gelu generate glorot_normal glorot_uniform grad gru he_normal
syn keyword mlxLibrary he_uniform hinge huber impute info_nce integers inverse inverse_sqrt kl kl_normal l1 l2 lamb
syn keyword mlxLibrary last layer_norm leaky_relu learned_positions lecun_normal lecun_uniform lgamma linear_decay lion
syn keyword mlxLibrary log log1p log_add log_bernoulli log_beta_density log_categorical log_det log_gamma_density
syn keyword mlxLibrary log_integers log_laplace log_mixture log_normal log_normal_mixture log_of_powers log_poisson
syn keyword mlxLibrary log_softmax log_student_t log_uniform logp logsumexp logsumexp_last lstm macro_f1 mae mape max
syn keyword mlxLibrary mean median micro_f1 min minmax missing mod mse multi_hinge muon nadam newton_schulz next_token
syn keyword mlxLibrary nll normal on_the_line once one_cycle one_hot order perplexity pick pinball poisson_nll
syn keyword mlxLibrary polynomial precision quantile r2 radam recall relu reparameterized repeat reversed rmse rmsprop
syn keyword mlxLibrary rnn rotary round sequence_last sequence_max sequence_mean sgd sigmoid sign silu sin
syn keyword mlxLibrary sinusoidal_positions softmax softplus solve sort split sqrt squeeze stack standardize step_decay
syn keyword mlxLibrary sum tan tanh top_accuracy top_k total total_variation transformer_block transpose
syn keyword mlxLibrary triangular_solve triplet trunc uniform variance warmup weighted_mean whole_length within
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
