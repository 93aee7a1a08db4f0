//! The reads of the policy and the settings: on which link, when, and what they leave alone.

use std::time::Duration;

use homing::engine::{
    Action, Away, Command, Engine, Event, Input, Memory, SettingsName, Setup, TakesSettings,
};
use homing::settings::Settings;
use homing::types::{Cause, ExchangeId, LinkId, Medium, Moment, Proof, Request, Verdict, Via};

/// One agent at one server, driven by hand.
pub(crate) struct Agent {
    pub(crate) engine: Engine,
    now: Moment,
    actions: Vec<Action>,
    pub(crate) events: Vec<Event>,
}

pub(crate) const SETTINGS: &str = r#"{ "server_lists": [{ "name": "main", "priorities": [{ "servers": [
    { "address": "10.0.0.1", "id": "a" }] }] }],
    "group": { "name": "g", "communication": { "heartbeat_interval": "60s" } } }"#;

impl Agent {
    fn new(memory: Memory) -> Self {
        Self::with(SETTINGS, memory)
    }

    pub(crate) fn with(settings: &str, memory: Memory) -> Self {
        let settings: Settings = settings.parse().unwrap();
        Self::of(Setup::new(settings.into(), "agent-1".parse().unwrap()), memory)
    }

    fn of(setup: Setup, memory: Memory) -> Self {
        let now = Moment::from_nanos(1_000_000_000);
        let engine = Engine::new(setup, memory, Away::Unknown, 1, now);
        Self { engine, now, actions: Vec::new(), events: Vec::new() }
    }

    pub(crate) fn input(&mut self, input: Input<'_>) {
        self.engine.handle(self.now, input);
        self.actions.extend(std::iter::from_fn(|| self.engine.poll_action()));
        self.events.extend(std::iter::from_fn(|| self.engine.poll_event()));
    }

    /// The newest dial, which then stands and is verified.
    fn connects(&mut self) -> LinkId {
        self.connects_with(Proof::Tls)
    }

    /// The newest dial, which then stands and has proved this.
    pub(crate) fn connects_with(&mut self, proof: Proof) -> LinkId {
        let dial = |action: &Action| if let Action::Dial { link, .. } = action { Some(*link) } else { None };
        let link = self.actions.drain(..).filter_map(|action| dial(&action)).next_back().expect("no dial");
        let peer = "10.0.0.1:443".parse().unwrap();
        self.input(Input::Connected { link, via: Via { peer, medium: Medium::Direct } });
        self.input(Input::Secured { link, proof, valid_for: None });
        link
    }

    /// The only request that was made, and its link.
    pub(crate) fn asks(&mut self) -> (ExchangeId, LinkId, Request) {
        let asked = |action: Action| match action {
            Action::Exchange { exchange, link, request, .. } => Some((exchange, link, request)),
            _ => None,
        };
        let found: Vec<_> = self.actions.drain(..).filter_map(asked).collect();
        assert_eq!(found.len(), 1, "{found:?}");
        found.into_iter().next().unwrap()
    }

    fn succeeds(&mut self, exchange: ExchangeId, settings: Option<&str>, policy: Option<&str>) {
        let verdict = Verdict::Success { status: 200, settings, policy };
        self.input(Input::Done { exchange, outcome: verdict.into() });
    }

    fn succeeds_unchanged(&mut self, exchange: ExchangeId) {
        self.answers(exchange, 304, None);
    }

    pub(crate) fn answers(&mut self, exchange: ExchangeId, status: u16, policy: Option<&str>) {
        let verdict = Verdict::Success { status, settings: None, policy };
        self.input(Input::Done { exchange, outcome: verdict.into() });
    }

    /// Lets time pass up to the next heartbeat.
    fn next_beat(&mut self) -> (ExchangeId, LinkId, Request) {
        while !self
            .actions
            .iter()
            .any(|action| matches!(action, Action::Exchange { .. } | Action::Dial { .. }))
        {
            let (at, _) = self.engine.deadline().unwrap();
            self.now = at.max(self.now);
            self.input(Input::Timeout);
        }
        self.asks()
    }

    fn policies(&mut self) -> Vec<String> {
        let told = |event: Event| match event {
            Event::Policy { tag, .. } => Some(tag.to_string()),
            Event::PolicyFailed { detail, .. } => Some(format!("failed: {detail}")),
            _ => None,
        };
        self.events.drain(..).filter_map(told).collect()
    }
}

/// An agent whose attach was answered with this tag.
fn attached(tag: &str, memory: Memory) -> (Agent, LinkId) {
    let mut agent = Agent::new(memory);
    agent.input(Input::Timeout);
    let link = agent.connects();
    let (exchange, _, request) = agent.asks();
    assert!(matches!(request, Request::Heartbeat { .. }));
    agent.answers(exchange, 200, Some(tag));
    (agent, link)
}

#[test]
fn it_follows_the_heartbeat_on_the_kept_link_which_serves_the_next() {
    let (mut agent, link) = attached("p1", Memory::default());
    let (exchange, on, request) = agent.asks();
    assert_eq!((on, request), (link, Request::Policy { known: None }));
    agent.answers(exchange, 200, Some("p1"));
    assert_eq!(agent.policies(), ["p1"]);
    let (exchange, on, request) = agent.next_beat();
    assert_eq!(on, link);
    assert!(matches!(request, Request::Heartbeat { .. }));
    agent.answers(exchange, 200, Some("p1"));
    assert!(
        !agent.actions.iter().any(|action| matches!(action, Action::Exchange { .. })),
        "{:?}",
        agent.actions
    );
}

#[test]
fn a_heartbeat_does_not_wait_for_a_read() {
    let (mut agent, link) = attached("p1", Memory::default());
    let (read, on, _) = agent.asks();
    assert_eq!(on, link);
    agent.now = agent.now + Duration::from_secs(10);
    agent.input(Input::Command(Command::BeatNow));
    let other = agent.connects();
    let (beat, on, _) = agent.asks();
    assert!(on == other && other != link);
    agent.answers(beat, 200, Some("p1"));
    assert_eq!(agent.policies(), [""; 0]);
    agent.answers(read, 200, Some("p1"));
    assert_eq!(agent.policies(), ["p1"]);
    let closed = |action: &Action| if let Action::Close { link, .. } = action { Some(*link) } else { None };
    let closed: Vec<_> = agent.actions.iter().filter_map(closed).collect();
    assert_eq!(closed, [link], "one link is kept");
}

#[test]
fn what_is_announced_during_a_read_is_read_after_it_unless_it_came_with_it() {
    for (answer, is_asked_again) in [(Some("p1"), true), (Some("p2"), false), (None, true)] {
        let (mut agent, _) = attached("p1", Memory::default());
        let (read, ..) = agent.asks();
        agent.now = agent.now + Duration::from_secs(10);
        agent.input(Input::Command(Command::BeatNow));
        agent.connects();
        let (beat, ..) = agent.asks();
        agent.answers(beat, 200, Some("p2"));
        agent.actions.clear();
        agent.answers(read, 200, answer);
        // Which document an answer without a tag brought cannot be told any more.
        assert_eq!(agent.policies(), answer.as_slice());
        if is_asked_again {
            let (read, _, request) = agent.asks();
            assert_eq!(request, Request::Policy { known: answer.map(Into::into) });
            agent.answers(read, 200, Some("p2"));
            assert_eq!(agent.policies(), ["p2"]);
        }
        assert!(!agent.actions.iter().any(|action| matches!(action, Action::Exchange { .. })));
    }
}

#[test]
fn what_comes_over_a_link_that_proved_nothing_is_no_policy_though_the_heartbeats_link_did() {
    let (mut agent, link) = attached("p1", Memory::default());
    let (read, _, _) = agent.asks();
    // The server does not understand the request, so it is made again on a link of its own, which is not verified.
    let verdict = Verdict::Failed(Cause::Misunderstood { status: 421 }.into());
    agent.input(Input::Done { exchange: read, outcome: verdict.into() });
    let other = agent.connects_with(Proof::Tcp);
    let (read, on, request) = agent.asks();
    assert!(on == other && other != link);
    assert!(matches!(request, Request::Policy { .. }));
    agent.answers(read, 200, Some("p1"));
    let told = agent.policies();
    assert!(told.len() == 1 && told[0].contains("not verified"), "{told:?}");
    assert!(!agent.actions.iter().any(|action| matches!(action, Action::Adopt { .. })));
}

#[test]
fn a_read_that_is_lost_costs_nothing_and_comes_again_after_the_next_heartbeat() {
    let (mut agent, link) = attached("p1", Memory::default());
    agent.asks();
    agent.input(Input::Lost { link, failure: Cause::Reset.into() });
    let told = agent.policies();
    assert!(told.len() == 1 && told[0].starts_with("failed"), "{told:?}");
    assert!(agent.engine.snapshot(agent.now).active.is_some());
    while !agent.actions.iter().any(|action| matches!(action, Action::Dial { .. })) {
        agent.now = agent.engine.deadline().unwrap().0.max(agent.now);
        agent.input(Input::Timeout);
    }
    let link = agent.connects();
    let (beat, _, _) = agent.asks();
    agent.answers(beat, 200, Some("p1"));
    let (_, on, request) = agent.asks();
    assert_eq!((on, request), (link, Request::Policy { known: None }));
}

#[test]
fn what_was_confirmed_is_remembered_and_sent_as_known() {
    let (mut agent, _) = attached("p1", Memory::default());
    let (read, ..) = agent.asks();
    agent.answers(read, 200, Some("p1"));
    agent.input(Input::Command(Command::ConfirmPolicy("p1".into())));
    let remembers = |action: &Action| matches!(action, Action::Remember { .. });
    assert!(agent.actions.iter().any(remembers));
    let memory = agent.engine.memory().clone();
    assert_eq!(memory.policy.as_deref(), Some("p1"));
    let (agent, _) = attached("p1", memory.clone());
    assert!(!agent.actions.iter().any(|action| matches!(action, Action::Exchange { .. })));
    let (mut agent, _) = attached("p2", memory);
    assert_eq!(agent.asks().2, Request::Policy { known: Some("p1".into()) });
    let before = agent.engine.snapshot(agent.now).stale_inputs;
    for tag in [String::new(), "x".repeat(257)] {
        agent.input(Input::Command(Command::ConfirmPolicy(tag.into())));
    }
    assert_eq!(agent.engine.snapshot(agent.now).stale_inputs, before + 2);
    assert_eq!(agent.engine.memory().policy.as_deref(), Some("p1"));
}

#[test]
fn an_unchanged_policy_is_no_event_and_its_answer_is_dropped() {
    let (mut agent, _) = attached("p1", Memory::default());
    let (read, ..) = agent.asks();
    agent.answers(read, 200, Some("other"));
    assert_eq!(agent.policies(), ["other"]);
    let (beat, ..) = agent.next_beat();
    agent.answers(beat, 200, Some("p2"));
    let (read, _, request) = agent.asks();
    assert_eq!(request, Request::Policy { known: Some("other".into()) });
    agent.answers(read, 304, None);
    assert_eq!(agent.policies(), [""; 0]);
    assert!(agent.actions.iter().any(|action| matches!(action, Action::Abandon { .. })));
}

/// Attached to a server that names both, by an agent that takes settings from such servers.
fn attached_with_settings(takes_settings: TakesSettings, proof: Proof, over_http: Option<bool>) -> Agent {
    let accept =
        over_http.map_or(String::new(), |accept| format!(r#""accept_settings_over_http": {accept},"#));
    let settings: Settings =
        SETTINGS.replace(r#""name": "g","#, &format!(r#""name": "g",{accept}"#)).parse().unwrap();
    let setup = Setup::new(settings.into(), "agent-1".parse().unwrap());
    let mut agent = Agent::of(Setup { takes_settings, ..setup }, Memory::default());
    agent.input(Input::Timeout);
    let dial = |action: &Action| if let Action::Dial { link, .. } = action { Some(*link) } else { None };
    let link = agent.actions.drain(..).filter_map(|action| dial(&action)).next_back().unwrap();
    let peer = "10.0.0.1:443".parse().unwrap();
    agent.input(Input::Connected { link, via: Via { peer, medium: Medium::Direct } });
    agent.input(Input::Secured { link, proof, valid_for: None });
    let (exchange, ..) = agent.asks();
    agent.succeeds(exchange, Some("s1"), Some("p1"));
    agent
}

#[test]
fn the_settings_are_read_before_the_policy_on_the_same_link() {
    let mut agent = attached_with_settings(TakesSettings::Verified, Proof::Tls, None);
    let (exchange, link, request) = agent.asks();
    assert_eq!(request, Request::Settings { known: None });
    agent.succeeds(exchange, Some("s1"), None);
    assert!(agent.events.iter().any(|event| matches!(event, Event::Settings { tag, .. } if &**tag == "s1")));
    let (exchange, on, request) = agent.asks();
    assert_eq!((on, request), (link, Request::Policy { known: None }));
    agent.succeeds(exchange, None, Some("p1"));
    let (beat, ..) = agent.next_beat();
    agent.succeeds(beat, Some("s2"), Some("p1"));
    assert_eq!(agent.asks().2, Request::Settings { known: Some("s1".into()) });
}

#[test]
fn settings_are_read_only_by_an_agent_that_takes_them_and_from_whom_it_does() {
    use TakesSettings::{Never, Signed, Verified};
    for (takes, proof, over_http, is_read, is_told) in [
        (Never, Proof::Tls, Some(true), false, false),
        (Verified, Proof::Tls, Some(false), true, false),
        (Verified, Proof::Pin, None, true, false),
        (Verified, Proof::Tcp, None, false, true),
        (Verified, Proof::Tcp, Some(false), false, true),
        (Verified, Proof::Tcp, Some(true), true, false),
        (Signed, Proof::Tcp, None, true, false),
        (Signed, Proof::Tcp, Some(false), false, true),
    ] {
        let agent = attached_with_settings(takes, proof, over_http);
        let reads =
            |action: &Action| matches!(action, Action::Exchange { request: Request::Settings { .. }, .. });
        let failed = |event: &Event| matches!(event, Event::SettingsFailed { .. });
        let found = (agent.actions.iter().any(reads), agent.events.iter().any(failed));
        assert_eq!(found, (is_read, is_told), "{takes:?} {proof:?} {over_http:?}");
    }
}

#[test]
fn a_tag_that_changes_with_every_heartbeat_is_one_read_each_and_no_other_document_is_handed_on() {
    let mut agent = attached_with_settings(TakesSettings::Verified, Proof::Tls, None);
    let (read, ..) = agent.asks();
    agent.succeeds(read, Some("s1"), None);
    let (read, ..) = agent.asks();
    agent.succeeds(read, None, Some("p1"));
    for beat in 0..20 {
        let (exchange, ..) = agent.next_beat();
        agent.succeeds(exchange, Some(&format!("t{beat}")), Some("p1"));
        let (exchange, _, request) = agent.asks();
        assert_eq!(request, Request::Settings { known: Some("s1".into()) });
        agent.succeeds_unchanged(exchange);
    }
    let handed_on = agent.events.iter().filter(|event| matches!(event, Event::Settings { .. })).count();
    assert_eq!(handed_on, 1);
}

#[test]
fn the_tag_of_remembered_settings_is_sent_as_known() {
    let name = SettingsName { digest: "d".into(), tag: Some("s0".into()), serial: None };
    let known = serde_json::json!({ "settings": { "in_force": name } });
    let memory: Memory = serde_json::from_value(known).unwrap();
    let settings: Settings = SETTINGS.parse().unwrap();
    let setup = Setup::new(settings.into(), "agent-1".parse().unwrap());
    let settings_name = Some(SettingsName { tag: None, ..name });
    let mut agent =
        Agent::of(Setup { takes_settings: TakesSettings::Verified, settings_name, ..setup }, memory);
    agent.input(Input::Timeout);
    agent.connects();
    let (exchange, ..) = agent.asks();
    agent.succeeds(exchange, Some("s1"), None);
    assert_eq!(agent.asks().2, Request::Settings { known: Some("s0".into()) });
}
