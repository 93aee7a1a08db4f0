//! In which group each agent is, by whose decision, and which machines use one agent's id.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// What an agent says when it registers.
#[derive(Debug, Default)]
pub(super) struct Offer<'a> {
    pub(super) user: Option<&'a str>,
    pub(super) preferred: (Option<&'a str>, Option<&'a str>),
    /// Group and mode that were named last.
    pub(super) last: (Option<&'a str>, Option<&'a str>),
}

/// What it gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) group: String,
    pub(super) mode: String,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    /// Groups of users and agents, by their names.
    groups: Option<PathBuf>,
    agents: BTreeMap<String, Registered>,
    machines: BTreeMap<String, BTreeMap<String, Instant>>,
    /// How often all agents were asked to register again.
    asked: u64,
}

#[derive(Debug)]
struct Registered {
    user: Option<String>,
    place: Place,
    /// As [`Registry::asked`] was then.
    asked: u64,
}

/// More agents than a screen shows.
const MOST: usize = 1024;

/// More machines with one id than need be seen.
const MOST_MACHINES: usize = 8;

/// A machine that was silent for so long, and for twice its interval, is not there any more.
const SILENT: Duration = Duration::from_secs(60);

impl Registry {
    /// From now on users and agents are in the groups that this file names: a JSON object of names and groups.
    pub(super) fn assign(&mut self, file: PathBuf) {
        self.groups = Some(file);
    }

    /// Every agent that has registered is to do it again.
    pub(super) fn ask(&mut self) {
        self.asked += 1;
    }

    /// Whether this one is.
    pub(super) fn asks(&self, agent: &str) -> bool {
        self.agents.get(agent).is_some_and(|known| known.asked < self.asked)
    }

    /// An agent registers: a user's group comes first, then that of the agent, then what was used last, then what is
    /// preferred.
    ///
    /// # Errors
    /// The file of the groups cannot be read.
    pub(super) fn register(&mut self, agent: &str, offer: &Offer<'_>) -> std::io::Result<Place> {
        let groups: BTreeMap<String, String> = match &self.groups {
            Some(file) => serde_json::from_slice(&std::fs::read(file)?)?,
            None => BTreeMap::new(),
        };
        let of = |name: Option<&str>| name.and_then(|name| groups.get(name)).cloned();
        let place = if let Some(group) = of(offer.user) {
            Place { group, mode: "user".to_owned() }
        } else {
            let group = of(Some(agent)).or_else(|| offer.last.0.or(offer.preferred.0).map(str::to_owned));
            let mode = offer.last.1.or(offer.preferred.1).unwrap_or("computer");
            Place { group: group.unwrap_or_else(|| "Default".to_owned()), mode: mode.to_owned() }
        };
        if self.agents.len() < MOST || self.agents.contains_key(agent) {
            let user = offer.user.map(str::to_owned);
            let registered = Registered { user, place: place.clone(), asked: self.asked };
            self.agents.insert(agent.to_owned(), registered);
        }
        Ok(place)
    }

    /// An agent was heard on this machine; whether its id is used on another one as well.
    pub(super) fn is_twice(
        &mut self,
        agent: &str,
        machine: &str,
        next: Option<Duration>,
        now: Instant,
    ) -> bool {
        if self.machines.len() >= MOST && !self.machines.contains_key(agent) {
            return false;
        }
        let machines = self.machines.entry(agent.to_owned()).or_default();
        let silent = next.unwrap_or_default().saturating_mul(2).max(SILENT);
        machines.retain(|_, heard| now.saturating_duration_since(*heard) <= silent);
        if machines.len() < MOST_MACHINES || machines.contains_key(machine) {
            machines.insert(machine.to_owned(), now);
        }
        machines.len() > 1
    }

    /// For people: the user, the group and the mode of each agent, and on how many machines its id is used.
    pub(super) fn show(&self) -> Value {
        let names = self.agents.keys().chain(self.machines.keys());
        let show = |name: &String| {
            let known = self.agents.get(name);
            json!({
                "user": known.and_then(|known| known.user.as_ref()),
                "group": known.map(|known| &known.place.group),
                "mode": known.map(|known| &known.place.mode),
                "machines": self.machines.get(name).map_or(0, BTreeMap::len),
            })
        };
        names.map(|name| (name.clone(), show(name))).collect()
    }
}

/// The name that an agent offers, if it is written as names are.
pub(super) fn offered(text: &str) -> Option<String> {
    name(text).filter(|name| value(name) == text)
}

/// The name in the value of a field: what is not visible ASCII stands as `%XX`. `None`: it is none.
fn name(value: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        let digit =
            |byte: Option<u8>| char::from(byte?).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        bytes.push(if byte == b'%' { digit(rest.next())? * 16 + digit(rest.next())? } else { byte });
    }
    let name = String::from_utf8(bytes).ok()?;
    ((1..=256).contains(&name.len()) && !name.contains(char::is_control)).then_some(name)
}

/// The value that says this name.
pub(super) fn value(name: &str) -> String {
    let write = |byte: u8| match byte {
        b'!'..=b'~' if byte != b'%' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    name.bytes().map(write).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_comes_before_the_agent_before_what_was_last_before_what_is_preferred() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("groups.json");
        std::fs::write(&file, r#"{ "alice": "Sales", "agent-1": "Servers" }"#).unwrap();
        let mut registry = Registry::default();
        registry.assign(file.clone());
        let mut place = |agent: &str, offer: &Offer<'_>| {
            let place = registry.register(agent, offer).unwrap();
            format!("{} {}", place.group, place.mode)
        };
        let offers = Offer {
            user: Some("alice"),
            preferred: (Some("Laptops"), None),
            last: (Some("Field"), Some("computer")),
        };
        assert_eq!(place("agent-1", &offers), "Sales user");
        assert_eq!(place("agent-1", &Offer { user: Some("bob"), ..Offer::default() }), "Servers computer");
        let bob = Offer { user: Some("bob"), ..offers };
        assert_eq!(place("agent-2", &bob), "Field computer");
        assert_eq!(place("agent-2", &Offer { last: (None, None), ..bob }), "Laptops computer");
        assert_eq!(place("agent-2", &Offer::default()), "Default computer");
        std::fs::write(&file, "no JSON").unwrap();
        assert!(registry.register("agent-2", &Offer::default()).is_err());
        assert_eq!(registry.show()["agent-2"]["group"], "Default");
    }

    #[test]
    fn each_agent_is_asked_until_it_has_registered_again() {
        let mut registry = Registry::default();
        registry.ask();
        assert!(!registry.asks("a"), "it never did");
        registry.register("a", &Offer::default()).unwrap();
        assert!(!registry.asks("a"));
        registry.ask();
        assert!(registry.asks("a"));
        registry.register("a", &Offer::default()).unwrap();
        assert!(!registry.asks("a"));
    }

    #[test]
    fn two_machines_with_one_id_are_seen_while_both_are_heard() {
        let (mut registry, began) = (Registry::default(), Instant::now());
        let mut heard = |machine: &str, seconds: u64| {
            let now = began + Duration::from_secs(seconds);
            registry.is_twice("a", machine, Some(Duration::from_secs(300)), now)
        };
        assert!(!heard("one", 0) && !heard("one", 300));
        assert!(heard("two", 301) && heard("one", 600));
        assert!(!heard("two", 1_300), "the first has gone");
        for number in 0..100 {
            assert!(heard(&format!("copy {number}"), 1_301));
        }
        assert_eq!(registry.show()["a"]["machines"], MOST_MACHINES);
    }

    #[test]
    fn a_name_is_written_and_read() {
        for text in ["a", "My Company\\K\u{f6}ln", "100 %"] {
            assert_eq!(offered(&value(text)).as_deref(), Some(text));
            assert!(value(text).bytes().all(|byte| byte.is_ascii_graphic()));
        }
        for bad in ["", "%", "%0", "%zz", "%ff", "%0a", &"x".repeat(257)] {
            assert_eq!(name(bad), None, "{bad}");
        }
        for other in ["a b", "%41", "%c3%b6"] {
            assert!(name(other).is_some() && offered(other).is_none(), "{other}");
        }
    }
}
