//! What stands beside the weights in their file: what was run, and whatever was fitted on its training rows.

use crate::backend::Tensor;
use crate::check::number::Number;
use crate::check::program::{Setting, TypedProgram};
use crate::run::known::Known;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The metadata of a weight file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Identity {
    pub train: String,
    /// SHA-256 of the program's text.
    pub source: String,
    /// The `let` items that were read.
    pub settings: BTreeMap<String, Value>,
    pub seed: u64,
    pub steps: u64,
    /// The SHA-256 of the weight files that models began from, by the names before their paths.
    pub from: BTreeMap<String, String>,
    /// Fitted values by name.
    pub fits: BTreeMap<String, Tensor>,
    /// The classes of each category column.
    pub classes: BTreeMap<String, Vec<String>>,
    /// None where the file does not say: it is of another program.
    pub data: Option<Known>,
}

/// The settings of a program, for files.
pub fn settings(program: &TypedProgram) -> BTreeMap<String, Value> {
    program.settings.iter().map(|(name, value)| (name.clone(), setting(value))).collect()
}

fn setting(setting: &Setting) -> Value {
    match setting {
        Setting::Number(number) => match number.to_whole() {
            Some(whole) => json!(whole),
            None => json!(number.to_f64()),
        },
        Setting::Truth(truth) => json!(truth),
        Setting::Text(text) => json!(text),
    }
}

impl Identity {
    pub fn to_json(&self) -> Value {
        let fits: BTreeMap<&String, Value> = self
            .fits
            .iter()
            .map(|(name, tensor)| (name, json!({ "shape": tensor.shape, "values": tensor.values })))
            .collect();
        let mut all = json!({
            "train": self.train,
            "source": self.source,
            "settings": self.settings,
            "seed": self.seed,
            "steps": self.steps,
            "fits": fits,
            "classes": self.classes,
        });
        if !self.from.is_empty() {
            all["from"] = json!(self.from);
        }
        if let Some(data) = &self.data {
            all["data"] = data.to_json();
        }
        all
    }

    /// What a file says; what it does not say, or says otherwise, is left out.
    pub fn from_json(value: &Value) -> Identity {
        let text = |name: &str| value[name].as_str().unwrap_or_default().to_string();
        let number = |name: &str| value[name].as_u64().unwrap_or_default();
        let each = |name: &str| value[name].as_object().into_iter().flatten();
        let numbers = |value: &Value| -> Option<Vec<f64>> { value.as_array()?.iter().map(Value::as_f64).collect() };
        let tensor = |value: &Value| {
            let shape: Vec<usize> = numbers(&value["shape"])?.into_iter().map(|size| size as usize).collect();
            let values = numbers(&value["values"])?;
            (values.len() == shape.iter().product::<usize>()).then_some(Tensor { shape, values })
        };
        let texts = |value: &Value| -> Option<Vec<String>> {
            value.as_array()?.iter().map(|text| Some(text.as_str()?.to_string())).collect()
        };
        Identity {
            train: text("train"),
            source: text("source"),
            settings: each("settings").map(|(name, value)| (name.clone(), value.clone())).collect(),
            seed: number("seed"),
            steps: number("steps"),
            from: each("from").filter_map(|(name, hash)| Some((name.clone(), hash.as_str()?.to_string()))).collect(),
            fits: each("fits").filter_map(|(name, value)| Some((name.clone(), tensor(value)?))).collect(),
            classes: each("classes").filter_map(|(name, value)| Some((name.clone(), texts(value)?))).collect(),
            data: Known::from_json(&value["data"]),
        }
    }

    /// The settings as `name=value` of a command line.
    pub fn sets(&self) -> Vec<String> {
        let shown = |value: &Value| match value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.as_f64().and_then(plain).unwrap_or_else(|| number.to_string()),
            other => other.to_string(),
        };
        self.settings.iter().map(|(name, value)| format!("{name}={}", shown(value))).collect()
    }
}

/// A number in digits that the language reads.
fn plain(value: f64) -> Option<String> {
    let text = format!("{value}");
    Number::parse(text.trim_start_matches('-')).map(|_| text)
}
