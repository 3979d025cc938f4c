//! Arrays in the format of MNIST (LeCun et al. 1998): two zeros, the type of a number, how many axes there are, the size of
//! each in 32 bits, and the numbers, all with the highest byte first.

use crate::data::kind::Tally;
use crate::data::table::{Cells, Column, Lying, Origin, Table, Values};
use crate::diagnostic::Diagnostic;
use crate::source::Span;
use std::collections::HashMap;

/// A file by its name.
pub type File = (String, Vec<u8>);

pub struct Files {
    pub train: File,
    pub train_labels: Option<File>,
    pub test: Option<File>,
    pub test_labels: Option<File>,
}

/// The columns `image` and `label` of all rows, those for training before those for the test. `call` is where the program asks
/// for them.
pub fn read(files: Files, call: Span) -> Result<Table, Diagnostic> {
    let name = files.train.0.clone();
    let rows_of = |array: &Array| array.shape[0];
    let mut images = array(files.train, call)?;
    let own = rows_of(&images);
    let has_test = files.test.is_some();
    let mut labels = files.train_labels.map(|file| labels(file, own, &name, call)).transpose()?;
    let mut rows = own;
    if let Some(test) = files.test {
        let test_name = test.0.clone();
        let test = array(test, call)?;
        rows += rows_of(&test);
        if let (Some(all), Some(file)) = (&mut labels, files.test_labels) {
            all.extend(self::labels(file, rows_of(&test), &test_name, call)?);
        }
        images.extend(test, &name, &test_name, call)?;
    }
    let column = |name: &str, values: Values| Column {
        name: name.to_string(),
        span: call,
        values,
        lacking: Tally::default(),
        empty: Tally::default(),
        word: None,
        mistakes: Vec::new(),
    };
    let mut columns = vec![column("image", images.values())];
    columns.extend(labels.map(|labels| column("label", Values::Integers(labels))));
    let by_name: HashMap<String, usize> =
        columns.iter().enumerate().map(|(at, column)| (column.name.clone(), at)).collect();
    Ok(Table { name, columns, by_name, rows, own_test: has_test.then_some(own), origin: Origin::Call(call) })
}

struct Array {
    shape: Vec<usize>,
    numbers: Lying,
}

impl Array {
    fn values(self) -> Values {
        match (self.numbers, self.shape.len()) {
            (Lying::Floats(numbers), 1) => Values::Numbers(numbers),
            (Lying::Bytes(bytes), 1) => Values::Integers(bytes.into_iter().map(i64::from).collect()),
            (numbers, _) => Values::Cells(Cells { shape: self.shape[1..].to_vec(), numbers }),
        }
    }

    fn extend(&mut self, other: Array, name: &str, other_name: &str, call: Span) -> Result<(), Diagnostic> {
        if self.shape[1..] != other.shape[1..] {
            let (one, two) = (&self.shape[1..], &other.shape[1..]);
            let message = format!("a row of `{name}` is {one:?}, and one of `{other_name}` is {two:?}");
            return Err(Diagnostic::error("E0345", message, call, "rows of both are rows of this data"));
        }
        match (&mut self.numbers, other.numbers) {
            (Lying::Bytes(own), Lying::Bytes(more)) => own.extend(more),
            (Lying::Floats(own), Lying::Floats(more)) => own.extend(more),
            _ => {
                let message = format!("`{name}` and `{other_name}` hold numbers of different types");
                return Err(Diagnostic::error("E0345", message, call, "rows of both are rows of this data"));
            }
        }
        self.shape[0] += other.shape[0];
        Ok(())
    }
}

/// One whole number a row.
fn labels(file: File, rows: usize, of: &str, call: Span) -> Result<Vec<i64>, Diagnostic> {
    let name = file.0.clone();
    let array = array(file, call)?;
    if array.shape.len() != 1 {
        let message = format!("`{name}` has {} axes, and labels have one", array.shape.len());
        let error = Diagnostic::error("E0345", message, call, "labels are read here");
        return Err(error.help("are images and labels the wrong way round?"));
    }
    if array.shape[0] != rows {
        let message = format!("`{name}` has {} labels for the {rows} rows of `{of}`", array.shape[0]);
        return Err(Diagnostic::error("E0345", message, call, "each row has a label"));
    }
    Ok(match array.numbers {
        Lying::Bytes(bytes) => bytes.into_iter().map(i64::from).collect(),
        Lying::Floats(numbers) => numbers.into_iter().map(|number| number as i64).collect(),
    })
}

fn array((name, mut bytes): File, call: Span) -> Result<Array, Diagnostic> {
    let wrong = |what: String| Diagnostic::error("E0345", format!("`{name}` {what}"), call, "read here");
    let [0, 0, kind, axes @ 1..=8, ..] = bytes[..] else {
        let error = wrong("is no idx file".to_string());
        return Err(error.help(match bytes[..] {
            [0x1f, 0x8b, ..] => "it is a gzip archive: unpack it first, `gunzip FILE`",
            _ => "an idx file begins with two zeros, the type of its numbers and how many axes it has",
        }));
    };
    let width = match kind {
        0x08 | 0x09 => 1,
        0x0b => 2,
        0x0c | 0x0d => 4,
        0x0e => 8,
        _ => return Err(wrong(format!("is no idx file: there is no type of numbers {kind:#04x}"))),
    };
    let head = 4 + 4 * usize::from(axes);
    let short = |wanted: u128| {
        let error = wrong(format!("ends too early: it has {} of {wanted} bytes", bytes.len()));
        error.help("was it downloaded in full?")
    };
    let Some(sizes) = bytes.get(4..head) else { return Err(short(head as u128)) };
    let shape: Vec<usize> = sizes.chunks_exact(4).map(|size| number(size) as usize).collect();
    let count = shape.iter().try_fold(width as u128, |all, size| all.checked_mul(*size as u128)).unwrap_or(u128::MAX);
    let wanted = count.saturating_add(head as u128);
    if (bytes.len() as u128) < wanted {
        return Err(short(wanted));
    }
    if bytes.len() as u128 > wanted {
        let more = bytes.len() as u128 - wanted;
        return Err(wrong(format!("has {more} bytes more than its sizes {shape:?} say")));
    }
    if count == 0 {
        return Err(wrong("has no rows".to_string()));
    }
    if kind == 0x08 {
        bytes.drain(..head);
        return Ok(Array { shape, numbers: Lying::Bytes(bytes) });
    }
    let floats = bytes[head..].chunks_exact(width).map(|bytes| match kind {
        0x09 => f64::from(bytes[0] as i8),
        0x0b => f64::from(number(bytes) as u16 as i16),
        0x0c => f64::from(number(bytes) as u32 as i32),
        0x0d => f64::from(f32::from_bits(number(bytes) as u32)),
        _ => f64::from_bits(number(bytes)),
    });
    let floats: Vec<f64> = floats.collect();
    match floats.iter().position(|number| !number.is_finite()) {
        Some(at) => Err(wrong(format!("holds a number that is not finite, the one at {at}"))),
        None => Ok(Array { shape, numbers: Lying::Floats(floats) }),
    }
}

/// Of bytes with the highest first.
fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |all, byte| (all << 8) | u64::from(*byte))
}
