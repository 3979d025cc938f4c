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
syn keyword mlxLibrary abs accuracy adagrad adam adamw adaptive_average_pool argmax argmin atan atan2 average_pool
syn keyword mlxLibrary batch_norm bernoulli binary_accuracy binary_cross_entropy bordered categorical category ceil
syn keyword mlxLibrary cholesky clamp concat constant conv conv1d conv3d conv_transpose cos cosine count cross_entropy
syn keyword mlxLibrary cummax cummin cumprod cumsum dense depthwise_conv digamma drop_path dropout elu erf exp expm1
syn keyword mlxLibrary exponential f1 fill first fitted flatten floor geglu gelu global_average_pool global_max_pool
syn keyword mlxLibrary glorot_normal glorot_uniform glu grad group_norm he_normal he_uniform huber impute instance_norm
syn keyword mlxLibrary integers inverse kl last layer_norm leaky_relu lecun_normal lecun_uniform lgamma log log1p
syn keyword mlxLibrary log_bernoulli log_categorical log_det log_integers log_normal log_of_powers log_softmax
syn keyword mlxLibrary log_uniform logp logsumexp logsumexp_last mae max max_pool mean median min minmax missing mod mse
syn keyword mlxLibrary nll normal on_the_line once one_cycle one_hot order pad_same padding_of perplexity pick places_of
syn keyword mlxLibrary polynomial precision quantile r2 recall reglu relu repeat residual rms_norm rmse rmsprop round
syn keyword mlxLibrary sgd sigmoid sign silu sin softmax softplus solve sort split sqrt squeeze stack standardize
syn keyword mlxLibrary step_decay sum swiglu tan tanh top_k total transpose triangular_solve trunc uniform upsample
syn keyword mlxLibrary variance warmup
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
