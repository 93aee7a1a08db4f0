//! What is the matter with the folder, and what of that was told.

use super::event::{Events, OutboxEvent};
use crate::types::Lane;

/// See the module.
#[derive(Default)]
pub(super) struct Trouble {
    lanes: [bool; 4],
    home: bool,
    told: bool,
    /// What else is to be told of the folder.
    pub(super) events: Events,
}

impl Trouble {
    pub(super) fn is_there(&self) -> bool {
        self.home || self.lanes != [false; 4]
    }

    /// Notes how the folder did; `lane`: for one lane, else for all. Whether there is something new to tell.
    pub(super) fn note(&mut self, lane: Option<Lane>, problem: Option<&str>) -> bool {
        match lane {
            Some(lane) => self.lanes[lane as usize] = problem.is_some(),
            None => {
                self.home = problem.is_some();
                if problem.is_none() {
                    self.lanes = [false; 4];
                }
            }
        }
        let is_there = self.is_there();
        if is_there == self.told {
            return false;
        }
        self.told = is_there;
        self.events.push(match problem {
            Some(problem) if is_there => OutboxEvent::NotStored { problem: problem.to_owned() },
            Some(_) | None => OutboxEvent::Stored,
        });
        true
    }
}
