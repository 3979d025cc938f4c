//! Weight files: safetensors of 32-bit floats by parameter path, with the one metadata key `mlx`.
//!
//! The same weights make the same bytes: tensors stand in the order of their paths and the metadata is sorted JSON.

use std::collections::{BTreeMap, HashMap};

use safetensors::tensor::{Dtype, Metadata, TensorView};
use serde_json::Value;

use crate::diagnostic::{Diagnostic, Label, Severity};
use crate::source::Span;

#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    pub shape: Vec<usize>,
    pub values: Vec<f32>,
}

/// Tensors by path, and what is stored beside them (fitted transforms, the identity of the run).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Weights {
    pub tensors: BTreeMap<String, Tensor>,
    pub meta: Value,
}

/// The key of the metadata.
const KEY: &str = "mlx";

/// The bytes of a weight file. A tensor whose shape is not that of its values is a mistake of the caller, told as text.
pub fn to_bytes(weights: &Weights) -> Result<Vec<u8>, String> {
    let mut meta = weights.meta.clone();
    meta.sort_all_objects();
    let raw: Vec<(&String, &Tensor, Vec<u8>)> = weights
        .tensors
        .iter()
        .map(|(path, tensor)| (path, tensor, tensor.values.iter().flat_map(|value| value.to_le_bytes()).collect()))
        .collect();
    let mut views = Vec::new();
    for (path, tensor, bytes) in &raw {
        let view = TensorView::new(Dtype::F32, tensor.shape.clone(), bytes);
        views.push((path, view.map_err(|error| format!("tensor `{path}`: {error}"))?));
    }
    let meta = HashMap::from([(KEY.to_string(), meta.to_string())]);
    safetensors::serialize(views, Some(meta)).map_err(|error| error.to_string())
}

/// Reads the bytes of the weight file `name`; `call` is where a program asks for it, if one does. Metadata of other
/// programs is passed over.
pub fn from_bytes(name: &str, bytes: &[u8], call: Option<Span>) -> Result<Weights, Diagnostic> {
    let broken = |what: String| {
        error("E0321", format!("`{name}` is not a whole weight file: {what}"), call)
            .help("name the `last.safetensors` or `best.safetensors` of a run; if it is one, copy it again")
    };
    let (header, data) = header(bytes).map_err(broken)?;
    let mut tensors = BTreeMap::new();
    let mut others = Vec::new();
    for (path, info) in header.tensors() {
        let raw = data.get(info.data_offsets.0..info.data_offsets.1).unwrap_or_default();
        match info.dtype {
            Dtype::F32 => {
                let values = raw.chunks_exact(4).map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]]));
                tensors.insert(path, Tensor { shape: info.shape.clone(), values: values.collect() });
            }
            other => others.push(format!("`{path}` holds {other}")),
        }
    }
    if !others.is_empty() {
        others.sort_unstable();
        let message = format!("`{name}` has tensors that are not 32-bit floats (F32): {}", others.join(", "));
        return Err(error("E0322", message, call));
    }
    let meta = header.metadata().as_ref().and_then(|all| all.get(KEY));
    let meta = match meta {
        None => Value::Null,
        Some(text) => serde_json::from_str(text).map_err(|error| broken(format!("its metadata: {error}")))?,
    };
    Ok(Weights { tensors, meta })
}

/// The header of a weight file and the bytes after it, their lengths held against each other.
fn header(bytes: &[u8]) -> Result<(Metadata, &[u8]), String> {
    let Some((length, rest)) = bytes.split_first_chunk::<8>() else {
        return Err(format!("it has {} bytes and its header's length alone takes 8", bytes.len()));
    };
    let length = u64::from_le_bytes(*length);
    let Some((text, data)) = usize::try_from(length).ok().and_then(|length| rest.split_at_checked(length)) else {
        return Err(format!("its header should have {length} bytes and {} are there", rest.len()));
    };
    let header: Metadata = serde_json::from_slice(text).map_err(|error| format!("its header: {error}"))?;
    if header.data_len() != data.len() {
        return Err(format!("its tensors should have {} bytes and {} are there", header.data_len(), data.len()));
    }
    Ok((header, data))
}

/// Holds weights against the parameters of a model (paths and shapes). Every tensor that is missing, surplus or of
/// another shape is listed, all in one diagnostic.
pub fn fits(
    name: &str,
    weights: &Weights,
    wanted: &BTreeMap<String, Vec<usize>>,
    call: Option<Span>,
) -> Result<(), Diagnostic> {
    let mut wrong = Vec::new();
    for (path, shape) in wanted {
        match weights.tensors.get(path) {
            None => wrong.push(format!("missing: `{path}` {shape:?}")),
            Some(tensor) if tensor.shape != *shape => {
                wrong
                    .push(format!("another shape: `{path}` is {:?} in the file, {shape:?} in the model", tensor.shape));
            }
            Some(_) => {}
        }
    }
    let surplus = weights.tensors.iter().filter(|(path, _)| !wanted.contains_key(*path));
    wrong.extend(surplus.map(|(path, tensor)| format!("surplus: `{path}` {:?}", tensor.shape)));
    if wrong.is_empty() {
        return Ok(());
    }
    let message = format!("the weights in `{name}` do not fit the model\n  {}", wrong.join("\n  "));
    Err(error("E0323", message, call)
        .help("does the model stand as it did when they were trained, with the same `--set`?"))
}

/// An error about a file, at the place that asks for it: none if the command line did.
fn error(code: &'static str, message: String, call: Option<Span>) -> Diagnostic {
    let labels = call.map(|span| Label { span, text: "asked for here".to_string() });
    Diagnostic { code, severity: Severity::Error, message, labels: labels.into_iter().collect(), help: None }
}
