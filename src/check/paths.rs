//! Patterns of parameter paths: `*` is any part of one segment, `**` any segments, none too: `**.b`, `blocks.*.dense_1.w`.

/// How many paths a message names.
const NAMED: usize = 4;

/// Whether a path is like a pattern.
pub fn matches(pattern: &str, path: &str) -> bool {
    let (pattern, path): (Vec<&str>, Vec<&str>) = (pattern.split('.').collect(), path.split('.').collect());
    // Of each number of segments, whether those before it are matched by the pattern so far.
    let mut reached = vec![false; path.len() + 1];
    reached[0] = true;
    for part in pattern {
        let mut next = vec![false; path.len() + 1];
        for at in 0..=path.len() {
            next[at] = match part {
                "**" => reached[..=at].contains(&true),
                _ => at > 0 && reached[at - 1] && segment_matches(part, path[at - 1]),
            };
        }
        reached = next;
    }
    reached[path.len()]
}

/// One segment, in which `*` stands for any signs.
fn segment_matches(pattern: &str, segment: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| segment.strip_prefix(first)) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.len() >= last.len() && rest.ends_with(last)
}

/// The paths that a pattern was nearest to.
pub fn near(pattern: &str, paths: &[String]) -> Vec<String> {
    let plain = pattern.replace("**.", "").replace(['*'], "");
    let distance = |path: &String| {
        let whole = strsim::damerau_levenshtein(&plain, path);
        let last = path.rsplit('.').next().unwrap_or_default();
        whole.min(strsim::damerau_levenshtein(&plain, last) + 1)
    };
    let mut all: Vec<(usize, &String)> = paths.iter().map(|path| (distance(path), path)).collect();
    all.sort();
    all.into_iter().take(NAMED).map(|(_, path)| path.clone()).collect()
}
