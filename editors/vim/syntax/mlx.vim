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
syn keyword mlxLibrary abs accuracy adagrad adam adamw argmax binary_accuracy binary_cross_entropy category constant
syn keyword mlxLibrary cos cosine count cross_entropy dense elu erf exp expm1 exponential f1 fill fitted floor gelu
syn keyword mlxLibrary glorot_normal glorot_uniform he_normal he_uniform huber impute kl leaky_relu lecun_normal
syn keyword mlxLibrary lecun_uniform log log1p log_of_powers batch_norm bernoulli categorical drop_path dropout grad integers last log_bernoulli log_categorical log_integers log_normal log_uniform logp log_softmax logsumexp logsumexp_last mae max mean min minmax missing mse nll
syn keyword mlxLibrary normal one_cycle one_hot perplexity pick polynomial precision r2 recall relu repeat rmse
syn keyword mlxLibrary rmsprop sgd sigmoid silu sin softmax softplus sqrt squeeze standardize step_decay sum tanh
syn keyword mlxLibrary transpose uniform variance warmup
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
