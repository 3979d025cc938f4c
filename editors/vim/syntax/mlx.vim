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
syn keyword mlxLibrary abs accuracy adagrad adam adamw argmax argmin atan atan2 batch_norm bernoulli binary_accuracy
syn keyword mlxLibrary binary_cross_entropy categorical category ceil characters cholesky clamp concat constant cos cosine count
syn keyword mlxLibrary cross_entropy cummax cummin cumprod cumsum dense digamma drop_path dropout elu erf exp expm1
syn keyword mlxLibrary exponential f1 fill first fitted floor gelu glorot_normal glorot_uniform grad he_normal
syn keyword mlxLibrary he_uniform huber impute integers inverse kl last leaky_relu lecun_normal lecun_uniform lgamma
syn keyword mlxLibrary log log1p log_bernoulli log_categorical log_det log_integers log_normal log_of_powers
syn keyword mlxLibrary log_softmax log_uniform logp logsumexp logsumexp_last mae max mean median min minmax missing mod
syn keyword mlxLibrary mse next_token nll normal on_the_line once one_cycle one_hot order perplexity pick polynomial precision
syn keyword mlxLibrary quantile r2 recall relu repeat rmse rmsprop round sgd sigmoid sign silu sin softmax softplus
syn keyword mlxLibrary solve sort split sqrt squeeze stack standardize step_decay sum tan tanh top_k total transpose
syn keyword mlxLibrary triangular_solve trunc uniform variance warmup
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
