//! What settings of other libraries' layers, losses and optimizers are called here.

/// A few settings as others write them, in small letters without `_`, and what is called so here.
const CALLED: [(&str, &str); 14] = [
    ("outfeatures hiddensize hiddendim outputdim numunits hidden", "units"),
    ("filters outchannels", "channels"),
    ("kernelsize kernel filtersize poolsize", "size"),
    ("strides", "stride"),
    ("usebias", "bias"),
    ("numheads nheads nhead", "heads"),
    ("rate prob keepprob dropoutrate", "p"),
    ("learningrate eta alpha stepsize", "lr"),
    ("weightdecay wd", "decay"),
    ("epsilon", "eps"),
    ("numembeddings vocabsize inputdim", "rows"),
    ("embeddingdim outputdim embeddim", "width"),
    ("labelsmoothing", "smoothing"),
    ("classweight sampleweight posweight", "weight"),
];

/// Settings that have no name here, and how the same is said.
const SAID: [(&str, &str); 9] = [
    ("activation activationfn act nonlinearity", "an activation stands behind the layer: `x |> dense(8) |> relu`"),
    ("inputshape inputdim inputsize infeatures inchannels", "leave it out: the size of its input a layer finds itself"),
    (
        "kernelinitializer biasinitializer weightinit initializer init",
        "what parameters start from is said where they are declared: `param w: [d, units] ~ he_normal`, in a layer of your own",
    ),
    ("name", "a name is given behind it: `dense(8) as head`"),
    ("returnsequences returnstate", "a recurrent layer gives every step: `sequence_last(y, length)` is the last one"),
    ("fromlogits", "leave it out: scores are raw, `|> softmax` or `|> sigmoid` belongs to what is predicted"),
    ("reduction sizeaverage", "leave it out: a loss is a mean over all rows"),
    ("requiresgrad trainable", "what is not trained is named in the `train` block: `freeze = [model.head]`"),
    ("inplace dtype device", "leave it out: there is no such choice to make"),
];

/// What to do about a setting that is none of the `known` ones.
pub fn advice(name: &str, known: &[&str]) -> Option<String> {
    let plain: String = name.chars().filter(|c| *c != '_').flat_map(char::to_lowercase).collect();
    let is_among = |names: &str| names.split(' ').any(|other| other == plain);
    let called = CALLED.iter().find(|(names, own)| is_among(names) && known.contains(own));
    let said = || SAID.iter().find(|(names, _)| is_among(names)).map(|(_, advice)| advice.to_string());
    called.map(|(_, own)| format!("it is called `{own}` here")).or_else(said)
}
