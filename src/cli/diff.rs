//! The lines in which two texts differ, as `diff -u` shows them.

use std::fmt::Write;

/// So many equal lines are shown around what differs.
const AROUND: usize = 3;

/// The most pairs of lines that are compared to find what stayed; more are shown as replaced.
const MOST: usize = 1 << 24;

#[derive(Clone, Copy)]
enum Change<'t> {
    Same(&'t str),
    Less(&'t str),
    More(&'t str),
}

/// A unified diff of a file; without a line where nothing differs.
pub fn unified(name: &str, before: &str, after: &str) -> String {
    let changes = changes(&before.lines().collect::<Vec<_>>(), &after.lines().collect::<Vec<_>>());
    let differs = |change: &Change| !matches!(change, Change::Same(_));
    let mut text = String::new();
    let mut at = 0;
    let mut places = (1, 1);
    while let Some(next) = changes[at..].iter().position(differs) {
        let start = at + next.saturating_sub(AROUND);
        changes[at..start].iter().for_each(|change| pass(&mut places, *change));
        // A piece goes on while what is equal in between is short.
        let mut end = at + next + 1;
        while let Some(gap) = changes[end..].iter().take(2 * AROUND + 1).position(differs) {
            end += gap + 1;
        }
        let end = (end + AROUND).min(changes.len());
        if text.is_empty() {
            text = format!("--- {name}\n+++ {name}\n");
        }
        let piece = &changes[start..end];
        let count = |leaves: fn(&Change) -> bool| piece.iter().filter(|change| leaves(change)).count();
        let old = count(|change| !matches!(change, Change::More(_)));
        let new = count(|change| !matches!(change, Change::Less(_)));
        let _ = writeln!(text, "@@ -{},{old} +{},{new} @@", places.0, places.1);
        for change in piece {
            let (sign, line) = match change {
                Change::Same(line) => (' ', line),
                Change::Less(line) => ('-', line),
                Change::More(line) => ('+', line),
            };
            let _ = writeln!(text, "{sign}{line}");
            pass(&mut places, *change);
        }
        at = end;
    }
    if text.is_empty() && before != after {
        text = format!("--- {name}\n+++ {name}\n(only the ends of lines differ)\n");
    }
    text
}

/// The numbers of the next lines, behind a change.
fn pass(places: &mut (usize, usize), change: Change) {
    places.0 += usize::from(!matches!(change, Change::More(_)));
    places.1 += usize::from(!matches!(change, Change::Less(_)));
}

/// What becomes of each line, with as many kept as can be.
fn changes<'t>(old: &[&'t str], new: &[&'t str]) -> Vec<Change<'t>> {
    let start = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let (old_rest, new_rest) = (&old[start..], &new[start..]);
    let end = old_rest.iter().rev().zip(new_rest.iter().rev()).take_while(|(a, b)| a == b).count();
    let (a, b) = (&old_rest[..old_rest.len() - end], &new_rest[..new_rest.len() - end]);
    let mut changes: Vec<Change> = old[..start].iter().map(|line| Change::Same(line)).collect();
    if a.len().saturating_mul(b.len()) > MOST {
        changes.extend(a.iter().map(|line| Change::Less(line)));
        changes.extend(b.iter().map(|line| Change::More(line)));
    } else {
        changes.extend(shortest(a, b));
    }
    changes.extend(old[old.len() - end..].iter().map(|line| Change::Same(line)));
    changes
}

/// By the longest common subsequence of lines.
fn shortest<'t>(a: &[&'t str], b: &[&'t str]) -> Vec<Change<'t>> {
    let mut kept = vec![vec![0u32; b.len() + 1]; a.len() + 1];
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            kept[i][j] = if a[i] == b[j] { kept[i + 1][j + 1] + 1 } else { kept[i + 1][j].max(kept[i][j + 1]) };
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut changes = Vec::new();
    while i < a.len() || j < b.len() {
        if i < a.len() && j < b.len() && a[i] == b[j] {
            changes.push(Change::Same(a[i]));
            (i, j) = (i + 1, j + 1);
        } else if i < a.len() && (j == b.len() || kept[i + 1][j] >= kept[i][j + 1]) {
            changes.push(Change::Less(a[i]));
            i += 1;
        } else {
            changes.push(Change::More(b[j]));
            j += 1;
        }
    }
    changes
}
