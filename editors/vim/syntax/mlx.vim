" Syntax of the mlx language.
if exists("b:current_syntax")
  finish
endif

syn iskeyword @,48-57,_,192-255
syn keyword mlxStatement let param state out emit minimize report predict calibrate check if then else and or not scan
syn keyword mlxStatement using
syn keyword mlxItem use fn layer model optimizer data train sweep
syn keyword mlxPlace as except for from in names on over times transposed where
syn keyword mlxType bool class distribution float int list string
syn keyword mlxLibrary abs accuracy adadelta adafactor adagrad adam adamax adamw adaptive_average_pool
syn keyword mlxLibrary adaptive_max_pool argmax argmin as_class atan atan2 attention auc average_pool
syn keyword mlxLibrary average_precision balanced_accuracy batch_norm bernoulli bidirectional binary_accuracy
syn keyword mlxLibrary binary_cross_entropy binary_focal bordered bradley_terry by_class calibration_error
syn keyword mlxLibrary categorical category ceil characters cholesky clamp class_f1 class_precision class_recall
syn keyword mlxLibrary classes concat confusion constant conv conv1d conv3d conv_transpose cos cosine cosine_loss
syn keyword mlxLibrary cosine_restarts cosine_similarity count cross_entropy ctc cummax cummin cumprod cumsum cyclic
syn keyword mlxLibrary decoder_block dense depthwise_conv dice digamma drop_path dropout each elbo_kl elu embedding
syn keyword mlxLibrary emitted encoder_block erf erfinv every_position exp explained_variance expm1 exponential f1
syn keyword mlxLibrary fill first fitted flatten floor focal gaussian_nll geglu gelu gelu_tanh generate
syn keyword mlxLibrary global_average_pool global_max_pool glorot_normal glorot_uniform glu grad group_norm gru
syn keyword mlxLibrary he_normal he_uniform hinge huber impute info_nce instance_norm integers inverse inverse_sqrt
syn keyword mlxLibrary is_list kl kl_normal l1 l2 lamb last layer_norm leaky_relu learned_positions lecun_normal
syn keyword mlxLibrary lecun_uniform lgamma linear_decay lion log log1p log_add log_bernoulli log_beta_density
syn keyword mlxLibrary log_categorical log_det log_gamma_density log_integers log_laplace log_mixture log_normal
syn keyword mlxLibrary log_normal_mixture log_of_powers log_poisson log_softmax log_student_t log_uniform logp
syn keyword mlxLibrary logsumexp logsumexp_last lstm macro_f1 mae mape max max_pool mean median micro_f1 min minmax
syn keyword mlxLibrary missing mod mse multi_hinge muon nadam newton_schulz next_token nll normal on_the_line once
syn keyword mlxLibrary one_cycle one_hot order orthogonal orthonormal pad pad_same padding_of perplexity pi pick
syn keyword mlxLibrary pinball places_of poisson_nll polynomial precision quantile r2 radam random_crop random_flip
syn keyword mlxLibrary recall reglu relu reparameterized repeat residual reversed rms_norm rmse rmsprop rnn rotary
syn keyword mlxLibrary round sequence_last sequence_max sequence_mean sgd sigmoid sign silu sin sinusoidal_positions
syn keyword mlxLibrary softmax softplus solve sort split sqrt squeeze stack standardize step_decay sum swiglu tan
syn keyword mlxLibrary tanh top_accuracy top_k total total_variation transformer_block transpose triangular_solve
syn keyword mlxLibrary triplet trunc truncated_normal uniform upsample variance warmup weighted_mean whole_length
syn keyword mlxLibrary within
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
