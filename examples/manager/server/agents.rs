//! Which agents are online, as far as a server can tell.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// The agents that were heard of. An agent says with each heartbeat when the next one follows (`Homing-Next`): once that is
/// over it is overdue, and nobody has to guess an interval.
#[derive(Debug, Default)]
pub(crate) struct Agents(BTreeMap<String, Seen>);

#[derive(Debug)]
struct Seen {
    at: Instant,
    next: Option<Duration>,
}

/// More agents than anybody shows on a screen; the one that was silent for longest is forgotten.
const MOST: usize = 1024;

impl Agents {
    /// A heartbeat was answered; the next one follows within `next`, in seconds.
    pub(super) fn heard(&mut self, agent: &str, next: Option<u64>, at: Instant) {
        if self.0.len() >= MOST && !self.0.contains_key(agent) {
            let longest = self.0.iter().min_by_key(|(_, seen)| seen.at).map(|(agent, _)| agent.clone());
            longest.map(|agent| self.0.remove(&agent));
        }
        self.0.insert(agent.to_owned(), Seen { at, next: next.map(Duration::from_secs) });
    }

    /// For people: seconds since each was heard, seconds until its next heartbeat is due, and whether that is over.
    pub(super) fn show(&self, now: Instant) -> Value {
        let show = |seen: &Seen| {
            let silent = now.saturating_duration_since(seen.at);
            let due = seen.next.map(|next| next.saturating_sub(silent).as_secs());
            json!({ "heard": silent.as_secs(), "due": due, "overdue": seen.next.map(|next| silent > next) })
        };
        self.0.iter().map(|(agent, seen)| (agent.clone(), show(seen))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_is_overdue_once_the_time_it_gave_is_over() {
        let (mut agents, began) = (Agents::default(), Instant::now());
        let at = |seconds| began + Duration::from_secs(seconds);
        agents.heard("a", Some(300), at(0));
        agents.heard("old", None, at(0));
        assert_eq!(agents.show(at(299))["a"], json!({ "heard": 299, "due": 1, "overdue": false }));
        assert_eq!(agents.show(at(301))["a"], json!({ "heard": 301, "due": 0, "overdue": true }));
        assert_eq!(agents.show(at(301))["old"], json!({ "heard": 301, "due": null, "overdue": null }));
        agents.heard("a", Some(300), at(301));
        assert_eq!(agents.show(at(302))["a"]["overdue"], false);
        for number in 0..2 * MOST as u64 {
            agents.heard(&format!("agent {number}"), Some(10), at(400 + number));
        }
        assert!(agents.0.len() == MOST && !agents.0.contains_key("a"));
    }
}
