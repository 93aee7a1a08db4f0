//! The story: one agent, five servers in three priorities, everything on this machine and twenty times as fast as in
//! the field.
//!
//! Nothing in it is staged: the servers are real, with real sockets and certificates, and each step waits for what the
//! agent says of itself. A step that does not come true within its bound ends the story with an error.

use std::collections::BTreeMap;
use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use homing::client::{Client, ClientEvent};
use homing::engine::{Event, Tuning};
use homing::settings::Settings;
use homing::store::outbox::{Limits, Outbox};
use homing::types::{Durability, Lane, Report, ReportKind, ServerId, Span};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::server::{Authority, Behaviour, Config, Document, Manager, Post};
use crate::terminal::{Tone, page, painted, say, wrapped};
use crate::timeline::{Layout, Line};

/// The servers by priority, best first.
const CAST: [&[&str]; 3] = [&["alpha", "bravo"], &["charlie", "delta"], &[LAST]];
const LAST: &str = "echo";
/// A heartbeat of 20 s comes each second, and the way back to a better server takes 20 s instead of 390 s at most.
const TIME_SCALE: f64 = 0.05;
const HEARTBEAT: &str = "20s";
/// For a step that needs a heartbeat or a search: ten times what it takes.
const SOON: Duration = Duration::from_secs(10);
/// For the way back, which is slow on purpose: its longest time, scaled, and as much again.
const LATER: Duration = Duration::from_secs(25);
/// The random numbers of the agent: with other ones the same story has other times.
const SEED: u64 = 7;

/// What trusts the servers, in the folder of the story.
const AUTHORITY: &str = "authority.pem";
/// A port on which nothing listens.
const NOWHERE: u16 = 1;

/// Everybody who plays a part.
struct Stage {
    managers: BTreeMap<&'static str, Manager>,
    /// The settings that all of them hand out.
    published: Arc<Mutex<Option<Bytes>>>,
    client: Client,
    began: Instant,
    layout: Layout,
    heartbeats: u32,
    moves: u32,
    /// The reports that wait, and what the servers' authority is.
    _folder: TempDir,
}

/// Tells it to the end.
pub(crate) fn tell(explain: bool) -> Result<(), Box<dyn Error>> {
    let mut stage = Stage::set()?;
    stage.play()?;
    if explain {
        say!();
        page(&stage.client.explain());
    }
    stage.leave()
}

impl Stage {
    fn set() -> Result<Self, Box<dyn Error>> {
        let authority = Authority::new("homing story, throw-away authority")?;
        let folder = tempfile::tempdir()?;
        let bundle = folder.path().join(AUTHORITY);
        std::fs::write(&bundle, authority.pem())?;

        let published = Arc::new(Mutex::new(None));
        let mut managers = BTreeMap::new();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        for name in CAST.concat() {
            let identity = authority.issue(&[address.ip().to_string()])?;
            let manager = Manager::start(Config {
                name: name.to_owned(),
                https: Some((address, identity)),
                http: None,
                settings: Document::Shared(Arc::clone(&published)),
                policy: Document::Text(Bytes::from_static(b"{}")),
                behaviour: Behaviour::Well,
            })?;
            managers.insert(name, manager);
        }
        say!("One agent, five management servers on this machine, in three priorities:");
        for (index, names) in CAST.iter().enumerate() {
            say!("  priority {}: {}", index + 1, names.join(", "));
        }
        say!(
            "Time runs {} times as fast as in the field, and the times below are the field's, in seconds.\n\
             Sockets, TLS and certificates are real.",
            1.0 / TIME_SCALE
        );

        let settings: Settings = document(&managers, &bundle, "pull").to_string().parse()?;
        // The signs of life on a stream are agreed in whole seconds of this world, which are twenty of the story's.
        let tuning = json!({ "time_scale": TIME_SCALE, "schedule": { "push_margin": "100s" } });
        let layout = Layout::new(settings.servers().iter(), TIME_SCALE);
        let began = Instant::now();
        let client = Client::builder(settings, "story-agent".parse()?)
            .tuning(Tuning::parse(tuning.to_string().as_bytes())?)
            .seed(SEED)
            .status(r#"{"state":"fine"}"#)
            .settings_folder(folder.path())
            .accept_settings()
            .outbox(Outbox::open(folder.path().join("outbox"), Limits::default()))
            .start()?;
        Ok(Self { managers, published, client, began, layout, heartbeats: 0, moves: 0, _folder: folder })
    }

    fn play(&mut self) -> Result<(), Box<dyn Error>> {
        let first = self.attaches_and_beats()?;
        self.hears_of_settings(&first)?;
        self.loses_its_servers_and_returns(&first)?;
        self.reports_in_an_outage()
    }

    fn attaches_and_beats(&mut self) -> Result<ServerId, String> {
        self.chapter("The agent looks for a server of the first priority.");
        let first = self.attached("attach to priority 1", SOON, 1)?;

        self.chapter("It beats.");
        for _ in 0..2 {
            self.until("a heartbeat", SOON, |event| {
                matches!(event, Event::Heartbeat { server, .. } if *server == first).then_some(())
            })?;
        }

        Ok(first)
    }

    fn hears_of_settings(&mut self, first: &ServerId) -> Result<(), String> {
        self.chapter(
            "The administrator writes settings that ask for push. The next heartbeat tells of them.",
        );
        let good = document(&self.managers, Path::new(AUTHORITY), "push");
        self.publish(&good);
        self.until("settings in force", SOON, |event| {
            matches!(event, Event::SettingsInForce { .. }).then_some(())
        })?;
        self.until("an event stream", SOON, |event| matches!(event, Event::PushOpened { .. }).then_some(()))?;

        self.chapter("Then a mistake: settings whose only server is nowhere. The agent is told at once.");
        let mut bad = good.clone();
        bad["server_lists"][0]["priorities"] = json!([{ "servers": [{ "address": Ipv4Addr::LOCALHOST, "https_port": NOWHERE, "id": "nowhere" }] }]);
        let tag = self.publish(&bad);
        self.manager(first)?.post(Post::Settings { tag, within: 0 });
        self.until("settings rolled back", LATER, |event| {
            matches!(event, Event::SettingsRolledBack { .. }).then_some(())
        })?;
        self.publish(&good);
        Ok(())
    }

    fn loses_its_servers_and_returns(&mut self, first: &ServerId) -> Result<(), String> {
        self.chapter("Its server dies. The other one of the same priority takes over.");
        self.kill(first)?;
        let second = self.attached("attach to the other server of priority 1", SOON, 1)?;

        self.chapter("That one dies too, and with it the whole priority. The next priority takes over.");
        self.kill(&second)?;
        self.attached("attach to priority 2", SOON, 2)?;

        self.chapter("The first server comes back. The agent lets it prove itself, and returns.");
        self.start(first, Behaviour::Well)?;
        self.until("the way back", LATER, |event| {
            matches!(event, Event::Failback { to, .. } if to == first).then_some(())
        })?;
        let back = self.attached("attach to the first server again", SOON, 1)?;
        if back != *first {
            return Err(format!("the agent went back to {back}, not to {first}"));
        }
        Ok(())
    }

    fn reports_in_an_outage(&mut self) -> Result<(), Box<dyn Error>> {
        self.chapter("Every server dies. The agent waits, and looks again and again.");
        for name in CAST.concat() {
            self.kill(&ServerId::new(name))?;
        }
        self.until("waiting", SOON, |event| matches!(event, Event::Waiting { .. }).then_some(()))?;

        self.chapter("Meanwhile the product finds something. The report waits on the disk.");
        self.report("eicar.com in /tmp")?;

        self.chapter(
            "One comes back, the last of the list. It takes the report, and its answer does not say so.",
        );
        let last = ServerId::new(LAST);
        self.start(&last, "uploads:unacknowledged".parse()?)?;
        self.attached("attach to priority 3", LATER, 3)?;
        self.until("an upload that is not acknowledged", SOON, |event| {
            matches!(event, Event::UploadFailed { lane: Lane::Critical, .. }).then_some(())
        })?;

        self.chapter("So the agent sends it again, under the same number. The server has it once.");
        self.manager(&last)?.misbehave(Behaviour::Well);
        self.until("an upload", SOON, |event| {
            matches!(event, Event::Uploaded { lane: Lane::Critical, waiting: 0, .. }).then_some(())
        })?;
        let counts = self.manager(&last)?.counts();
        if counts.reports != 1 || counts.repeated_reports == 0 {
            return Err(format!(
                "the books of {last} have {} reports, and {} came again",
                counts.reports, counts.repeated_reports
            )
            .into());
        }
        Ok(())
    }

    /// Has all servers hand these settings out. Returns their tag.
    fn publish(&self, settings: &Value) -> String {
        let text = Bytes::from(settings.to_string());
        let tag = Document::Text(text.clone()).edition().ok().flatten().map(|edition| edition.tag);
        *self.published.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
        tag.unwrap_or_default()
    }

    /// Reports that something was found, and returns when it is on the disk.
    fn report(&mut self, what: &str) -> Result<(), String> {
        let at = self.began.elapsed();
        let report = Report { kind: ReportKind::RiskFound, body: what.into() };
        let id = self.client.submit(report, Durability::Durable).map_err(|error| error.to_string())?;
        Line::new("> reports", "", format!("{what}, number {} of the lane critical", id.number))
            .print(at, self.layout);
        Ok(())
    }

    /// Stops the agent, and says what it was.
    fn leave(mut self) -> Result<(), Box<dyn Error>> {
        self.client.stop(Duration::from_secs(1));
        self.until("the end", SOON, |event| matches!(event, Event::Stopped {}).then_some(()))?;
        say!(
            "\nEvery step came true, in {:.1} s: attached {} times, {} heartbeats answered.",
            self.began.elapsed().as_secs_f64(),
            self.moves,
            self.heartbeats
        );
        say!("What the servers saw:");
        say!(
            "  {:<10} {:>8} {:>8} {:>8} {:>8} {:>12} {:>15}",
            "",
            "attach",
            "beat",
            "probe",
            "reports",
            "connections",
            "TLS full/again"
        );
        for name in CAST.concat() {
            let Some(counts) = self.managers.get(name).map(Manager::counts) else { continue };
            say!(
                "  {name:<10} {:>8} {:>8} {:>8} {:>8} {:>12} {:>15}",
                counts.attach,
                counts.beat,
                counts.probe,
                counts.reports,
                counts.connections,
                format!("{}/{}", counts.full_handshakes, counts.resumed_handshakes),
            );
        }
        Ok(())
    }

    fn chapter(&mut self, text: &str) {
        self.catch_up();
        let at = self.layout.in_the_field(self.began.elapsed()).as_secs_f64();
        say!("\n{at:9.3}  {}", painted(&wrapped(text, 11), Tone::Heading));
    }

    fn kill(&mut self, server: &ServerId) -> Result<(), String> {
        self.catch_up();
        let reason = "its connections are closed, nothing listens on its port";
        Line::new("> is killed", server, reason).print(self.began.elapsed(), self.layout);
        self.manager(server)?.misbehave(Behaviour::Refuse);
        Ok(())
    }

    fn start(&mut self, server: &ServerId, behaviour: Behaviour) -> Result<(), String> {
        self.catch_up();
        let reason = "it listens on its port again";
        Line::new("> is started", server, reason).print(self.began.elapsed(), self.layout);
        self.manager(server)?.misbehave(behaviour);
        Ok(())
    }

    /// Tells what has happened before the narrator speaks: else a server seems to answer after its death.
    fn catch_up(&mut self) {
        while let Ok(Some(event)) = self.client.next_event_timeout(Duration::ZERO) {
            self.tell(&event);
        }
    }

    fn tell(&mut self, told: &ClientEvent) {
        self.heartbeats += u32::from(matches!(told.event, Event::Heartbeat { .. }));
        self.moves += u32::from(matches!(told.event, Event::Attached { .. }));
        // The only warning there is says that the heartbeat is short; it is, for the sake of the story.
        let is_news = !matches!(told.event, Event::SettingsWarning { .. });
        if let Some(line) = Line::of(&told.event, self.layout).filter(|_| is_news) {
            line.print(told.at, self.layout);
        }
    }

    fn manager(&self, server: &ServerId) -> Result<&Manager, String> {
        self.managers.get(server.as_str()).ok_or_else(|| format!("{server} is not in the cast"))
    }

    /// Waits until the agent attaches; it has to be to this priority.
    fn attached(&mut self, step: &str, bound: Duration, wanted: usize) -> Result<ServerId, String> {
        let (server, priority) = self.until(step, bound, |event| {
            let Event::Attached { server, priority, .. } = event else { return None };
            Some((server.clone(), *priority))
        })?;
        if priority == Some(wanted) {
            return Ok(server);
        }
        Err(format!("{step}: the agent attached to {server} of priority {priority:?} instead"))
    }

    /// Prints what happens until it is what the step is about.
    fn until<T>(
        &mut self,
        step: &str,
        bound: Duration,
        mut wanted: impl FnMut(&Event) -> Option<T>,
    ) -> Result<T, String> {
        let end = Instant::now() + bound;
        while let Ok(Some(event)) =
            self.client.next_event_timeout(end.saturating_duration_since(Instant::now()))
        {
            self.tell(&event);
            if let Some(found) = wanted(&event.event) {
                return Ok(found);
            }
        }
        Err(format!(
            "this step did not come true within {}: {step}\n{}",
            Span(bound).brief(),
            self.client.explain()
        ))
    }
}

/// Settings that lead to the cast.
fn document(managers: &BTreeMap<&str, Manager>, bundle: &Path, mode: &str) -> Value {
    let entry = |name: &&str| {
        let address = managers.get(*name).and_then(|manager| manager.https);
        json!({ "address": address.map(|it| it.ip()), "https_port": address.map(|it| it.port()), "id": name })
    };
    let priorities: Vec<Value> =
        CAST.iter().map(|names| json!({ "servers": names.iter().map(entry).collect::<Vec<_>>() })).collect();
    json!({
        "certificate": { "roots": [{ "bundle": bundle }] },
        "server_lists": [{ "name": "story", "priorities": priorities }],
        "group": {
            "name": "story", "server_list": "story",
            "communication": { "heartbeat_interval": HEARTBEAT, "mode": mode },
        },
    })
}
