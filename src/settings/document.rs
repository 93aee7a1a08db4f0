//! The shape of the JSON text. Nothing but names: what the text means is worked out in
//! [`resolve`](super::resolve).
//!
//! Whatever may be absent is an `Option`, because "not written" and "written as the default" differ:
//! the first leaves the word to the level above. The JSON Schema in `docs/settings.schema.json` is
//! generated from these types, and the sentences here are its descriptions.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};

use super::value::{
    Address, ChainDepth, Description, DownloadWindow, File, HeartbeatInterval, Ip, KeyHash, Name, Object,
    Port, ReferenceLimit, WarningDays, Weight, Word,
};
use super::{Mode, PinState, Profile, Protocol, RevocationScope, Situation};
use crate::types::Proof;

/// What must be understood before anything else is read: a document of another version may differ in everything.
#[derive(Debug, Deserialize)]
pub(super) struct Header {
    pub(super) version: Option<serde_json::Number>,
    pub(super) requires: Option<Vec<String>>,
}

/// Settings of an agent: its management servers, and how it talks to them in which location.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(title = "homing settings", deny_unknown_fields))]
pub(super) struct Document {
    /// Where an editor finds this schema. Means nothing to an agent.
    #[expect(dead_code, reason = "for editors; here for the schema and for the strict reading")]
    #[serde(rename = "$schema")]
    schema: Option<Description>,
    /// The version of this format. Default 1, the only one there is.
    #[expect(dead_code, reason = "judged with the header; here for the schema and for the strict reading")]
    #[cfg_attr(test, schemars(with = "Option<u8>", extend("enum" = [1, null])))]
    version: Option<serde_json::Number>,
    /// What a reader must know how to do. Whoever does not know a name here refuses the document. There are no names yet.
    #[expect(dead_code, reason = "judged with the header; here for the schema and for the strict reading")]
    requires: Option<Vec<String>>,
    /// Which edition it is: of two signed ones an agent takes the one with the higher number. Needed where settings are signed.
    pub(super) serial: Option<u64>,
    /// For whom it is, in words of the customer's. A signed one for another audience is refused.
    pub(super) audience: Option<Name>,
    /// Switches that hold for the whole site.
    pub(super) site: Option<Object<Site>>,
    /// How servers prove who they are, where nothing below says otherwise. Default: public roots.
    pub(super) certificate: Option<Object<Certificate>>,
    /// The management server lists; at least one server in all.
    #[cfg_attr(test, schemars(length(min = 1, max = 64)))]
    pub(super) server_lists: Vec<Object<ServerList>>,
    /// Servers that show where the machine is, and nothing more.
    pub(super) reference_servers: Option<Object<ReferenceServers>>,
    /// What it takes to be inside.
    pub(super) location: Option<Object<LocationRules>>,
    /// The agent's group.
    pub(super) group: Option<Object<Group>>,
    /// The group's locations; the first whose `when` fits is in force.
    #[cfg_attr(test, schemars(length(max = 64)))]
    pub(super) locations: Option<Vec<Object<Location>>>,
}

/// Switches that hold for the whole site.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
pub(super) struct Site {
    /// Whether any group or location may learn applications. Default false.
    pub(super) learn_applications: Option<bool>,
}

/// How a server proves who it is. Replaces the `certificate` of the level above as a whole.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
pub(super) struct Certificate {
    /// Whom to believe. Default `["public"]`.
    #[cfg_attr(test, schemars(length(min = 1, max = 16)))]
    pub(super) roots: Option<Vec<Root>>,
    /// Public keys of which one must occur in the chain.
    #[cfg_attr(test, schemars(length(max = 32)))]
    pub(super) pins: Option<Vec<Object<Pin>>>,
    /// Whether the pins alone decide, without any root. Default false.
    pub(super) pin_only: Option<bool>,
    /// The name the certificate must carry, instead of the server's address.
    pub(super) expected_name: Option<Address>,
    /// Files with certificate revocation lists.
    #[cfg_attr(test, schemars(length(max = 16)))]
    pub(super) crls: Option<Vec<File>>,
    /// How the revocation lists are used; only beside `crls`.
    pub(super) revocation: Option<Object<Revocation>>,
    /// The most certificates between the server's own and the root. Default: no limit but that of all, six.
    pub(super) max_chain_depth: Option<ChainDepth>,
    /// Whether a root has to be within its own validity. Default false.
    pub(super) enforce_root_validity: Option<bool>,
    /// How strictly the certificates themselves are looked at. Default `standard`.
    pub(super) profile: Option<Word<Profile>>,
    /// How many days before the end of a root or of the agent's own certificate it is mentioned. Default 30.
    pub(super) expiry_warning_days: Option<WarningDays>,
    /// The agent's own certificate.
    pub(super) client: Option<Object<ClientCertificate>>,
    /// Whether TLS 1.2 is refused. Default false.
    pub(super) tls13_only: Option<bool>,
    /// Whether nothing is verified at all. Anybody on the way can then be the server. Default false.
    pub(super) danger_no_verification: Option<bool>,
}

/// How revocation lists are used.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
pub(super) struct Revocation {
    /// Whose status is looked up. Default `chain`.
    pub(super) scope: Option<Word<RevocationScope>>,
    /// Whether a certificate is believed about which no list says anything. Default false.
    pub(super) allow_unknown_status: Option<bool>,
    /// Whether a list is used after the next one was due. Default false.
    pub(super) allow_expired_lists: Option<bool>,
}

/// Whom to believe.
#[derive(Debug)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename_all = "lowercase"))]
pub(super) enum Root {
    /// The public certificate authorities, as compiled in.
    Public,
    /// The certificate authorities the operating system trusts.
    System,
    /// The certificate authorities in this PEM file.
    Bundle(File),
    /// Exactly the certificate in this PEM file.
    Exact(File),
}

/// The written forms of [`Root::Bundle`] and [`Root::Exact`].
#[derive(Debug, Deserialize)]
struct RootFile {
    bundle: Option<File>,
    exact: Option<File>,
}

/// A public key.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
pub(super) struct Pin {
    /// Which key.
    pub(super) sha256: KeyHash,
    /// What it is for. Default `active`.
    pub(super) state: Option<Word<PinState>>,
}

/// The agent's own certificate.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
pub(super) struct ClientCertificate {
    /// PEM file with the certificate and what is needed up to the root.
    pub(super) certificate: File,
    /// PEM file with its private key.
    pub(super) key: File,
}

/// A list of management servers.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
pub(super) struct ServerList {
    /// Its name; no two lists have the same.
    pub(super) name: Name,
    /// What it is for, in words.
    pub(super) description: Option<Description>,
    /// How its servers prove who they are. Default: as the document says.
    pub(super) certificate: Option<Object<Certificate>>,
    /// Best first: a later one is used when no server of the earlier ones is available.
    #[cfg_attr(test, schemars(length(max = 256)))]
    pub(super) priorities: Vec<Object<Priority>>,
}

/// Servers that are equally good.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
pub(super) struct Priority {
    /// The servers; clients spread over them by weight.
    pub(super) servers: Option<Vec<Object<Server>>>,
}

/// A management server.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
pub(super) struct Server {
    /// IPv4 or IPv6 address, host name or fully qualified domain name.
    pub(super) address: Address,
    /// Default `https`.
    pub(super) protocol: Option<Word<Protocol>>,
    /// The port when the protocol is `http`. Default 8014.
    pub(super) http_port: Option<Port>,
    /// The port when the protocol is `https`. Default 443.
    pub(super) https_port: Option<Port>,
    /// Its share of the clients of its priority; 0 = only if nothing else. Default 1.
    pub(super) weight: Option<Weight>,
    /// Its name for ever, also when address or port change. Default: protocol, address and port.
    pub(super) id: Option<Name>,
    /// Whether an exchange with it shows that the machine is inside. Default: true, but false when it
    /// stands only in lists of locations whose `when` excludes inside.
    pub(super) inside: Option<bool>,
    /// How it proves who it is. Default: as its list says.
    pub(super) certificate: Option<Object<Certificate>>,
}

/// Servers that show where the machine is, and nothing more.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
pub(super) struct ReferenceServers {
    /// Whether they are asked. Default true.
    pub(super) enabled: Option<bool>,
    /// How many may be written. Default 32.
    pub(super) limit: Option<ReferenceLimit>,
    /// The servers, in the order in which they are asked.
    #[cfg_attr(test, schemars(length(max = 320)))]
    pub(super) servers: Option<Vec<Object<ReferenceServer>>>,
}

/// A server whose answer shows that the machine is inside.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
pub(super) struct ReferenceServer {
    /// IPv4 or IPv6 address, host name or fully qualified domain name.
    pub(super) address: Address,
    /// Its ports, in the order in which they are tried. Default `[443]`.
    #[cfg_attr(test, schemars(length(min = 1, max = 16)))]
    pub(super) ports: Option<Vec<Port>>,
    /// What it proves. Default `tls`.
    pub(super) proof: Option<Word<Proof>>,
    /// How it proves it. Default: as the document says.
    pub(super) certificate: Option<Object<Certificate>>,
}

/// What it takes to be inside.
#[derive(Debug, Deserialize, Default)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
pub(super) struct LocationRules {
    /// The weakest proof that gives `internal`. Default `tls`.
    pub(super) required_proof: Option<Word<Proof>>,
    /// Whether an exchange with a management server counts. Default true.
    pub(super) management_server_counts: Option<bool>,
    /// Whether an answer through a tunnel gives plain `internal`. Default false.
    pub(super) tunnel_proves_internal: Option<bool>,
    /// Addresses at which nobody may answer, at most one of each family. Default 192.0.2.1 and 2001:db8::1.
    #[cfg_attr(test, schemars(length(max = 2)))]
    pub(super) control: Option<Vec<Ip>>,
}

/// The agent's group.
#[derive(Debug, Deserialize, Default)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
pub(super) struct Group {
    /// Its name.
    pub(super) name: Option<Name>,
    /// The name of its server list. Default: the only list, or every server at one priority.
    pub(super) server_list: Option<Name>,
    /// Whether policies and content come from the management server. Default true.
    pub(super) download_from_management_server: Option<bool>,
    /// Whether settings are taken from a server that was not verified: true also unsigned ones, false none. Default: signed ones.
    pub(super) accept_settings_over_http: Option<bool>,
    /// What is offered when the agent registers again.
    pub(super) reconnection: Option<Object<Reconnection>>,
    /// How the agent talks to the server.
    pub(super) communication: Option<Object<Communication>>,
}

/// What is offered when the agent registers again.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
pub(super) struct Reconnection {
    /// Whether the last-used group is. Default false.
    pub(super) keep_group: Option<bool>,
    /// Whether the last-used user or computer mode is. Default false.
    pub(super) keep_mode: Option<bool>,
}

/// How the agent talks to the server. What a location leaves out is the group's.
#[derive(Debug, Deserialize, Default)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
pub(super) struct Communication {
    /// Whether the agent communicates at all. Default true.
    pub(super) enabled: Option<bool>,
    /// Whether changes are learned at heartbeats or at once. Default `pull`.
    pub(super) mode: Option<Word<Mode>>,
    /// Mean time between two heartbeats, 10 s to 24 h. Default `"300s"`.
    pub(super) heartbeat_interval: Option<HeartbeatInterval>,
    /// Whether critical reports leave at once. Default true.
    pub(super) upload_critical_immediately: Option<bool>,
    /// Whether applications are learned, if the site allows it. Default false.
    pub(super) learn_applications: Option<bool>,
    /// Whether and how content downloads are spread over time.
    pub(super) download_randomisation: Option<Object<DownloadRandomisation>>,
}

/// Whether and how content downloads are spread over time.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
pub(super) struct DownloadRandomisation {
    /// Whether they are. Default true.
    pub(super) enabled: Option<bool>,
    /// Over how long, 1 s to 24 h. Default `"300s"`.
    pub(super) window: Option<DownloadWindow>,
}

/// Where the agent may be, and what is different there.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
pub(super) struct Location {
    /// Its name; no two locations have the same.
    pub(super) name: Name,
    /// In which situations it applies. Empty: only when the product names it.
    pub(super) when: Option<Vec<Word<Situation>>>,
    /// The name of its server list. Default: the group's.
    pub(super) server_list: Option<Name>,
    /// What is different from the group's communication.
    pub(super) communication: Option<Object<Communication>>,
}

impl<'de> Deserialize<'de> for Root {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RootVisitor)
    }
}

struct RootVisitor;

impl<'de> Visitor<'de> for RootVisitor {
    type Value = Root;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"public\", \"system\", { \"bundle\": FILE } or { \"exact\": FILE }")
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<Root, E> {
        match word {
            "public" => Ok(Root::Public),
            "system" => Ok(Root::System),
            _ => Err(E::invalid_value(Unexpected::Str(word), &self)),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<Root, A::Error> {
        match RootFile::deserialize(MapAccessDeserializer::new(fields))? {
            RootFile { bundle: Some(file), exact: None } => Ok(Root::Bundle(file)),
            RootFile { bundle: None, exact: Some(file) } => Ok(Root::Exact(file)),
            RootFile { .. } => Err(A::Error::custom("one of `bundle` and `exact` is wanted, with a file")),
        }
    }
}
