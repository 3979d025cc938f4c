//! Tables as text with commas between cells.

/// The text of named columns of equal length; numbers have the fewest digits that say them.
pub fn csv(columns: &[(String, Vec<f64>)]) -> String {
    let mut writer = ::csv::Writer::from_writer(Vec::new());
    let rows = columns.first().map_or(0, |(_, values)| values.len());
    // Writing to memory does not fail.
    let _ = writer.write_record(columns.iter().map(|(name, _)| name));
    for row in 0..rows {
        let _ = writer.write_record(columns.iter().map(|(_, values)| values[row].to_string()));
    }
    writer.into_inner().map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}
