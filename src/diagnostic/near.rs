//! What a name that nothing declares was meant to be.

/// The nearest known name, if one is near: at most a third of its letters differ. Case counts for nothing; of two that are as
/// near, the one of the more similar length.
pub fn nearest<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let lower = name.to_lowercase();
    known
        .filter(|other| *other != name)
        .map(|other| {
            let length = other.chars().count();
            let distance = strsim::damerau_levenshtein(&lower, &other.to_lowercase());
            (distance, length.abs_diff(name.chars().count()), other)
        })
        .filter(|(distance, _, other)| distance * 3 <= other.chars().count())
        .min()
        .map(|(_, _, other)| other)
}
