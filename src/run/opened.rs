//! The data of one program, as a run reads it.

use crate::backend::Tensor;
use crate::check::program::{Data, Raw, Set};
use crate::check::schema::{Holds, Source};
use crate::run::dataset::{DataFile, Dealt, Files, checksum, holds};
use crate::run::known::{Known, KnownSet, KnownTable};
use crate::run::raw::RawColumn;
use std::cell::Cell;
use std::collections::BTreeMap;

impl Files {
    /// What a run of the data reads: rows of each split, numbers, classes.
    pub fn open<'f>(&'f self, data: &'f Data) -> Option<Opened<'f>> {
        let dealt: Vec<&Dealt> = data.sets.iter().map(|set| self.dealt(set)).collect::<Option<_>>()?;
        let vocabulary = |raw: &Raw| dealt[raw.set].vocabularies.get(&raw.name);
        let column = |raw: &'f Raw| {
            let codes = vocabulary(raw).map(|(_, _, codes)| &codes[..]);
            RawColumn::of(raw, self.table(&data.sets[raw.set].source), codes)
        };
        let columns: Vec<RawColumn> = data.raw.iter().map(column).collect::<Option<_>>()?;
        let classes = data.raw.iter().filter(|raw| raw.kind.is_class());
        let classes = classes.filter_map(|raw| Some((raw.key.clone(), vocabulary(raw)?.1.classes.clone())));
        let set = |(at, set): (usize, &'f Set)| {
            let dealt = dealt[at];
            let split = match (&set.window, &dealt.windows) {
                (Some(_), Some((_, windows))) => windows,
                _ => &dealt.split,
            };
            let own = columns.iter().filter(|column| column.set() == at);
            OpenedSet {
                source: &set.source,
                splits: [&split.train, &split.valid, &split.test],
                window: set.window,
                holds: self.held(data, at),
                widest: own.map(RawColumn::width).max().unwrap_or(0),
                lends: set.lends,
            }
        };
        Some(Opened {
            sets: data.sets.iter().enumerate().map(set).collect(),
            files: self.files_of(data),
            wholes: self.wholes_of(data)?,
            tables: self.tables_of(data),
            classes: classes.collect(),
            columns,
            stop: Cell::new(self.stop),
        })
    }

    /// What the columns of a data set's file hold that are read, in the order of the file.
    fn held(&self, data: &Data, set: usize) -> Vec<(String, (Holds, Vec<usize>))> {
        let Some(table) = self.table(&data.sets[set].source) else { return Vec::new() };
        let held = |raw: &Raw| {
            let place = table.columns.iter().position(|column| column.name == raw.name)?;
            let column = &table.columns[place];
            Some((place, raw.name.clone(), (holds(&column.values), column.shape().to_vec())))
        };
        let own = data.raw.iter().filter(|raw| raw.set == set);
        let mut in_file: Vec<(usize, String, (Holds, Vec<usize>))> = own.filter_map(held).collect();
        in_file.sort_by_key(|(place, ..)| *place);
        in_file.into_iter().map(|(_, name, holds)| (name, holds)).collect()
    }
}

/// The data of one program.
pub struct Opened<'f> {
    /// In the order of the program.
    pub sets: Vec<OpenedSet<'f>>,
    /// Those of the sources, none where rows are drawn, then those of the tables that are read whole.
    pub files: Vec<DataFile>,
    /// What is read whole, by the names of fitted values.
    pub wholes: BTreeMap<String, Tensor>,
    /// The tables that are read whole.
    tables: Vec<KnownTable>,
    /// The source columns that the program reads, all rows.
    columns: Vec<RawColumn<'f>>,
    /// The classes of each category column.
    pub classes: BTreeMap<String, Vec<String>>,
    stop: Cell<fn() -> bool>,
}

/// The data of one data set.
pub struct OpenedSet<'f> {
    source: &'f Source,
    /// The rows of train, valid and test.
    pub splits: [&'f [usize]; 3],
    /// How many rows of the source a window has, where rows are windows. Training sees all windows, and evaluation those that
    /// follow one another.
    pub window: Option<usize>,
    /// What each of the columns of a file holds, in the order of the file.
    holds: Vec<(String, (Holds, Vec<usize>))>,
    /// The most elements that a row of a column has.
    pub widest: usize,
    /// Whether no row of it is trained on.
    pub lends: bool,
}

impl Opened<'_> {
    /// Whether what reads it is to end.
    pub fn stops(&self) -> fn() -> bool {
        self.stop.get()
    }

    /// From now on nothing that is read is cut short: what has begun with it keeps what it has.
    pub fn stays_whole(&self) {
        self.stop.set(|| false);
    }

    /// Of each column of two classes, which is which: `kind: 0 is benign, 1 is malignant`.
    pub fn pairs(&self) -> Vec<String> {
        let pair = |(column, classes): (&String, &Vec<String>)| match &classes[..] {
            [first, second] => Some(format!("{column}: 0 is {first}, 1 is {second}")),
            _ => None,
        };
        self.classes.iter().filter_map(pair).collect()
    }

    /// What tells the files apart from others: the hash of the only one, or that of all hashes.
    pub fn sha256(&self) -> Option<String> {
        match &self.files[..] {
            [] => None,
            [file] => Some(file.sha256.clone()),
            files => {
                let all: Vec<&str> = files.iter().map(|file| file.sha256.as_str()).collect();
                Some(checksum(all.concat().as_bytes()))
            }
        }
    }

    /// What weights remember of the data.
    pub fn known(&self) -> Known {
        let of = |set: &OpenedSet| KnownSet { rows: set.splits.map(<[usize]>::len), columns: set.holds.clone() };
        let sets = self.sets.iter().map(|set| (set.source.set.clone(), of(set))).collect();
        Known { sha256: self.sha256(), sets, tables: self.tables.clone() }
    }

    /// A source column on some rows: `[rows, …]`. Where that is to stop, the rest is 0, and of no use.
    pub fn column(&self, at: usize, rows: &[usize]) -> Tensor {
        let column = &self.columns[at];
        column.rows(&self.sets[column.set()].source.from, rows, self.stop.get())
    }
}
