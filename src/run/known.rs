//! What a weight file knows of the data that it was trained on: enough to check a program and to predict without it.

use crate::check::schema::{Asked, Column, Holds, Lacking, Lengths, Look, Schemas, Source, Split};
use crate::diagnostic::Diagnostic;
use crate::io;
use crate::source::{SourceId, Sources, Span};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::Path;

/// The data of a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Known {
    /// SHA-256 of its file; none where rows are drawn.
    pub sha256: Option<String>,
    /// By their names; one without a name where the training lists none.
    pub sets: BTreeMap<String, KnownSet>,
    /// The tables that are read whole.
    pub tables: Vec<KnownTable>,
}

/// A data set.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KnownSet {
    /// Rows of train, valid and test.
    pub rows: [usize; 3],
    /// The columns of the source that were read, in the order of the file.
    pub columns: Vec<KnownColumn>,
}

/// A table that is read whole.
#[derive(Clone, Debug, PartialEq)]
pub struct KnownTable {
    /// Its files, a line each, as the program names them.
    pub paths: String,
    pub rows: usize,
    pub columns: Vec<KnownColumn>,
}

/// What a column holds, by its name.
type KnownColumn = (String, (Holds, Vec<usize>));

impl Known {
    pub fn to_json(&self) -> Value {
        let set = |set: &KnownSet| {
            let mut own = json!({ "rows": set.rows });
            write_columns(&set.columns, &mut own);
            own
        };
        let mut all = self.sets.get("").map_or(json!({}), set);
        all["sha256"] = json!(self.sha256);
        let named = self.sets.iter().filter(|(name, _)| !name.is_empty());
        let named: Map<String, Value> = named.map(|(name, own)| (name.clone(), set(own))).collect();
        if !named.is_empty() {
            all["sets"] = named.into();
        }
        if !self.tables.is_empty() {
            let table = |table: &KnownTable| {
                let mut own = json!({ "paths": table.paths, "rows": table.rows });
                write_columns(&table.columns, &mut own);
                own
            };
            all["tables"] = self.tables.iter().map(table).collect();
        }
        all
    }

    pub fn from_json(value: &Value) -> Option<Known> {
        let set = |own: &Value| {
            let rows = own["rows"].as_array()?.iter().map(|rows| Some(rows.as_u64()? as usize));
            let rows: Option<Vec<usize>> = rows.collect();
            Some(KnownSet { rows: rows?.try_into().ok()?, columns: read_columns(own)? })
        };
        let named = value["sets"].as_object().into_iter().flatten();
        let mut sets: BTreeMap<String, KnownSet> =
            named.map(|(name, own)| Some((name.clone(), set(own)?))).collect::<Option<_>>()?;
        if sets.is_empty() || value.get("rows").is_some() {
            sets.insert(String::new(), set(value)?);
        }
        let table = |own: &Value| {
            let paths = own["paths"].as_str()?.to_string();
            Some(KnownTable { paths, rows: own["rows"].as_u64()? as usize, columns: read_columns(own)? })
        };
        Some(Known {
            sha256: value["sha256"].as_str().map(str::to_string),
            sets,
            tables: value["tables"].as_array().into_iter().flatten().map(table).collect::<Option<_>>()?,
        })
    }
}

fn write_columns(columns: &[KnownColumn], to: &mut Value) {
    let holds: BTreeMap<&String, Value> = columns.iter().map(|(name, column)| (name, told(column))).collect();
    to["columns"] = json!(holds);
    to["order"] = columns.iter().map(|(name, _)| name.as_str()).collect();
}

fn read_columns(value: &Value) -> Option<Vec<KnownColumn>> {
    // Files that were written before have no order.
    let order: Vec<&str> = value["order"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let place = |(name, _): &(&String, &Value)| order.iter().position(|known| known == name);
    let mut columns: Vec<(&String, &Value)> = value["columns"].as_object()?.iter().collect();
    columns.sort_by_key(place);
    let column = |(name, word): (&String, &Value)| {
        // Of several numbers a row: `["numbers", 28, 28]`.
        let parts = word.as_array().map_or(std::slice::from_ref(word), Vec::as_slice);
        let (first, sizes) = parts.split_first()?;
        let kinds = [Holds::Numbers, Holds::Text, Holds::Characters, Holds::Lists, Holds::Texts];
        let holds = kinds.into_iter().find(|holds| first.as_str() == Some(self::word(*holds)))?;
        let shape = sizes.iter().map(|size| Some(size.as_u64()? as usize)).collect::<Option<_>>()?;
        Some((name.clone(), (holds, shape)))
    };
    columns.into_iter().map(column).collect()
}

fn told((holds, shape): &(Holds, Vec<usize>)) -> Value {
    match shape[..] {
        [] => json!(word(*holds)),
        _ => std::iter::once(json!(word(*holds))).chain(shape.iter().map(|size| json!(size))).collect(),
    }
}

fn word(holds: Holds) -> &'static str {
    match holds {
        Holds::Numbers => "numbers",
        Holds::Text => "text",
        Holds::Characters => "characters",
        Holds::Lists => "lists",
        Holds::Texts => "texts",
    }
}

/// Columns as the checker sees them.
fn seen(columns: &[KnownColumn], source: &Source) -> Vec<Column> {
    let column = |(name, (holds, shape)): &KnownColumn| Column {
        name: name.clone(),
        holds: *holds,
        shape: shape.clone(),
        span: source.span,
        lacking: Lacking::default(),
        word: None,
        mistakes: Vec::new(),
    };
    columns.iter().map(column).collect()
}

/// Answers the checker from a weight file.
pub struct Remembered<'w> {
    pub data: &'w Known,
    pub classes: &'w BTreeMap<String, Vec<String>>,
    /// The folder of the program's file.
    pub folder: &'w Path,
}

impl Remembered<'_> {
    fn set(&self, source: &Source) -> Option<&KnownSet> {
        self.data.sets.get(&source.set)
    }
}

impl Schemas for Remembered<'_> {
    fn goes_on(&self) -> bool {
        true
    }

    fn other(&mut self, sources: &mut Sources, path: &str) -> Result<SourceId, Diagnostic> {
        io::read_text(sources, &self.folder.join(path))
    }

    fn columns(&mut self, _: &mut Sources, source: &Source) -> Result<Vec<Column>, Vec<Diagnostic>> {
        Ok(self.set(source).map_or(Vec::new(), |set| seen(&set.columns, source)))
    }

    fn whole_table(&mut self, _: &mut Sources, source: &Source) -> Result<(Vec<Column>, usize), Vec<Diagnostic>> {
        let paths = source.from.paths().join("\n");
        match self.data.tables.iter().find(|table| table.paths == paths) {
            Some(table) => Ok((seen(&table.columns, source), table.rows)),
            None => {
                let message = format!("the weights know no table `{paths}`");
                let error = Diagnostic::error("E0325", message, source.span, "read here");
                Err(vec![error.help("use the weights of a run of this program")])
            }
        }
    }

    fn rows(&mut self, _: &Sources, source: &Source, _: Option<&Split>) -> Result<[usize; 3], Diagnostic> {
        Ok(self.set(source).map_or([0; 3], |set| set.rows))
    }

    /// It was, when the weights were trained.
    fn is_known(&mut self, _: &Source, _: &str) -> bool {
        true
    }

    fn windows(&mut self, source: &Source, _: usize, _: Span) -> Result<[usize; 3], Diagnostic> {
        Ok(self.set(source).map_or([0; 3], |set| set.rows))
    }

    /// They were, when the weights were trained; new rows are looked at when they are read.
    fn whole(&mut self, _: &Sources, _: &Source, _: &str, _: usize, _: Span) -> Result<(), Diagnostic> {
        Ok(())
    }

    fn lengths(&mut self, _: &Source, _: &str, _: usize) -> Option<Lengths> {
        None
    }

    /// Weights hold no rows.
    fn look(&mut self, _: &Source, _: &str) -> Option<Look> {
        None
    }

    fn class_names(&mut self, source: &Source, column: &str) -> Option<Vec<String>> {
        self.classes.get(&source.key(column)).cloned()
    }

    fn classes(
        &mut self,
        _: &Sources,
        source: &Source,
        column: &str,
        _: &Asked,
        call: Span,
    ) -> Result<usize, Diagnostic> {
        self.classes.get(&source.key(column)).map(Vec::len).ok_or_else(|| no_classes(column, call))
    }
}

/// The mistake of reading a column's classes, of which weights say nothing. `call` is what reads them.
pub fn no_classes(column: &str, call: Span) -> Diagnostic {
    let message = format!("the weights know no classes of column `{column}`");
    Diagnostic::error("E0325", message, call, "read here")
        .help("use the weights of a run of this program; those of other programs hold no classes")
}
