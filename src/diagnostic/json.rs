//! A diagnostic as one JSON object, for editors and scripts.

use super::{Diagnostic, Severity};
use crate::source::{Sources, Span};
use serde_json::{Map, Value, json};

pub fn json(diagnostic: &Diagnostic, sources: &Sources) -> Value {
    let severity = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let mut object = Map::new();
    object.insert("code".into(), json!(diagnostic.code));
    object.insert("severity".into(), json!(severity));
    object.insert("message".into(), json!(diagnostic.message));
    if let Some(first) = diagnostic.labels.first() {
        place(&mut object, sources, first.span);
    }
    let labels = diagnostic.labels.iter().map(|label| {
        let mut object = Map::new();
        place(&mut object, sources, label.span);
        object.insert("message".into(), json!(label.text));
        Value::Object(object)
    });
    object.insert("labels".into(), labels.collect());
    object.insert("help".into(), json!(diagnostic.help));
    Value::Object(object)
}

fn place(object: &mut Map<String, Value>, sources: &Sources, span: Span) {
    let (start, end) = (sources.start(span), sources.end(span));
    object.insert("file".into(), json!(sources.get(span.source).name));
    object.insert("line".into(), json!(start.line));
    object.insert("column".into(), json!(start.column));
    object.insert("end_line".into(), json!(end.line));
    object.insert("end_column".into(), json!(end.column));
}
