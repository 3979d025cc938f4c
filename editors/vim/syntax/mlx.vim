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
syn keyword mlxLibrary abs accuracy adagrad adam adamw argmax argmin atan atan2 binary_accuracy binary_cross_entropy
syn keyword mlxLibrary category ceil cholesky clamp concat constant cos cosine count cross_entropy cummax cummin
syn keyword mlxLibrary cumprod cumsum dense digamma elu erf exp expm1 exponential f1 fill first fitted floor gelu
syn keyword mlxLibrary glorot_normal glorot_uniform he_normal he_uniform huber impute inverse kl last leaky_relu
syn keyword mlxLibrary lecun_normal lecun_uniform lgamma log log1p log_det log_of_powers log_softmax logsumexp
syn keyword mlxLibrary logsumexp_last mae max mean median min minmax missing mod mse nll normal on_the_line once
syn keyword mlxLibrary one_cycle one_hot order perplexity pick polynomial precision quantile r2 recall relu repeat rmse
syn keyword mlxLibrary rmsprop round sgd sigmoid sign silu sin softmax softplus solve sort split sqrt squeeze stack
syn keyword mlxLibrary standardize step_decay sum tan tanh top_k total transpose triangular_solve trunc uniform
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
