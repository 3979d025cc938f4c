//! What a name that nothing declares was meant to be.

/// The nearest known name, if one is near: at most a third of its letters differ. Case counts for nothing.
pub fn nearest<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let lower = name.to_lowercase();
    known
        .filter(|other| *other != name)
        .map(|other| (strsim::damerau_levenshtein(&lower, &other.to_lowercase()), other))
        .filter(|(distance, other)| distance * 3 <= other.chars().count())
        .min()
        .map(|(_, other)| other)
}
