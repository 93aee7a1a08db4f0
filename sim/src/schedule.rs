//! What is still to come.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use homing::types::Moment;

/// The earliest comes first. What comes at one moment comes in the order in which it was put here.
pub struct Schedule<T> {
    heap: BinaryHeap<Entry<T>>,
    sequence: u64,
}

struct Entry<T> {
    at: Moment,
    number: u64,
    what: T,
}

impl<T> Default for Schedule<T> {
    fn default() -> Self {
        Self { heap: BinaryHeap::new(), sequence: 0 }
    }
}

impl<T> Schedule<T> {
    pub fn push(&mut self, at: Moment, what: T) {
        self.sequence += 1;
        self.heap.push(Entry { at, number: self.sequence, what });
    }

    /// When the first of it comes.
    pub fn next(&self) -> Option<Moment> {
        self.heap.peek().map(|entry| entry.at)
    }

    /// The first of it, unless that comes after `end`.
    pub fn pop_until(&mut self, end: Moment) -> Option<(Moment, T)> {
        if self.next()? > end {
            return None;
        }
        self.heap.pop().map(|entry| (entry.at, entry.what))
    }
}

impl<T> Ord for Entry<T> {
    /// The heap gives the greatest, which is the earliest.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.number).cmp(&(self.at, self.number))
    }
}

impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl<T> Eq for Entry<T> {}
