//! What the product was told of a store that does not store: each trouble once, and its end.

use std::io;

use super::writer::Written;
use crate::engine::Event;
use crate::platform::logging;
use crate::types::Printable;

/// What follows when a value is not stored.
const AGAIN: &str = "is tried again with the next heartbeat";

/// The last failure of each value that was told and is not over.
#[derive(Debug, Default)]
pub(super) struct StoreTrouble {
    /// What is the matter to begin with.
    at_the_start: Vec<String>,
    memory: Option<String>,
    floor: Option<String>,
    settings: Option<String>,
}

impl StoreTrouble {
    /// `at_the_start` is told to begin with. Where nothing can be kept in the store, `broken` says why: part of what is told,
    /// and not told again.
    pub(super) const fn new(at_the_start: Vec<String>, broken: Option<String>) -> Self {
        Self { at_the_start, memory: broken, floor: None, settings: None }
    }

    /// What is the matter to begin with, once.
    pub(super) fn at_the_start(&mut self) -> Vec<String> {
        std::mem::take(&mut self.at_the_start)
    }

    /// What there is to tell of the end of this write. A store that stays broken fails in the same words each time.
    pub(super) fn note(&mut self, written: &Written) -> Option<Event> {
        let (what, then, result) = match written {
            Written::Memory { result, .. } => ("what the agent should remember is", AGAIN, result),
            Written::Floor { result, .. } => ("the earliest plausible time is", AGAIN, result),
            Written::Document { result, .. } => {
                ("settings are", "are tried again with the next heartbeat", result)
            }
        };
        let failure = result.as_ref().err().map(|error: &io::Error| Printable(error).to_string());
        let was_told = failure.is_some() && [&self.memory, &self.floor, &self.settings].contains(&&failure);
        let place = match written {
            Written::Memory { .. } => &mut self.memory,
            Written::Floor { .. } => &mut self.floor,
            Written::Document { .. } => &mut self.settings,
        };
        let mut before = std::mem::replace(place, failure.clone());
        if let Written::Memory { result: Ok(()), .. } = written {
            // All that it names is stored too.
            before = self.settings.take().or(before);
        }
        match (failure, before) {
            (Some(_), _) if was_told => None,
            (Some(failure), _) => {
                let problem = format!("{what} not stored, and {then}: {failure}");
                logging::record!(Warn, "{problem}");
                Some(Event::StoreProblem { problem })
            }
            (None, Some(_))
                if [&self.memory, &self.floor, &self.settings].iter().all(|left| left.is_none()) =>
            {
                logging::record!(Info, "what the agent keeps for its next start is stored again");
                Some(Event::StoreRecovered {})
            }
            (None, _) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trust::Timestamp;

    fn result(error: &str) -> io::Result<()> {
        if error.is_empty() { Ok(()) } else { Err(io::Error::other(error.to_owned())) }
    }

    fn told(trouble: &mut StoreTrouble, memory: bool, error: &str) -> String {
        let written = if memory {
            Written::Memory { version: 1, result: result(error) }
        } else {
            Written::Floor { floor: Timestamp(7), result: result(error) }
        };
        match trouble.note(&written) {
            None => String::new(),
            Some(Event::StoreRecovered {}) => "recovered".to_owned(),
            Some(Event::StoreProblem { problem }) => problem,
            Some(other) => format!("{other:?}"),
        }
    }

    #[test]
    fn a_trouble_is_told_once_again_when_it_changes_and_when_it_is_over() {
        let mut trouble = StoreTrouble::default();
        assert_eq!(told(&mut trouble, true, ""), "");
        let words = "is not stored, and is tried again with the next heartbeat: the disk is full";
        assert_eq!(
            told(&mut trouble, true, "the disk is full"),
            format!("what the agent should remember {words}")
        );
        // The same for the other value says nothing new.
        for memory in [true, false, true] {
            assert_eq!(told(&mut trouble, memory, "the disk is full"), "");
        }
        assert!(told(&mut trouble, false, "it is gone\u{202e}").ends_with(": it is gone\\u{202e}"));
        assert_eq!(told(&mut trouble, false, "it is gone\u{202e}"), "");
        // Over when both are stored.
        assert_eq!(told(&mut trouble, true, ""), "");
        assert_eq!(told(&mut trouble, false, ""), "recovered");
        assert_eq!(told(&mut trouble, false, ""), "");
        assert!(!told(&mut trouble, false, "the disk is full").is_empty(), "another trouble");
    }

    #[test]
    fn settings_that_are_not_stored_are_told_until_they_are_or_no_memory_names_them() {
        for names_them in [true, false] {
            let mut trouble = StoreTrouble::default();
            let mut note = |error: &str| trouble.note(&Written::Document { place: 0, result: result(error) });
            let problem =
                "settings are not stored, and are tried again with the next heartbeat: the disk is full";
            assert_eq!(note("the disk is full"), Some(Event::StoreProblem { problem: problem.to_owned() }));
            assert_eq!(note("the disk is full"), None);
            assert_eq!(told(&mut trouble, true, "the disk is full"), "", "the memory waits for them");
            if names_them {
                assert_eq!(trouble.note(&Written::Document { place: 0, result: Ok(()) }), None);
            }
            assert_eq!(told(&mut trouble, true, ""), "recovered");
        }
    }

    #[test]
    fn what_was_told_at_the_start_is_not_told_again() {
        let mut trouble =
            StoreTrouble::new(vec!["no store".to_owned()], Some("the folder is in use".to_owned()));
        assert_eq!(
            (trouble.at_the_start(), trouble.at_the_start()),
            (vec!["no store".to_owned()], Vec::new())
        );
        assert_eq!(told(&mut trouble, false, "the folder is in use"), "");
        assert_eq!(told(&mut trouble, true, "the folder is in use"), "");
        assert_eq!(told(&mut trouble, true, ""), "");
        assert_eq!(told(&mut trouble, false, ""), "recovered");
    }
}
