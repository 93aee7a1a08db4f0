//! Certificates, answers, settings, files and stored values with characters that are not seen: none of them reaches a text
//! for people, JSON, or a line of a log.
#![cfg(feature = "client")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "the helpers of a test may give up as the test itself may"
)]

#[path = "client/listener.rs"]
#[allow(dead_code, reason = "other tests ask more of it")]
mod listener;
#[path = "client/proxy.rs"]
#[allow(dead_code, reason = "other tests ask more of it")]
mod proxy;
#[path = "client/server.rs"]
#[allow(dead_code, reason = "the tests need only some of what a server can do")]
mod server;

use std::fmt::Display;
use std::fs;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use homing::client::{Client, Credentials, Limits, LogLevel, RouteChoice};
use homing::engine::{Event, Tuning};
use homing::settings::{Settings, Source};
use homing::trust::{
    Description, Material, Policy, RejectReason, Time, Timestamp, check_certificate, vouched_by,
};
use homing::types::{AgentId, Host, Span};
use proxy::{Conduct, Proxy};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};
use rustls::pki_types::CertificateDer;
use serde_json::{Value, json};
use server::{Authority, Conversation, Server};

/// Right to left, ends of lines, nothing at all, and what a terminal obeys.
const UNSEEN: &str = "a\u{202e}b\u{2028}c\u{200b}d\u{7f}e\u{9b}f\u{feff}g\u{2066}h\u{e0041}i";

/// How the beginning of it is shown.
const SHOWN: &str = r"a\u{202e}b";

/// What it is in JSON.
const IN_JSON: &str = r"a\\u{202e}b";

const LONG: Duration = Duration::from_secs(60);

/// What settings take for the name of a file, because it can be one.
fn in_a_path() -> String {
    UNSEEN.replace(char::is_control, "")
}

fn is_clean(text: impl Display) -> String {
    let text = text.to_string();
    let unseen = |character: &char| {
        let is_ours = UNSEEN.contains(*character) && !character.is_ascii_graphic();
        is_ours || (character.is_control() && *character != '\n')
    };
    let found: Vec<char> = text.chars().filter(unseen).collect();
    assert!(found.is_empty(), "{found:?} in {text}");
    text
}

// --- certificates ---

struct Forger {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Forger {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, format!("authority {UNSEEN}"));
        Self { issuer: CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap() }
    }

    fn server(
        &self,
        years: (i32, i32),
        change: impl FnOnce(&mut CertificateParams),
    ) -> CertificateDer<'static> {
        // DEL is the worst that a name of a host can hold.
        let mut params =
            CertificateParams::new(vec!["m.example".to_owned(), "\u{7f}.example".to_owned()]).unwrap();
        (params.not_before, params.not_after) = (date_time_ymd(years.0, 1, 1), date_time_ymd(years.1, 1, 1));
        for kind in [DnType::CommonName, DnType::OrganizationName, DnType::CountryName] {
            params.distinguished_name.push(kind, format!("server {UNSEEN}"));
        }
        change(&mut params);
        params.signed_by(&KeyPair::generate().unwrap(), &self.issuer).unwrap().der().clone()
    }

    /// A policy, and the authority's certificate in a file with a name of its kind.
    fn policy(&self, certificate: &Value) -> Policy {
        let bundle = format!("ca {}.pem", in_a_path());
        let mut certificate = certificate.clone();
        if let Some(root) = certificate.pointer_mut("/roots/0") {
            *root = json!({ "bundle": bundle });
        }
        let settings = settings(&certificate, "m.example");
        let material = Material {
            files: [(bundle.into(), self.issuer.pem().into_bytes())].into(),
            ..Material::default()
        };
        Policy::new(&settings.policies()[0], &material, Time::new(NOW)).unwrap()
    }
}

/// 2027.
const NOW: Timestamp = Timestamp(1_800_000_000);

fn settings(certificate: &Value, host: &str) -> Settings {
    let servers = json!([{ "address": host, "id": "a" }]);
    let text = json!({ "certificate": certificate, "server_lists": [{ "name": "l", "priorities": [{ "servers": servers }] }] });
    text.to_string().parse().unwrap()
}

fn texts(reason: &RejectReason) -> String {
    is_clean(reason) + &is_clean(reason.explain()) + &is_clean(reason.failure())
}

#[test]
fn no_certificate_puts_one_into_a_reason_an_advice_or_a_description() {
    let (forger, other) = (Forger::new(), Forger::new());
    let other_name = json!({ "roots": [0], "expected_name": "other.example" });
    let pinned =
        json!({ "pin_only": true, "pins": [{ "sha256": "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=" }] });
    let chain = json!({ "roots": [0] });
    let good = (2020, 2100);
    let authority = |params: &mut CertificateParams| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let unknown = |params: &mut CertificateParams| {
        let mut extension = rcgen::CustomExtension::from_oid_content(&[1, 2, 3, 4], vec![5, 0]);
        extension.set_criticality(true);
        params.custom_extensions = vec![extension];
    };
    let cases: [(&str, &Value, CertificateDer<'static>); 7] = [
        ("expired", &chain, forger.server((2020, 2021), |_| {})),
        ("not yet valid", &chain, forger.server((2099, 2100), |_| {})),
        ("of another authority", &chain, other.server(good, |_| {})),
        ("for another name", &other_name, forger.server(good, |_| {})),
        ("an authority", &chain, forger.server(good, authority)),
        ("with an unknown extension", &chain, forger.server(good, unknown)),
        ("with another key", &pinned, forger.server(good, |_| {})),
    ];
    let host: Host = "m.example".parse().unwrap();
    for (what, policy, certificate) in cases {
        let policy = forger.policy(policy);
        let chain = [certificate, forger.issuer.der().clone()];
        for chain in [&chain[..1], &chain[..]] {
            match check_certificate(&policy, chain, &host, Time::new(NOW)) {
                Err(reason) => assert!(texts(&reason).contains(SHOWN), "{what}: {reason}"),
                Ok(_) => panic!("{what} is believed"),
            }
        }
        let read = Description::of(&chain[0]).unwrap();
        for text in [&read.subject, &read.issuer].into_iter().chain(&read.names) {
            is_clean(text);
        }
        assert!(read.subject.contains(SHOWN) && read.issuer.contains(SHOWN), "{read:?}");
        assert!(read.names.iter().any(|name| name.contains(r"\u{7f}.example")), "{read:?}");
    }
    let chain = [forger.server(good, |_| {})];
    let vouching =
        vouched_by(&forger.policy(&json!({ "roots": [0] })), &chain, &host, Time::new(NOW)).unwrap();
    let words =
        is_clean(format!("{} {:?} {}", vouching.source, vouching.certificates.len(), vouching.root.unwrap()));
    assert_eq!(words.matches(SHOWN).count(), 2, "{words}");
    vouching.certificates.iter().for_each(|name| _ = is_clean(name));
}

// --- answers ---

/// An agent with a hostile server first and a good one behind it, and everything it says until it is attached to the good one.
fn everything(
    bad: &Server,
    certificate: &Value,
    good: impl Fn(&mut Conversation<'_>) + Send + Sync + 'static,
) -> String {
    let good = Server::plain("good", good);
    let server = |server: &Server| {
        json!({ "servers": [{ "address": server.host(), "protocol": server.protocol(), "id": server.name(),
                              "https_port": server.port(), "http_port": server.port() }] })
    };
    let settings = json!({
        "certificate": certificate,
        "server_lists": [{ "name": "main", "priorities": [server(bad), server(&good)] }],
        "reference_servers": { "servers": [{ "address": bad.host(), "ports": [bad.port()], "certificate": certificate }] },
    });
    told(&settings, vec![RouteChoice::Direct], |event| matches!(event, Event::Heartbeat { .. }))
}

/// Everything an agent says until this event.
fn told(settings: &Value, routes: Vec<RouteChoice>, is_last: impl Fn(&Event) -> bool) -> String {
    let log: Arc<Mutex<String>> = Arc::default();
    let written = Arc::clone(&log);
    let client =
        Client::builder(settings.to_string().parse::<Settings>().unwrap(), "agent-1".parse().unwrap())
            .routes(routes)
            .on_log(LogLevel::Trace, move |_, line| {
                *written.lock().unwrap() += &format!("{}\n", is_clean(line))
            })
            .seed(7)
            .start()
            .unwrap();
    let (end, mut page, mut over) = (Instant::now() + LONG, String::new(), false);
    while !over {
        let event = client.next_event_timeout(end.saturating_duration_since(Instant::now())).unwrap();
        let event = event.unwrap_or_else(|| panic!("{page}\n{}", client.explain()));
        over = is_last(&event.event);
        is_clean(&event);
        page += &is_clean(serde_json::to_string(&event).unwrap());
        page.push('\n');
    }
    let snapshot = client.snapshot();
    page += &is_clean(client.explain());
    page += &is_clean(serde_json::to_string(&snapshot).unwrap());
    page += &snapshot
        .location
        .and_then(|location| location.evidence)
        .map_or_else(String::new, |it| is_clean(it.explain()));
    let log = log.lock().unwrap();
    assert!(!log.is_empty());
    page
}

fn well(conversation: &mut Conversation<'_>) {
    while conversation.request().is_some() {
        let body = UNSEEN;
        let length = body.len();
        conversation.say(&format!(
            "HTTP/1.1 200 OK\r\nHoming-Settings: \"7\"\r\nContent-Length: {length}\r\n\r\n{body}"
        ));
    }
}

#[test]
fn no_answer_and_no_page_puts_one_into_events_explanations_and_logs() {
    let answer = |text: String| {
        Server::plain("bad", move |conversation| {
            if conversation.request().is_some() {
                conversation.say(&text);
            }
        })
    };
    for (text, is_quoted) in [
        (format!("{UNSEEN}\r\n"), true),
        (format!("HTTP/1.1 302 {UNSEEN}\r\nLocation: http://{UNSEEN}/\r\nContent-Length: 0\r\n\r\n"), false),
        (format!("HTTP/1.1 503 Busy\r\nRetry-After: {UNSEEN}\r\nContent-Length: 0\r\n\r\n"), false),
        ("HTTP/1.1 503 Busy\r\nRetry-After: a\u{202e}b\r\nContent-Length: 0\r\n\r\n".to_owned(), true),
        ("HTTP/1.1 200 OK\r\nHoming-Settings: \"a\u{202e}b\"\r\nContent-Length: 0\r\n\r\n".to_owned(), false),
        (
            format!(
                "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\n\r\n{UNSEEN}",
                UNSEEN.len()
            ),
            false,
        ),
        (format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: a\u{202e}b\r\n\r\n{UNSEEN}"), false),
        (
            format!(
                "HTTP/1.1 200 OK\r\nHoming-Settings: 7\r\nTransfer-Encoding: chunked\r\n\r\n{UNSEEN}\r\n"
            ),
            false,
        ),
        ("HTTP/1.1 200 OK\r\nHoming\u{200b}-Settings: 7\r\n\r\n".to_owned(), false),
    ] {
        let page = everything(&answer(text.clone()), &json!({}), well);
        assert!(!is_quoted || page.contains(IN_JSON), "{text:?}: {page}");
        // The body of the good answer is whole, and is not shown as it is.
        assert!(page.contains("body_base64"), "{page}");
    }
}

#[test]
fn no_certificate_puts_one_into_events_explanations_and_logs() {
    let forger = Forger::new();
    let authority = Authority::of(forger.issuer);
    let page = everything(&Server::tls("bad", &authority, well), &Authority::new().policy(), well);
    assert!(page.contains(IN_JSON), "{page}");
}

#[test]
fn no_stream_and_no_command_puts_one_into_events_explanations_and_logs() {
    let events = [
        format!("id: {UNSEEN}\nretry: {UNSEEN}\nevent: hello\ndata: settings={UNSEEN}\ndata: {UNSEEN}\n\n"),
        format!("event: {UNSEEN}\ndata: {UNSEEN}\n\n: {UNSEEN}\n{UNSEEN}: {UNSEEN}\n"),
        format!("event: settings\ndata: {UNSEEN}\ndata: within={UNSEEN}\n\n"),
        format!("event: policy\ndata: a{UNSEEN}\n\n"),
        format!("event: drain\ndata: {UNSEEN}\n\n"),
        format!("event: content\ndata: {UNSEEN}\ndata: {UNSEEN}\n\n"),
        format!("event: command\ndata: {UNSEEN}\ndata: {UNSEEN}\n\n"),
        format!("event: command\ndata: {UNSEEN}\ndata: eOKAruKAi3k=\n\n"),
    ]
    .concat();
    let script = move |conversation: &mut Conversation<'_>| {
        while let Some(request) = conversation.request() {
            if request.line.starts_with("GET ") {
                let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
                conversation.say(&format!("{head}{events}"));
                return;
            } else {
                conversation.say("HTTP/1.1 200 OK\r\nHoming-Settings: \"7\"\r\nContent-Length: 0\r\n\r\n");
            }
        }
    };
    let authority = Authority::new();
    let server = Server::tls("a", &authority, script);
    let mut settings = one(&server, &authority.policy());
    settings["group"] = json!({ "name": "g", "communication": { "mode": "push" } });
    let page = told(&settings, vec![RouteChoice::Direct], |event| matches!(event, Event::PushLost { .. }));
    let [content, command] =
        ["content", "command"].map(|kind| page.lines().find(|line| line.contains(kind)).unwrap_or(&page));
    assert!(content.contains(IN_JSON) && command.contains(IN_JSON), "{page}");
    assert!(command.contains("body_base64"), "{page}");
}

#[test]
fn no_proxy_puts_one_into_events_explanations_and_logs() {
    let authority = Authority::new();
    let server = Server::tls("a", &authority, well);
    for answer in [
        format!("{UNSEEN}\r\n\r\n"),
        format!("HTTP/1.1 407 {UNSEEN}\r\nProxy-Authenticate: {UNSEEN}\r\n\r\n{UNSEEN}"),
        format!("HTTP/1.1 403 Forbidden\r\nX-Reason: {UNSEEN}\r\n\r\n<p>{UNSEEN}"),
        format!("HTTP/1.1 302 Found\r\nLocation: http://{UNSEEN}/\r\n\r\n"),
        // It opens the way, and answers in place of the server.
        format!("{}HTTP/1.1 200 {UNSEEN}\r\n\r\n{UNSEEN}", proxy::ESTABLISHED),
    ] {
        let proxy = Proxy::new(Conduct::Says(answer.clone()));
        let routes = vec![proxy.described().into()];
        let is_last = |event: &Event| matches!(event, Event::AttemptFailed { .. });
        let page = told(&one(&server, &authority.policy()), routes, is_last);
        assert!(!answer.starts_with('a') || page.contains(IN_JSON), "{answer:?}: {page}");
    }
}

/// A document with this server alone.
fn one(server: &Server, certificate: &Value) -> Value {
    let address = json!({ "address": server.host(), "protocol": server.protocol(), "id": server.name(),
                          "https_port": server.port(), "http_port": server.port() });
    json!({
        "certificate": certificate,
        "server_lists": [{ "name": "main", "priorities": [{ "servers": [address] }] }],
    })
}

// --- settings, and whatever else is read ---

/// Every place of a document that is a text or the name of a field, replaced.
fn spoilt(value: &Value) -> Vec<Value> {
    match value {
        Value::String(_) => vec![json!(UNSEEN)],
        Value::Array(items) => (0..items.len())
            .flat_map(|at| spoilt(&items[at]).into_iter().map(move |spoilt| (at, spoilt)))
            .map(|(at, spoilt)| {
                let mut items = items.clone();
                items[at] = spoilt;
                Value::Array(items)
            })
            .collect(),
        Value::Object(fields) => fields
            .iter()
            .flat_map(|(name, value)| {
                let renamed = (format!("{name}{UNSEEN}"), value.clone());
                let others = spoilt(value).into_iter().map(|spoilt| (name.clone(), spoilt));
                others.chain([renamed]).map(move |changed| (name, changed))
            })
            .map(|(name, (new, value))| {
                let mut fields = fields.clone();
                fields.remove(name);
                fields.insert(new, value);
                Value::Object(fields)
            })
            .collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => vec![json!(UNSEEN)],
    }
}

#[test]
fn no_settings_put_one_into_an_error_a_warning_or_what_is_in_force() {
    let page = include_str!("../docs/settings.md");
    let document: Value =
        serde_json::from_str(page.split("```json\n").nth(2).unwrap().split("```").next().unwrap()).unwrap();
    let spoilt = spoilt(&document);
    assert!(spoilt.len() > 150, "{}", spoilt.len());
    let mut accepted = 0;
    for document in spoilt {
        let text = document.to_string();
        for source in [Source::Person, Source::Server] {
            match Settings::parse(text.as_bytes(), source) {
                Err(error) => _ = is_clean(error),
                Ok(parsed) => {
                    accepted += 1;
                    let settings = parsed.settings;
                    parsed.warnings.iter().for_each(|warning| _ = is_clean(warning));
                    settings.lint().iter().for_each(|lint| _ = is_clean(lint));
                    settings.not_enforced().iter().for_each(|one| _ = is_clean(one));
                    for place in [None].into_iter().chain(settings.locations().map(|name| Some(&**name))) {
                        is_clean(serde_json::to_string(&settings.effective(place)).unwrap());
                    }
                    let started = Client::builder(settings, "a".parse().unwrap()).start();
                    started.map_or_else(|error| _ = is_clean(error), |client| client.stop(Duration::ZERO));
                }
            }
        }
    }
    assert!(accepted > 10, "{accepted}");
    for bad in [format!("{{{UNSEEN}"), format!("{{\"version\": \"{UNSEEN}\"}}"), format!("[\"{UNSEEN}\"]")] {
        is_clean(Settings::parse(bad.as_bytes(), Source::Person).unwrap_err());
    }
}

#[test]
fn no_other_text_puts_one_into_an_error() {
    let object = format!("{{ \"{UNSEEN}\": {{ \"{UNSEEN}\": \"{UNSEEN}\" }} }}");
    let part = format!("{{ \"attachment\": {{ \"{UNSEEN}\": \"1s\", \"spread\": \"{UNSEEN}\" }} }}");
    for text in [&object, &part, &format!("{{ \"drip_window\": \"{UNSEEN}\" }}"), &UNSEEN.to_owned()] {
        is_clean(Tuning::parse(text.as_bytes()).unwrap_err());
        is_clean(Limits::parse(text.as_bytes()).unwrap_err());
    }
    is_clean(UNSEEN.parse::<Span>().unwrap_err());
    is_clean(UNSEEN.parse::<Host>().unwrap_err());
    is_clean(UNSEEN.parse::<AgentId>().unwrap_err());
    is_clean(UNSEEN.parse::<RouteChoice>().unwrap_err());
    is_clean(Credentials::default().set(UNSEEN, "secret").unwrap_err());
    is_clean(Credentials::default().set("Authorization", UNSEEN.replace('\u{202e}', "\n")).unwrap_err());
    let settings = settings(&json!({}), "m.example");
    let client = Client::builder(settings, "a".parse().unwrap()).start().unwrap();
    client.set_location(Some(UNSEEN));
    client.begin_stop(Duration::ZERO);
    while let Ok(Some(event)) = client.next_event_timeout(LONG) {
        is_clean(&event);
        is_clean(serde_json::to_string(&event).unwrap());
    }
}

#[test]
fn no_file_and_nothing_that_was_stored_puts_one_into_an_event_or_a_log() {
    let folder = tempfile::tempdir().unwrap();
    let names = |name: &str| folder.path().join(format!("{name} {}", in_a_path()));
    // A bundle that is none, one that is a folder, and one that is not there.
    fs::write(names("none"), format!("-----BEGIN {UNSEEN}-----\n{UNSEEN}\n-----END {UNSEEN}-----\n"))
        .unwrap();
    fs::create_dir(names("folder")).unwrap();
    for name in ["none", "folder", "nowhere"] {
        let settings = settings(&json!({ "roots": [{ "bundle": names(name) }] }), "m.example");
        let error = Client::builder(settings, "a".parse().unwrap()).start().unwrap_err();
        assert!(is_clean(&error).contains(SHOWN), "{error}");
    }
    // A state folder that is a file, and one in which something else was stored.
    fs::create_dir(names("state")).unwrap();
    #[cfg(unix)]
    fs::set_permissions(names("state"), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    for name in ["memory", "floor"] {
        fs::write(names("state").join(name), format!("{{ \"version\": \"{UNSEEN}\" }}")).unwrap();
    }
    for name in ["none", "state"] {
        let log: Arc<Mutex<String>> = Arc::default();
        let written = Arc::clone(&log);
        let client = Client::builder(settings(&json!({}), "127.0.0.1"), "a".parse().unwrap())
            .state_folder(names(name))
            .on_log(LogLevel::Trace, move |_, line| *written.lock().unwrap() += &is_clean(line))
            .start()
            .unwrap();
        client.begin_stop(Duration::ZERO);
        let mut page = String::new();
        while let Ok(Some(event)) = client.next_event_timeout(LONG) {
            is_clean(&event);
            page += &is_clean(serde_json::to_string(&event).unwrap());
        }
        let told = page + &log.lock().unwrap();
        let words = if name == "none" { SHOWN } else { "damaged" };
        assert!(told.contains(words) || told.contains(IN_JSON), "{name}: {told}");
    }
}
