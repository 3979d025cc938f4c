//! YAML that every reader takes alike.
//!
//! Readers of YAML 1.1 (PyYAML among them) take `1e-5` for text and `on` for a truth value; readers of YAML 1.2 the
//! other way about. So numbers get a point and a signed exponent (`1.0e-5`), and such words get quotes.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The YAML text of a value.
pub fn to_string<T: Serialize + DeserializeOwned>(value: &T) -> Result<String, serde_yaml::Error> {
    let text = serde_yaml::to_string(value)?;
    let careful: String = text.lines().map(|line| careful(line) + "\n").collect();
    // Text over several lines may hold what only looks like a value; then all stays as it was.
    let same = serde_yaml::from_str::<T>(&careful).and_then(|value| serde_yaml::to_string(&value));
    Ok(if same.is_ok_and(|again| again == text) { careful } else { text })
}

const TRUTHS: [&str; 6] = ["y", "n", "yes", "no", "on", "off"];

/// A line with its value, if it ends with one, written for all readers.
fn careful(line: &str) -> String {
    let at = [": ", "- "].iter().filter_map(|mark| line.rfind(mark)).max().map_or(0, |at| at + 2);
    let (before, value) = line.split_at(at);
    if TRUTHS.contains(&value.to_lowercase().as_str()) {
        return format!("{before}'{value}'");
    }
    match value.split_once('e') {
        Some((digits, exponent)) if value.parse::<f64>().is_ok() && !value.starts_with('\'') => {
            let point = if digits.contains('.') { "" } else { ".0" };
            let sign = if exponent.starts_with(['-', '+']) { "" } else { "+" };
            format!("{before}{digits}{point}e{sign}{exponent}")
        }
        _ => line.to_string(),
    }
}
