//! What somebody may have meant who wrote a name that is not known.

/// A misspelt name has a third of its letters wrong at most; with more, a guess is as good as any other.
const WRONG_LETTERS: usize = 3;

/// Longer names are not compared: they are not misspelt, and comparing takes the square of the length.
const LONGEST: usize = 128;

/// Of the known names those that are most like this one, in quotes: "`a`", or "`a` or `b`". `None` when none is like it.
pub(crate) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    if name.chars().nth(LONGEST).is_some() {
        return None;
    }
    let letters = name.chars().count();
    let mut found: Vec<(usize, &str)> = known
        .filter_map(|known| {
            let distance = distance(&name.to_lowercase(), &known.to_lowercase());
            let is_near = distance <= letters.div_ceil(WRONG_LETTERS);
            // `port` for `https_port`: half of the name.
            let is_part = letters > 2 && known.split('_').any(|part| part == name);
            (is_near || is_part).then_some((if is_near { distance } else { LONGEST }, known))
        })
        .collect();
    found.sort_unstable();
    let best = found.first()?.0;
    let names: Vec<String> =
        found.iter().filter(|(distance, _)| *distance == best).map(|(_, name)| format!("`{name}`")).collect();
    Some(names.join(" or "))
}

/// How many letters have to be added, removed, replaced or swapped with their neighbour.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=other.len()).collect();
    let mut above = None;
    for (row, letter) in one.chars().enumerate() {
        let mut line = vec![row + 1];
        let mut left = None;
        for (column, &wanted) in other.iter().enumerate() {
            let at = |line: &[usize], column: usize| line.get(column).copied().unwrap_or(usize::MAX - 1);
            let replaced = at(&last, column) + usize::from(letter != wanted);
            let mut cheapest = replaced.min(at(&last, column + 1) + 1).min(at(&line, column) + 1);
            if above == Some(wanted) && left == Some(letter) && column > 0 {
                cheapest = cheapest.min(at(&before_last, column - 1) + 1);
            }
            line.push(cheapest);
            left = Some(wanted);
        }
        above = Some(letter);
        before_last = std::mem::replace(&mut last, line);
    }
    last.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_meant_is_found_and_nothing_is_made_up() {
        let known = ["address", "protocol", "http_port", "https_port", "weight", "communication", "Office"];
        for (name, expected) in [
            ("comunication", Some("`communication`")),
            ("adress", Some("`address`")),
            ("addres", Some("`address`")),
            ("wieght", Some("`weight`")),
            ("htps_port", Some("`https_port`")),
            ("port", Some("`http_port` or `https_port`")),
            ("Offise", Some("`Office`")),
            ("office", Some("`Office`")),
            ("colour", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(nearest(name, known.into_iter()).as_deref(), expected, "{name}");
        }
        assert_eq!(nearest(&"x".repeat(100_000), known.into_iter()), None);
    }
}
