//! The books: which reports have arrived, so that one that comes twice is seen to.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// Reports that were taken, by agent, lane and series. Numbers rise within a series, so the highest tells what is new.
#[derive(Debug, Default)]
pub(super) struct Books(BTreeMap<(String, String, String), Page>);

#[derive(Debug, Default)]
struct Page {
    highest: u64,
    taken: u64,
    again: u64,
    bytes: u64,
}

/// More pages than an example is ever asked to keep.
const MOST: usize = 4096;

/// A batch of reports: the numbers and the sizes of what is in its body.
pub(super) struct Batch {
    reports: Vec<(u64, usize)>,
}

impl Batch {
    /// Reads a body: each report behind a line with its number, kind and length, and a line feed behind it. `sequence` is
    /// `FIRST-LAST`. `None`: it is not what the contract says.
    pub(super) fn read(sequence: &str, mut body: &[u8]) -> Option<Self> {
        let (first, last) = sequence.split_once('-')?;
        let (first, last): (u64, u64) = (number(first)?, number(last)?);
        let mut reports: Vec<(u64, usize)> = Vec::new();
        while !body.is_empty() {
            let end = body.iter().position(|&byte| byte == b'\n')?;
            let mut words = std::str::from_utf8(body.get(..end)?).ok()?.split(' ');
            let number = number(words.next()?)?;
            words.next().filter(|kind| !kind.is_empty())?;
            let length = usize::try_from(self::number(words.next()?)?).ok()?;
            let rest = body.get(end + 1..)?;
            if words.next().is_some() || *rest.get(length)? != b'\n' {
                return None;
            }
            if reports.last().is_some_and(|(before, _)| *before >= number) {
                return None;
            }
            reports.push((number, length));
            body = rest.get(length + 1..)?;
        }
        let fits = reports.first()?.0 == first && reports.last()?.0 == last;
        fits.then_some(Self { reports })
    }

    pub(super) fn last(&self) -> u64 {
        self.reports.last().map_or(0, |(number, _)| *number)
    }

    /// The number in the middle: what a server says that takes half.
    pub(super) fn middle(&self) -> u64 {
        self.reports.get((self.reports.len() - 1) / 2).map_or(0, |(number, _)| *number)
    }
}

impl Books {
    /// Takes the reports of a batch up to this number: how many are new, and how many it had already.
    pub(super) fn take(
        &mut self,
        agent: &str,
        lane: &str,
        series: &str,
        batch: &Batch,
        up_to: u64,
    ) -> (u64, u64) {
        let name = (agent.to_owned(), lane.to_owned(), series.to_owned());
        if self.0.len() >= MOST && !self.0.contains_key(&name) {
            self.0.pop_first();
        }
        let page = self.0.entry(name).or_default();
        let before = (page.taken, page.again);
        for (number, bytes) in batch.reports.iter().filter(|(number, _)| *number <= up_to) {
            if *number <= page.highest {
                page.again += 1;
            } else {
                page.highest = *number;
                page.taken += 1;
                page.bytes += *bytes as u64;
            }
        }
        (page.taken - before.0, page.again - before.1)
    }

    /// For people: of each agent and lane how many reports were taken, how many of them came again, and their bytes.
    pub(super) fn show(&self) -> Value {
        let mut shown: BTreeMap<&str, BTreeMap<&str, (u64, u64, u64)>> = BTreeMap::new();
        for ((agent, lane, _), page) in &self.0 {
            let sum = shown.entry(agent).or_default().entry(lane).or_default();
            *sum = (sum.0 + page.taken, sum.1 + page.again, sum.2 + page.bytes);
        }
        let lanes = |lanes: BTreeMap<&str, (u64, u64, u64)>| -> Value {
            let lane = |(lane, (taken, again, bytes)): (&str, _)| {
                (lane.to_owned(), json!({ "taken": taken, "again": again, "bytes": bytes }))
            };
            lanes.into_iter().map(lane).collect()
        };
        shown.into_iter().map(|(agent, of)| (agent.to_owned(), lanes(of))).collect()
    }
}

fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_read_only_if_it_is_what_the_contract_says() {
        let body = b"3 log 2\na\n\n5 intrusion 0\n\n";
        let batch = Batch::read("3-5", body).unwrap();
        assert_eq!((batch.reports.clone(), batch.last(), batch.middle()), (vec![(3, 2), (5, 0)], 5, 3));
        for sequence in ["3-4", "1-5", "5-3", "3", "-5", "3-", "a-b", "3-5-7", "+3-5"] {
            assert!(Batch::read(sequence, body).is_none(), "{sequence}");
        }
        for at in 0..body.len() {
            assert!(Batch::read("3-5", &body[..at]).is_none(), "cut at {at}");
        }
        assert!(Batch::read("3-3", b"3 log 1\na\n3 log 1\na\n").is_none(), "a number twice");
    }

    #[test]
    fn what_comes_twice_is_counted_as_again() {
        let mut books = Books::default();
        let batch = Batch::read("1-2", b"1 log 1\na\n2 log 1\nb\n").unwrap();
        assert_eq!(books.take("me", "log", "0a", &batch, 1), (1, 0));
        assert_eq!(books.take("me", "log", "0a", &batch, 2), (1, 1));
        assert_eq!(books.take("me", "log", "0b", &batch, 2), (2, 0));
        assert_eq!(books.show(), json!({ "me": { "log": { "taken": 4, "again": 1, "bytes": 4 } } }));
    }
}
