//! The findings as a page, and as JSON.

use std::path::Path;
use std::sync::Arc;

use homing::settings::{Protocol, ReferenceServer, Server, ServerList, Settings};
use homing::types::Printable;
use serde_json::{Value, json};

use super::findings::Findings;
use super::terminal::{Tone, page, painted, say, wrapped};

/// Prints the page.
pub(crate) fn print(file: &Path, findings: &Findings) {
    let file = Printable(file.display());
    for (what, tone, texts) in [
        ("error", Tone::Bad, &findings.errors),
        ("warning", Tone::Warning, &findings.warnings),
        ("not enforced", Tone::Warning, &findings.not_enforced),
    ] {
        for text in texts {
            let text = if what == "error" { format!("{file}: {text}") } else { text.clone() };
            say!("{} {}", painted(&format!("{what}:"), tone), wrapped(&text, what.len() + 2));
        }
    }
    if let Some(settings) = &findings.settings {
        lists(settings);
        references(settings);
        levels(settings);
    }
    say!();
    match findings.status() {
        0 => say!("{file}: {}", painted("all is well", Tone::Good)),
        1 => {
            let count = findings.warnings.len() + findings.not_enforced.len();
            say!("{file}: {}", painted(&format!("can be used, with {count} warnings"), Tone::Warning));
        }
        _ => say!("{file}: {}", painted("cannot be used", Tone::Bad)),
    }
}

fn heading(text: &str) {
    say!("\n{}", painted(&wrapped(text, 0), Tone::Heading));
}

fn lists(settings: &Settings) {
    for list in every_list(settings) {
        heading(&match &list.name {
            Some(name) => format!("server list {name}"),
            None => "where no list is assigned: every known server, all with one priority".to_owned(),
        });
        let width = list.servers().map(|(_, server)| server.id.as_str().chars().count()).max().unwrap_or(0);
        for (priority, server) in list.servers() {
            let address = format!("{}://{}", server.protocol, authority(server));
            let proof = match server.protocol {
                Protocol::Https => settings.policy_place(usize::from(server.policy)),
                Protocol::Http => "not verified: plain http",
            };
            page(&format!(
                "  priority {}  {:<width$}  {address}  weight {}  {proof}",
                priority + 1,
                server.id.as_str(),
                server.weight
            ));
        }
    }
}

/// Those that were written, and the default one if it is in force somewhere and nobody wrote it.
fn every_list(settings: &Settings) -> Vec<Arc<ServerList>> {
    let in_force = places(settings).into_iter().map(|place| settings.effective(place).server_list.value);
    let default = in_force.into_iter().find(|list| list.name.is_none());
    settings.lists().iter().cloned().chain(default).collect()
}

fn authority(server: &Server) -> String {
    let host = server.host.to_string();
    if host.contains(':') { format!("[{host}]:{}", server.port) } else { format!("{host}:{}", server.port) }
}

fn references(settings: &Settings) {
    let servers = settings.reference_servers();
    if servers.is_empty() {
        return;
    }
    heading("reference servers");
    for ReferenceServer { host, ports, proof, .. } in servers {
        let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
        page(&format!("  {host}  ports {}  proof {}", ports.join(", "), proof.word()));
    }
}

fn levels(settings: &Settings) {
    for place in places(settings) {
        heading(&match place {
            Some(location) => format!("in force in location {location}, and the level that wrote it"),
            None => "in force for the group, and the level that wrote it".to_owned(),
        });
        for (field, value, from) in effective(settings, place) {
            page(&format!("  {field:<32} {value:<24} {from}"));
        }
    }
}

fn places(settings: &Settings) -> Vec<Option<&str>> {
    [None].into_iter().chain(settings.locations().map(|name| Some(&**name))).collect()
}

/// Field, value and level of everything that is in force.
fn effective(settings: &Settings, place: Option<&str>) -> Vec<(String, String, String)> {
    let Ok(Value::Object(fields)) = serde_json::to_value(settings.effective(place)) else {
        return Vec::new();
    };
    let word = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Null => "none".to_owned(),
        Value::Object(list) => {
            list.get("name").and_then(Value::as_str).unwrap_or("every known server").to_owned()
        }
        other @ (Value::Bool(_) | Value::Number(_) | Value::Array(_)) => other.to_string(),
    };
    fields
        .iter()
        .filter(|(name, _)| *name != "location")
        .map(|(name, chosen)| (name.clone(), word(&chosen["value"]), word(&chosen["from"])))
        .collect()
}

/// The findings as one JSON object.
pub(crate) fn json(file: &Path, findings: &Findings) -> Value {
    let mut report = json!({
        "file": Printable(file.display()).to_string(),
        "status": findings.status(),
        "errors": findings.errors,
        "warnings": findings.warnings,
        "not_enforced": findings.not_enforced,
    });
    if let Some(settings) = &findings.settings {
        let server = |(priority, server): (usize, &Arc<Server>)| {
            json!({
                "priority": priority + 1, "id": server.id.as_str(), "protocol": server.protocol,
                "host": server.host.to_string(), "port": server.port, "weight": server.weight,
                "inside": server.inside, "certificate": settings.policy_place(usize::from(server.policy)),
            })
        };
        let list = |list: &ServerList| json!({ "name": list.name, "servers": list.servers().map(server).collect::<Vec<_>>() });
        let reference = |server: &ReferenceServer| json!({ "host": server.host.to_string(), "ports": server.ports, "proof": server.proof.word() });
        report["server_lists"] = every_list(settings).iter().map(|one| list(one)).collect();
        report["reference_servers"] = settings.reference_servers().iter().map(reference).collect();
        report["effective"] =
            places(settings).into_iter().map(|place| json!(settings.effective(place))).collect();
    }
    report
}
