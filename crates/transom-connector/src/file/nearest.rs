//! The name that is meant where one is misspelt.

/// The nearest of the names, if one is near.
pub(super) fn nearest<'n>(found: &str, names: &[&'n str]) -> Option<&'n str> {
    let found = found.to_ascii_lowercase();
    let far = found.chars().count().div_ceil(2);
    let distances = names.iter().map(|name| (distance(&found, &name.to_ascii_lowercase()), *name));
    distances.filter(|(distance, _)| *distance <= far).min().map(|(_, name)| name)
}

/// How many characters must be put in, taken out or changed to make `b` of `a`.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (line, from) in a.chars().enumerate() {
        let mut next = vec![line.saturating_add(1)];
        for ((to, above), diagonal) in b.chars().zip(row.iter().skip(1)).zip(&row) {
            let left = next.last().copied().unwrap_or_default();
            let changed = diagonal.saturating_add(usize::from(from != to));
            next.push(left.min(*above).saturating_add(1).min(changed));
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}
