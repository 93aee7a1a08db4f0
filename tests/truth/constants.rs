//! The numbers of the code, read from its sources: most constants belong to one file, and are nobody else's to call.

use std::collections::BTreeMap;
use std::path::Path;

use homing::client::Limits;

/// Every constant that is a number, under the file it stands in (`net/head.FIELDS`); every duration of the tuning under its part
/// (`attachment.spread`), in milliseconds; every member of `client::Limits` under `limits`.
pub(crate) struct Constants(BTreeMap<String, u128>);

impl Constants {
    pub(crate) fn read() -> Self {
        let mut constants = Self(BTreeMap::new());
        for (file, text) in sources("src") {
            if let Some((_, block)) = text.split_once("durations! { \"") {
                let (part, block) = block.split_once("\",").unwrap();
                constants.tuning(part, block.split("\n}").next().unwrap());
            }
            let file = file.trim_start_matches("src/").trim_end_matches(".rs");
            for line in text.lines() {
                constants.constant(file.trim_end_matches("/mod"), line);
            }
        }
        let limits = format!("{:?}", Limits::default());
        for member in limits.trim_start_matches("Limits { ").trim_end_matches(" }").split(", ") {
            let (name, value) = member.split_once(": ").unwrap();
            let value = value.strip_suffix('s').map_or_else(|| value.parse(), |it| Ok(seconds(it)));
            constants.0.insert(format!("limits.{name}"), value.unwrap());
        }
        constants
    }

    /// `name: 1_500 ms,` of a tuning.
    fn tuning(&mut self, part: &str, block: &str) {
        let entries = block.lines().filter(|line| !line.trim_start().starts_with("//"));
        for (name, value) in entries.filter_map(|line| line.split_once(": ")) {
            let milliseconds = value.trim_end().strip_suffix(" ms,").unwrap();
            self.0.insert(format!("{part}.{}", name.trim()), number(milliseconds).unwrap());
        }
    }

    /// `const NAME: usize = 16 * 1024;`, with any visibility.
    fn constant(&mut self, file: &str, line: &str) {
        let line = line.trim_start();
        let Some(line) = line.strip_prefix("pub").map_or(Some(line), |rest| {
            rest.strip_prefix(' ').or_else(|| rest.split_once(") ").map(|(_, rest)| rest))
        }) else {
            return;
        };
        let Some((name, value)) = line.strip_prefix("const ").and_then(|rest| rest.split_once(": ")) else {
            return;
        };
        let Some(value) = value.split_once(" = ").and_then(|(_, value)| value.strip_suffix(';')) else {
            return;
        };
        if let Some(value) = self.evaluate(file, value) {
            self.0.insert(format!("{file}.{name}"), value);
        }
    }

    /// Sums of products of numbers and constants of the same file, shifts, and durations.
    fn evaluate(&self, file: &str, text: &str) -> Option<u128> {
        let text = text.trim_start_matches("std::time::");
        for (unit, factor) in [("from_secs", 1000), ("from_millis", 1)] {
            let inner = text.strip_prefix("Duration::").and_then(|it| it.strip_prefix(unit));
            if let Some(inner) = inner {
                return Some(factor * self.evaluate(file, inner.strip_prefix('(')?.strip_suffix(')')?)?);
            }
        }
        if let Some((one, by)) = text.split_once(" << ") {
            return Some(number(one)? << number(by)?);
        }
        text.split(" * ").try_fold(1, |product, factor| {
            let known = || self.0.get(&format!("{file}.{factor}")).copied();
            Some(product * number(factor).or_else(known)?)
        })
    }

    /// The value in tenths of this unit; it has to come out even.
    fn tenths(&self, name: &str, unit: &str) -> u128 {
        let value = *self.0.get(name).unwrap_or_else(|| panic!("the code has no constant `{name}`"));
        let size = match unit {
            "" | "ms" => 1,
            "s" => 1000,
            "min" => 60_000,
            "h" => 3_600_000,
            "days" => 86_400_000,
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            other => panic!("`{other}` is no unit"),
        };
        assert_eq!(value * 10 % size, 0, "{name} is {value}, which is no number of {unit} to write down");
        value * 10 / size
    }

    /// Puts values in the place of `{name}` and `{name unit}`: `4,096`, with `plain` behind that `4096`, with `words` or `Words`
    /// in words, with `a` or `an` that word if it is one.
    pub(crate) fn fill(&self, template: &str) -> String {
        let mut parts = template.split('{');
        let mut filled = parts.next().unwrap().to_owned();
        for part in parts {
            let (hole, rest) = part.split_once('}').unwrap();
            let mut hole = hole.split(' ');
            let name = hole.next().unwrap();
            let (mut unit, mut written) = ("", grouped as fn(u128) -> String);
            for word in hole {
                match word {
                    "words" => written = |value| words(value).to_owned(),
                    "Words" => written = |value| words(value)[..1].to_uppercase() + &words(value)[1..],
                    "plain" => written = |value| value.to_string(),
                    "a" => written = |value| if value == 1 { "a".to_owned() } else { value.to_string() },
                    "an" => written = |value| if value == 1 { "an".to_owned() } else { value.to_string() },
                    _ => unit = word,
                }
            }
            let tenths = self.tenths(name, unit);
            filled += &match tenths % 10 {
                0 => written(tenths / 10),
                rest => format!("{}.{rest}", tenths / 10),
            };
            filled += rest;
        }
        filled
    }
}

fn words(value: u128) -> &'static str {
    const WORDS: [&str; 13] = [
        "no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
        "twelve",
    ];
    WORDS[usize::try_from(value).unwrap()]
}

/// `4096` as `4,096`.
pub(crate) fn grouped(value: u128) -> String {
    if value < 1000 { value.to_string() } else { format!("{},{:03}", grouped(value / 1000), value % 1000) }
}

fn number(text: &str) -> Option<u128> {
    text.trim().replace('_', "").parse().ok()
}

fn seconds(text: &str) -> u128 {
    text.parse::<u128>().unwrap() * 1000
}

/// The Rust files of a folder, with their paths from the root.
pub(crate) fn sources(folder: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut folders = vec![root.join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
                found.push((name, std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}
