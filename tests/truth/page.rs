//! A page of the documentation, of which every number has to be accounted for.

use std::collections::BTreeSet;
use std::path::Path;

use crate::constants::{Constants, sources};

/// What a number of a page goes by.
pub(crate) enum Words {
    /// The code: `{net/head.FIELDS}`, `{attachment.spread s}`, `{attachment.unfed_least min words}`.
    Code(&'static str),
    /// A test of this name holds it.
    Test(&'static str, &'static str),
    /// Something else than a number of homing's: a standard, an example, a count of things that stand beside it.
    Other(&'static str),
}

/// Statuses of HTTP: names, not numbers.
const STATUSES: [&str; 24] = [
    "200", "204", "304", "400", "401", "403", "404", "405", "406", "407", "408", "409", "410", "412", "413",
    "416", "421", "422", "425", "429", "500", "503", "511", "501",
];

/// What a page says, without code, the targets of links and the way its lines break.
pub(crate) struct Page {
    name: String,
    text: String,
    /// Which bytes are accounted for.
    known: Vec<bool>,
}

impl Page {
    /// A file; of Rust and C its comments of documentation.
    pub(crate) fn read(name: &str) -> Self {
        let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap();
        let prose = match name.rsplit('.').next().unwrap() {
            "rs" => comments(&text, &["///", "//!"]),
            "h" | "hpp" => comments(&text, &["//"]),
            _ => text,
        };
        let mut lines = Vec::new();
        let (mut in_code, mut is_generated) = (false, false);
        for line in prose.lines() {
            let is_fence = line.trim_start().starts_with("```");
            in_code ^= is_fence;
            is_generated |=
                line.starts_with("<!-- ") && (line.ends_with(" begin -->") || line.contains(": made by "));
            is_generated &= !(line.ends_with(" end -->") || line.starts_with("<!-- end of "));
            if !in_code && !is_fence && !is_generated {
                lines.push(without_its_place(line));
            }
        }
        let text = lines.join(" ").split_whitespace().collect::<Vec<_>>().join(" ");
        let mut known = vec![false; text.len()];
        // Code within a line, and targets of links.
        mark_between(&text, &mut known, "`", "`");
        mark_between(&text, &mut known, "](", ")");
        Self { name: name.to_owned(), text, known }
    }

    /// Looks for words, each of which has to be there, and fails when a number of the page is in none of them.
    pub(crate) fn goes_by(mut self, words: &[Words]) {
        let (constants, tests) = (Constants::read(), tests());
        let mut faults = Vec::new();
        for words in words {
            let words = match words {
                Words::Code(template) => {
                    assert!(template.contains('{'), "{template}: which constant is it?");
                    constants.fill(template)
                }
                Words::Test(words, test) => {
                    if !tests.contains(*test) {
                        faults.push(format!("there is no test `{test}` that holds: {words}"));
                    }
                    (*words).to_owned()
                }
                Words::Other(words) => (*words).to_owned(),
            };
            let found: Vec<usize> = self.text.match_indices(&words).map(|(at, _)| at).collect();
            if found.is_empty() {
                faults.push(format!("it ought to say: {words}"));
            }
            for at in found {
                self.known[at..at + words.len()].fill(true);
            }
        }
        let numbers = self.numbers().map(|at| format!("say what this number goes by: {}", self.around(at)));
        faults.extend(numbers);
        assert!(faults.is_empty(), "{}:\n  {}", self.name, faults.join("\n  "));
    }

    /// Where numbers stand that nothing accounts for.
    fn numbers(&self) -> impl Iterator<Item = usize> {
        let mut words = Vec::new();
        let mut at = 0;
        for word in self.text.split(' ') {
            words.push((at, word));
            at += word.len() + 1;
        }
        let is_number = |index: usize| {
            let (_, word) = words[index];
            let bare = word.trim_matches(|it: char| !it.is_ascii_alphanumeric());
            let next = words.get(index + 1).map_or("", |(_, next)| *next);
            let before = index.checked_sub(1).map_or("", |before| words[before].1);
            let is_name = ["RFC", "[RFC", "(RFC", "TLS", "SEC"].contains(&before);
            let is_none_or_one = matches!(bare, "0" | "1") && !is_unit(next);
            let is_ordinal = matches!(bare, "a" | "A") && next.starts_with("second");
            is_written_in_digits(bare) && !is_name && !is_none_or_one
                || is_a_word_for_a_number(bare) && is_time(next) && !is_ordinal
                || is_several(bare) && is_counted(next)
        };
        let found: Vec<usize> = (0..words.len())
            .filter(|&index| is_number(index))
            .map(|index| words[index])
            // Where the number itself begins.
            .map(|(at, word)| at + word.find(|it: char| it.is_ascii_alphanumeric()).unwrap_or(0))
            .filter(|&at| !self.known[at])
            .collect();
        found.into_iter()
    }

    fn around(&self, at: usize) -> String {
        let from = self.text[..at].char_indices().rev().nth(50).map_or(0, |(at, _)| at);
        let rest = &self.text[at..];
        let to = rest.char_indices().nth(50).map_or(rest.len(), |(at, _)| at);
        format!("… {} …", &self.text[from..at + to])
    }
}

fn is_written_in_digits(word: &str) -> bool {
    let is_class = word.len() == 3 && word.ends_with("xx");
    word.starts_with(|it: char| it.is_ascii_digit()) && !is_class && !STATUSES.contains(&word)
}

fn is_a_word_for_a_number(word: &str) -> bool {
    [
        "a", "an", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "twelve",
        "sixteen", "hundred", "half",
    ]
    .contains(&word.to_lowercase().as_str())
}

fn is_several(word: &str) -> bool {
    is_a_word_for_a_number(word) && !matches!(word.to_lowercase().as_str(), "a" | "an" | "one" | "half")
}

fn is_counted(word: &str) -> bool {
    let bare = word.trim_matches(|it: char| !it.is_ascii_alphanumeric());
    [
        "names",
        "files",
        "servers",
        "fields",
        "attempts",
        "rounds",
        "threads",
        "connections",
        "changes",
        "times",
        "functions",
        "sockets",
        "bytes",
        "kinds",
        "helper",
        "heartbeats",
        "requests",
    ]
    .contains(&bare)
}

fn is_time(word: &str) -> bool {
    let bare = word.trim_matches(|it: char| !it.is_ascii_alphanumeric());
    ["second", "minute", "hour", "day", "week", "month", "year"]
        .iter()
        .any(|unit| bare == *unit || bare.strip_suffix('s') == Some(unit))
}

fn is_unit(word: &str) -> bool {
    let bare = word.trim_matches(|it: char| !it.is_ascii_alphanumeric());
    is_time(word) || ["ms", "s", "min", "h", "bytes", "kB", "MB", "KiB", "MiB", "GiB"].contains(&bare)
}

/// A line of a list of steps without the number of the step.
fn without_its_place(line: &str) -> &str {
    let line = line.trim_start();
    let rest = line.trim_start_matches(|it: char| it.is_ascii_digit());
    if rest.len() < line.len() { rest.strip_prefix(". ").unwrap_or(line) } else { line }
}

fn comments(text: &str, marks: &[&str]) -> String {
    let comment = |line: &str| {
        let line = line.trim_start();
        marks.iter().find_map(|mark| line.strip_prefix(mark)).map(str::to_owned)
    };
    text.lines().filter_map(comment).collect::<Vec<_>>().join("\n")
}

fn mark_between(text: &str, known: &mut [bool], begin: &str, end: &str) {
    let mut at = 0;
    while let Some(from) = text[at..].find(begin).map(|found| at + found) {
        let inner = from + begin.len();
        let Some(to) = text[inner..].find(end).map(|found| inner + found) else { return };
        known[from..to].fill(true);
        at = to + end.len();
    }
}

/// The names of all tests.
fn tests() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (_, text) in ["src", "tests"].into_iter().flat_map(sources) {
        let mut lines = text.lines().map(str::trim_start);
        while let Some(line) = lines.next() {
            if line == "#[test]"
                && let Some(name) = lines.by_ref().find_map(|line| line.strip_prefix("fn "))
            {
                names.insert(name.split('(').next().unwrap().to_owned());
            }
        }
    }
    names
}
