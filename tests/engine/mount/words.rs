//! What the engine says in Rust, in the words and numbers of C.

use std::time::Duration;

use homing::engine::{Action, Target};
use homing::ffi::*;
use homing::settings::Protocol;
use homing::types::{
    AccountMode, CertificatePolicyId, Listening, Name, Proof, Purpose, Request, Route, SettingsId,
};

/// As long as C can say.
pub(super) fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

pub(super) const fn proof_code(proof: Proof) -> i32 {
    match proof {
        Proof::Tcp => HOMING_PROOF_TCP,
        Proof::Tls => HOMING_PROOF_TLS,
        Proof::Pin => HOMING_PROOF_PIN,
    }
}

pub(super) const fn way(route: Route) -> i32 {
    match route {
        Route::Direct => HOMING_ROUTE_DIRECT,
        Route::Proxy(index) => index as i32,
    }
}

pub(super) fn mode_code(mode: Option<AccountMode>) -> i32 {
    match mode {
        None => 0,
        Some(AccountMode::User) => HOMING_ACCOUNT_USER,
        Some(AccountMode::Computer) => HOMING_ACCOUNT_COMPUTER,
    }
}

/// The names of a registration.
pub(super) fn registration(names: [Option<&str>; 3]) -> String {
    format!(" registers {names:?}")
}

fn said(request: &Request) -> String {
    let Request::Register(said) = request else { return String::new() };
    let identity = &said.identity;
    let name = |name: &Option<Name>| name.as_ref().map(ToString::to_string);
    let names = [&identity.user, &identity.preferred_group, &said.last_group].map(name);
    let [user, preferred, last] = &names;
    let names = registration([user.as_deref(), preferred.as_deref(), last.as_deref()]);
    format!("{names} {} {}", mode_code(identity.preferred_mode), mode_code(said.last_mode))
}

/// What an action says, in the words in which the mount tells it of C.
pub(super) fn tell(action: &Action) -> String {
    match action {
        Action::Resolve { query, host } => format!("resolve {} {host}", query.0),
        Action::Dial { link, server, certificate_policy: policy, to, stagger, route } => format!(
            "dial {} {} {}:{} tls {} policy {}.{} to {to:?} stagger {} route {}",
            link.0,
            server.id,
            server.host,
            server.port,
            u32::from(server.protocol == Protocol::Https),
            policy.settings.0,
            policy.index,
            stagger.as_nanos(),
            way(*route),
        ),
        Action::Exchange { exchange, link, request: told, deadline, next } => {
            let (request, search) = match told {
                Request::Heartbeat { purpose: Purpose::Attach { search } } => {
                    (HOMING_REQUEST_ATTACH, *search)
                }
                Request::Heartbeat { purpose: Purpose::Beat } => (HOMING_REQUEST_BEAT, 0),
                Request::Heartbeat { purpose: Purpose::Probe } => (HOMING_REQUEST_PROBE, 0),
                Request::Listen(Listening::Stream { silence: wait }) => {
                    (HOMING_REQUEST_LISTEN, milliseconds(*wait))
                }
                Request::Listen(Listening::Poll { wait }) => (HOMING_REQUEST_POLL, milliseconds(*wait)),
                Request::Settings { .. } => (HOMING_REQUEST_SETTINGS, 0),
                Request::Policy { .. } => (HOMING_REQUEST_POLICY, 0),
                Request::Upload { at_most, .. } => (HOMING_REQUEST_UPLOAD, u64::from(*at_most)),
                Request::Register(_) => (HOMING_REQUEST_REGISTER, 0),
                Request::Call { call, .. } => (HOMING_REQUEST_CALL, call.0),
                _ => unreachable!("{told:?}"),
            };
            let lane = if let Request::Upload { lane, .. } = told { *lane as i32 + 1 } else { 0 };
            let next = next.unwrap_or_default().as_nanos();
            format!(
                "exchange {} {} {request} {search} lane {lane} {} next {next}{}",
                exchange.0,
                link.0,
                deadline.as_nanos(),
                said(told)
            )
        }
        Action::Probe { probe, target, to, proof, deadline } => {
            let (reference, host, policy) = match target {
                Target::Reference { server, host, certificate_policy } => {
                    (u32::from(*server) + 1, host.to_string(), *certificate_policy)
                }
                Target::Management { host, certificate_policy } => {
                    (HOMING_REFERENCE_MANAGEMENT, host.to_string(), *certificate_policy)
                }
                Target::Control { like } => {
                    let like = like.map_or("-".to_owned(), |like| like.to_string());
                    (0, like, CertificatePolicyId { settings: SettingsId(0), index: 0 })
                }
                other => panic!("{other:?}"),
            };
            format!(
                "probe {} {reference} {host} policy {}.{} to [{to}] proof {} {}",
                probe.0,
                policy.settings.0,
                policy.index,
                proof_code(*proof),
                deadline.as_nanos()
            )
        }
        Action::CancelProbe { probe } => format!("cancel {}", probe.0),
        Action::Adopt { exchange } => format!("adopt {}", exchange.0),
        Action::Abandon { exchange, ending } => format!("abandon {} {}", exchange.0, *ending as i32 + 1),
        Action::Close { link, ending } => format!("close {} {}", link.0, *ending as i32 + 1),
        Action::Release { settings } => format!("release {}", settings.0),
        Action::LearnApplications { enabled } => format!("learn {}", u32::from(*enabled)),
        Action::Remember { version } => format!("remember {version}"),
        other => panic!("the C functions do not know {other:?}"),
    }
}
