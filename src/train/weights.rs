//! Weight files: safetensors of 32-bit floats by parameter path, with the one metadata key `mlx`.
//!
//! The same weights make the same bytes: tensors stand in the order of their paths and the metadata is sorted JSON. Its
//! `checksum` is the SHA-256 of the whole file with zeros in the place of its own digits, so that no bit of a file changes
//! unseen. Files of other programs have none.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use safetensors::tensor::{Dtype, Metadata, View};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::diagnostic::{Diagnostic, Label, Severity};
use crate::run::params::Params;
pub use crate::run::params::Tensor;
use crate::source::Span;

/// Tensors by path, and what is stored beside them (fitted transforms, the identity of the run).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Weights {
    pub tensors: Params,
    pub meta: Value,
}

/// The key of the metadata, and the one in it that holds the checksum.
const KEY: &str = "mlx";
const CHECKSUM: &str = "checksum";

/// How the checksum begins in the header, where the metadata is JSON in a text of JSON; its digits follow.
const MARK: &[u8] = br#"\"checksum\":\""#;
const DIGITS: usize = 64;

/// How many tensors a warning names.
const NAMED: usize = 8;

/// Weights where they lie, to be written without a copy of them.
pub struct Lying<'a> {
    /// Shape and values by path.
    pub tensors: BTreeMap<&'a str, (&'a [usize], &'a [f32])>,
    pub meta: Value,
}

/// A weight file in pieces: its header, and then its tensors.
pub struct Pieces<'a> {
    header: Vec<u8>,
    tensors: Vec<&'a [f32]>,
}

/// So many numbers are made bytes at once.
const PIECE: usize = 1 << 16;

impl Weights {
    pub fn lying(&self) -> Lying<'_> {
        let mut tensors = BTreeMap::new();
        for (path, tensor) in &self.tensors {
            tensors.insert(path.as_str(), (&tensor.shape[..], &tensor.values[..]));
        }
        Lying { tensors, meta: self.meta.clone() }
    }
}

impl Pieces<'_> {
    /// Hands on every piece in its turn, until one fails.
    pub fn each<E>(&self, mut put: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        put(&self.header)?;
        for piece in self.tensors.iter().flat_map(|values| values.chunks(PIECE)) {
            let bytes: Vec<u8> = piece.iter().flat_map(|value| value.to_le_bytes()).collect();
            put(&bytes)?;
        }
        Ok(())
    }
}

/// The bytes of a weight file.
pub fn to_bytes(weights: &Weights) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    pieces(&weights.lying())?.each(|piece| {
        bytes.extend_from_slice(piece);
        Ok::<(), String>(())
    })?;
    Ok(bytes)
}

/// The pieces of a weight file. A tensor whose shape is not that of its values is a mistake of the caller, told as text; so
/// is metadata that is no object.
pub fn pieces<'a>(weights: &Lying<'a>) -> Result<Pieces<'a>, String> {
    let mut meta = match &weights.meta {
        Value::Null => Map::new(),
        Value::Object(meta) => meta.clone(),
        other => return Err(format!("metadata is an object, and this is {other}")),
    };
    meta.insert(CHECKSUM.to_string(), Value::String("0".repeat(DIGITS)));
    let mut meta = Value::Object(meta);
    meta.sort_all_objects();
    for (path, (shape, values)) in &weights.tensors {
        if shape.iter().product::<usize>() != values.len() {
            return Err(format!("tensor `{path}` has {} values and the shape {shape:?}", values.len()));
        }
    }
    let meta = HashMap::from([(KEY.to_string(), meta.to_string())]);
    let tensors =
        weights.tensors.iter().map(|(path, (shape, values))| (*path, Unwritten { shape, len: 4 * values.len() }));
    let header = safetensors::serialize(tensors, Some(meta)).map_err(|error| error.to_string())?;
    let place = checksum_place(&header).ok_or("the checksum has no place")?;
    // All are of one kind, and so in the order of their paths.
    let tensors = weights.tensors.values().map(|(_, values)| *values).collect();
    let mut pieces = Pieces { header, tensors };
    pieces.header.shrink_to_fit();
    let mut hash = Sha256::new();
    pieces.each(|piece| {
        hash.update(piece);
        Ok::<(), String>(())
    })?;
    pieces.header[place].copy_from_slice(digits(hash).as_bytes());
    Ok(pieces)
}

/// A tensor that has its place in the header, and gives no bytes.
struct Unwritten<'a> {
    shape: &'a [usize],
    len: usize,
}

impl View for Unwritten<'_> {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&[])
    }

    fn data_len(&self) -> usize {
        self.len
    }
}

/// Where the digits of the checksum stand, if there is one.
fn checksum_place(bytes: &[u8]) -> Option<Range<usize>> {
    let length = u64::from_le_bytes(*bytes.first_chunk::<8>()?);
    let header = bytes.get(8..usize::try_from(length).ok()?.checked_add(8)?)?;
    let start = 8 + header.windows(MARK.len()).position(|part| part == MARK)? + MARK.len();
    (start + DIGITS <= bytes.len()).then_some(start..start + DIGITS)
}

/// The SHA-256 of a file with zeros in one place.
fn checksum_without(bytes: &[u8], place: &Range<usize>) -> String {
    let mut hash = Sha256::new();
    hash.update(&bytes[..place.start]);
    hash.update([b'0'; DIGITS]);
    hash.update(&bytes[place.end..]);
    digits(hash)
}

fn digits(hash: Sha256) -> String {
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads the bytes of the weight file `name`; `call` is where a program asks for it, if one does. Metadata of other
/// programs is passed over.
pub fn from_bytes(name: &str, bytes: &[u8], call: Option<Span>) -> Result<Weights, Diagnostic> {
    let broken = |what: String| {
        error("E0321", format!("`{name}` is not a whole weight file: {what}"), call)
            .help("name the `last.safetensors` or `best.safetensors` of a run; if it is one, copy it again")
    };
    let (header, data) = header(bytes).map_err(broken)?;
    let meta = metadata(&header, bytes).map_err(|what| {
        error("E0324", format!("`{name}` is damaged: {what}"), call)
            .help("copy the file again; if no other copy is whole, train again")
    })?;
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
    Ok(Weights { tensors, meta })
}

/// The metadata of this program, which there is where its bytes have their checksum. Either alone is a damaged file.
fn metadata(header: &Metadata, bytes: &[u8]) -> Result<Value, String> {
    let meta = header.metadata().as_ref().and_then(|all| all.get(KEY));
    let (text, place) = match (meta, checksum_place(bytes)) {
        (None, None) => return Ok(Value::Null),
        (Some(text), Some(place)) => (text, place),
        (Some(_), None) => return Err("its checksum is missing".to_string()),
        (None, Some(_)) => return Err("its metadata is missing".to_string()),
    };
    if checksum_without(bytes, &place).as_bytes() != &bytes[place] {
        return Err("its bytes do not have its checksum".to_string());
    }
    let mut meta: Value = serde_json::from_str(text).map_err(|error| format!("its metadata: {error}"))?;
    let all = meta.as_object_mut().ok_or("its metadata is no object")?;
    all.remove(CHECKSUM);
    Ok(if all.is_empty() { Value::Null } else { meta })
}

/// A warning of weights that are infinite or no numbers at all; `place` is their file.
pub fn not_finite(place: &str, weights: &Lying) -> Option<Diagnostic> {
    let broken = |values: &[f32]| values.iter().filter(|value| !value.is_finite()).count();
    let mut told: Vec<String> = weights
        .tensors
        .iter()
        .map(|(path, (_, values))| (path, broken(values), values.len()))
        .filter(|(_, broken, _)| *broken > 0)
        .map(|(path, broken, all)| format!("`{path}` in {broken} of {all} numbers"))
        .collect();
    if told.is_empty() {
        return None;
    }
    let more = told.len().saturating_sub(NAMED);
    told.truncate(NAMED);
    told.extend((more > 0).then(|| format!("and {more} more")));
    let message = format!("the weights in `{place}` are not finite: {}", told.join(", "));
    let wrong = error("W0321", message, None).warning();
    Some(wrong.help("train again with a smaller learning rate; from such weights nothing finite follows"))
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
