//! Tables as text with commas between cells.

/// The text of named columns of equal length.
pub fn csv(columns: &[(String, Vec<String>)]) -> String {
    let mut writer = ::csv::Writer::from_writer(Vec::new());
    let rows = columns.first().map_or(0, |(_, cells)| cells.len());
    // Writing to memory does not fail.
    let _ = writer.write_record(columns.iter().map(|(name, _)| name));
    for row in 0..rows {
        let _ = writer.write_record(columns.iter().map(|(_, cells)| &cells[row]));
    }
    writer.into_inner().map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

/// A number in the fewest digits that say it in 32 bits, which is what a model computes in; a whole number in all of its own.
pub fn number(value: f64) -> String {
    let single = value as f32;
    match single.abs() {
        _ if value.fract() == 0.0 && value.abs() < 9e15 => value.to_string(),
        size if !(1e-4..1e9).contains(&size) => format!("{single:e}"),
        _ => single.to_string(),
    }
}
