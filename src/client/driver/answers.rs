//! Answers whose fate is open: they wait until the engine says whether they count.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::types::ExchangeId;

/// Answers kept at once. The engine has at most ten attempts and a few probes under way, so more than this can only be
/// answers it has forgotten.
const MOST: usize = 64;

/// Bytes of their bodies: ten of the largest answers a server may send by default, and more. Of larger ones, which a program
/// has to allow, the newest waits however large it is.
const BODIES: usize = 16 * 1024 * 1024;

/// What stands beside the event of a heartbeat.
#[derive(Default)]
pub(in crate::client) struct Adopted {
    /// Of the answer; `None` if it had to make room for others.
    pub(in crate::client) body: Option<Arc<[u8]>>,
    /// The newest request for a heartbeat that it covers.
    pub(in crate::client) covers: u64,
    /// Of the document in it.
    pub(in crate::client) signature: Option<Box<str>>,
}

/// See the module.
#[derive(Default)]
pub(super) struct Answers {
    kept: BTreeMap<ExchangeId, Adopted>,
    /// Bytes of their bodies.
    bytes: usize,
}

impl Answers {
    pub(super) fn keep(&mut self, exchange: ExchangeId, answer: Adopted) {
        self.bytes += answer.body.as_ref().map_or(0, |body| body.len());
        self.kept.insert(exchange, answer);
        while self.kept.len() > MOST {
            let Some(oldest) = self.kept.keys().next().copied() else { return };
            self.take(oldest);
        }
        // The newest may have a smaller number than one before it: its body is not the one that goes.
        for (other, older) in self.kept.iter_mut().filter(|(other, _)| **other != exchange) {
            if self.bytes <= BODIES {
                return;
            }
            self.bytes -= older.body.take().map_or(0, |body| body.len());
            crate::platform::logging::record!(
                Warn,
                "exchange {}: the body of its answer makes room for newer ones",
                other.0
            );
        }
    }

    pub(super) fn take(&mut self, exchange: ExchangeId) -> Option<Adopted> {
        let taken = self.kept.remove(&exchange)?;
        self.bytes -= taken.body.as_ref().map_or(0, |body| body.len());
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_answers_whose_fate_is_open_the_newest_bodies_wait() {
        let answer =
            |size: usize, covers| Adopted { body: Some(vec![0; size].into()), covers, signature: None };
        let kept = |sizes: &[usize]| -> Vec<u64> {
            let mut answers = Answers::default();
            for (id, size) in (0..).zip(sizes) {
                answers.keep(ExchangeId(id), answer(*size, id));
                let bodies = || answers.kept.values().filter_map(|answer| answer.body.as_ref());
                assert!(answers.bytes <= BODIES || bodies().count() == 1);
                assert_eq!(answers.bytes, bodies().map(|body| body.len()).sum::<usize>());
            }
            let with = answers.kept.iter().filter(|(_, answer)| answer.body.is_some());
            with.map(|(id, _)| id.0).collect()
        };
        assert_eq!(kept(&[BODIES / 2, BODIES / 2]), [0, 1]);
        assert_eq!(kept(&[BODIES / 2, BODIES / 2, 1]), [1, 2]);
        assert_eq!(kept(&[1, 2 * BODIES]), [1]);
        assert_eq!(kept(&[2 * BODIES, 1]), [1]);
        assert_eq!(kept(&[1; MOST + 2]).first(), Some(&2));
        let mut answers = Answers::default();
        answers.keep(ExchangeId(9), answer(BODIES, 7));
        answers.keep(ExchangeId(3), answer(1, 8));
        let older = answers.take(ExchangeId(9)).unwrap();
        assert_eq!((older.body, older.covers), (None, 7), "its body made room for that of a smaller number");
        assert_eq!(answers.take(ExchangeId(3)).unwrap().body.unwrap().len(), 1);
        assert_eq!(answers.bytes, 0);
    }
}
