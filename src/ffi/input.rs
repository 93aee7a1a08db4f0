//! What a driver tells its engine.

use std::ffi::c_char;
use std::sync::Arc;
use std::time::Duration;

use super::address::homing_address;
use super::boundary::{number, reference, status};
use super::engine::{give, hear, homing_engine, name};
use super::failure::{homing_failure, read_failure};
use super::medium::read_medium;
use super::outbox::read_lane;
use super::outcome::{homing_outcome, read_news, read_outcome};
use super::proof::read_proof;
use super::settings::homing_settings;
use super::status::{Failed, HOMING_ERROR_RANGE, homing_status};
use super::text;
use crate::engine::{Command, Input, MAX_ADDRESSES, NetworkChange, Reached, Turn};
use crate::types::{Backlog, ExchangeId, LinkId, NetworkId, ProbeId, QueryId, SettingsId, Via};

/// The network changed: there is, or may be, a usable one.
pub const HOMING_NETWORK_CHANGED: i32 = 1;
/// There is no address beyond link-local, or no route.
pub const HOMING_NETWORK_GONE: i32 = 2;
/// The network changed or came back, and it is the one that was there before. Who cannot tell says
/// `HOMING_NETWORK_CHANGED`.
pub const HOMING_NETWORK_RETURNED: i32 = 3;

/// Something changed, and the ways to the reference servers did not: the default route, say, or the way to a management
/// server.
pub const HOMING_NETWORK_ELSEWHERE: i32 = 4;

/// No certificate that vouches for a connection ends, or a driver cannot tell when one does.
pub const HOMING_VALID_FOR_EVER: u64 = u64::MAX;

/// The time that `homing_engine_deadline` named has come. Early or late is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_engine_timeout(engine: *mut homing_engine, now_ns: u64) -> homing_status {
    // SAFETY: the caller's promise.
    unsafe { status(|| hear(engine, now_ns, Input::Timeout)) }
}

/// The look-up `query` has to wait for others: the time limit of names does not count for it, that of the whole attempt does.
/// A driver that begins every look-up at once never says this.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_engine_look_up_waits(
    engine: *mut homing_engine,
    now_ns: u64,
    query: u64,
) -> homing_status {
    let input = Input::LookUp { query: QueryId(query), turn: Turn::Waits };
    // SAFETY: the caller's promise.
    unsafe { status(|| hear(engine, now_ns, input)) }
}

/// The look-up `query`, which had to wait, begins: its time limit counts from now.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_engine_look_up_begins(
    engine: *mut homing_engine,
    now_ns: u64,
    query: u64,
) -> homing_status {
    let input = Input::LookUp { query: QueryId(query), turn: Turn::Begins };
    // SAFETY: the caller's promise.
    unsafe { status(|| hear(engine, now_ns, input)) }
}

/// The look-up `query` ended with these addresses, in the order the system gave them; their ports are ignored, and what
/// is beyond the first 64 is not read. None means that the name does not exist.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_engine_resolved(
    engine: *mut homing_engine,
    now_ns: u64,
    query: u64,
    addresses: *const homing_address,
    count: usize,
) -> homing_status {
    // SAFETY: the caller's promises, here and below.
    unsafe {
        status(|| {
            let addresses =
                text::array(addresses, count.min(4 * MAX_ADDRESSES), 4 * MAX_ADDRESSES, "addresses")?;
            let addresses: Vec<_> = addresses.iter().map(homing_address::ip).collect::<Result<_, _>>()?;
            hear(engine, now_ns, Input::Resolved { query: QueryId(query), answer: Ok(&addresses) })
        })
    }
}

/// The look-up `query` failed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_engine_resolve_failed(
    engine: *mut homing_engine,
    now_ns: u64,
    query: u64,
    failure: *const homing_failure,
) -> homing_status {
    // SAFETY: the caller's promises, here and below.
    unsafe {
        status(|| {
            let failure = read_failure(failure)?;
            hear(engine, now_ns, Input::Resolved { query: QueryId(query), answer: Err(failure) })
        })
    }
}

/// The connection `link` stands, with this address, over this: `HOMING_MEDIUM_…`. Of a connection through a proxy it is what
/// leads to the proxy.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_engine_connected(
    engine: *mut homing_engine,
    now_ns: u64,
    link: u64,
    peer: *const homing_address,
    medium: i32,
) -> homing_status {
    // SAFETY: the caller's promises, here and below.
    unsafe {
        status(|| {
            let via = Via { peer: reference(peer, "peer")?.socket()?, medium: read_medium(medium)? };
            hear(engine, now_ns, Input::Connected { link: LinkId(link), via })
        })
    }
}

/// The question `probe` was answered at `peer`, with this proof: `HOMING_PROOF_…`, over this: `HOMING_MEDIUM_…`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_engine_probed(
    engine: *mut homing_engine,
    now_ns: u64,
    probe: u64,
    proof: i32,
    peer: *const homing_address,
    medium: i32,
) -> homing_status {
    // SAFETY: the caller's promises, here and below.
    unsafe {
        status(|| {
            let proof = read_proof(proof)?;
            let via = Via { peer: reference(peer, "peer")?.socket()?, medium: read_medium(medium)? };
            let answer = Ok(Reached { proof, via });
            hear(engine, now_ns, Input::Probed { probe: ProbeId(probe), answer })
        })
    }
}

/// The question `probe` was not answered as it has to be.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_engine_probe_failed(
    engine: *mut homing_engine,
    now_ns: u64,
    probe: u64,
    failure: *const homing_failure,
) -> homing_status {
    // SAFETY: the caller's promises, here and below.
    unsafe {
        status(|| {
            let answer = Err(read_failure(failure)?);
            hear(engine, now_ns, Input::Probed { probe: ProbeId(probe), answer })
        })
    }
}

/// Asks the reference servers now, whatever is known already.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_engine_probe_now(engine: *mut homing_engine, now_ns: u64) -> homing_status {
    // SAFETY: the caller's promise.
    unsafe { status(|| hear(engine, now_ns, Input::Command(Command::ProbeNow))) }
}

/// TLS stands on the connection `link`, and the peer has proved what `proof` says: `HOMING_PROOF_…`. `valid_for_ms`: for how
/// much longer every certificate that vouches for it is valid (`homing_judgement_valid_for_ms`); after that the connection is
/// not used any more. `HOMING_VALID_FOR_EVER` when none ends, or the driver cannot tell.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_engine_secured(
    engine: *mut homing_engine,
    now_ns: u64,
    link: u64,
    proof: i32,
    valid_for_ms: u64,
) -> homing_status {
    // SAFETY: the caller's promises, here and below.
    unsafe {
        status(|| {
            let proof = read_proof(proof)?;
            let ends = valid_for_ms != HOMING_VALID_FOR_EVER;
            let valid_for = ends.then(|| Duration::from_millis(valid_for_ms));
            hear(engine, now_ns, Input::Secured { link: LinkId(link), proof, valid_for })
        })
    }
}

/// The connection `link` is gone, with whatever was under way on it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_engine_lost(
    engine: *mut homing_engine,
    now_ns: u64,
    link: u64,
    failure: *const homing_failure,
) -> homing_status {
    // SAFETY: the caller's promises, here and below.
    unsafe {
        status(|| {
            let failure = read_failure(failure)?;
            hear(engine, now_ns, Input::Lost { link: LinkId(link), failure })
        })
    }
}

/// The first byte of the answer of `exchange` arrived.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_engine_first_byte(
    engine: *mut homing_engine,
    now_ns: u64,
    exchange: u64,
) -> homing_status {
    // SAFETY: the caller's promise.
    unsafe { status(|| hear(engine, now_ns, Input::FirstByte { exchange: ExchangeId(exchange) })) }
}

/// The exchange ended and its link stands. When the link does not, `homing_engine_lost` follows.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_engine_done(
    engine: *mut homing_engine,
    now_ns: u64,
    exchange: u64,
    outcome: *const homing_outcome,
) -> homing_status {
    // SAFETY: the caller's promises, here and below.
    unsafe {
        status(|| {
            let outcome = read_outcome(outcome)?;
            hear(engine, now_ns, Input::Done { exchange: ExchangeId(exchange), outcome })
        })
    }
}

/// Something was said in the answer of `exchange`, which listens: `HOMING_NEWS_…`. Nothing is heard before `HOMING_NEWS_HELLO`.
/// `about` is NUL-terminated UTF-8, at most 1,024 bytes: the entity tag, or the name of the content or the command; for other news
/// NULL. `within_ms`: for `HOMING_NEWS_DRAIN` the time in which the server asks to be left, for `HOMING_NEWS_SETTINGS` and
/// `HOMING_NEWS_POLICY` the time over which agents are to spread their reads; else 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_engine_notice(
    engine: *mut homing_engine,
    now_ns: u64,
    exchange: u64,
    kind: i32,
    about: *const c_char,
    within_ms: u64,
) -> homing_status {
    // SAFETY: the caller's promises, here and below.
    unsafe {
        status(|| {
            let news = read_news(kind, about, within_ms)?;
            hear(engine, now_ns, Input::Notice { exchange: ExchangeId(exchange), news })
        })
    }
}

/// So much waits in a lane of the driver's outbox, `HOMING_LANE_…`, now. To be said when a lane that was empty has something,
/// whenever a critical report comes, and before the end of each upload.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_engine_waiting(
    engine: *mut homing_engine,
    now_ns: u64,
    lane: i32,
    reports: u64,
    bytes: u64,
) -> homing_status {
    // SAFETY: the caller's promise.
    unsafe {
        status(|| {
            let lane = read_lane(lane)?;
            hear(engine, now_ns, Input::Waiting { lane, backlog: Backlog { reports, bytes } })
        })
    }
}

/// The network changed: `HOMING_NETWORK_…`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_engine_network_changed(
    engine: *mut homing_engine,
    now_ns: u64,
    change: i32,
) -> homing_status {
    // SAFETY: the caller's promises, here and below.
    unsafe {
        status(|| {
            let change = match change {
                HOMING_NETWORK_CHANGED => NetworkChange::Changed,
                HOMING_NETWORK_GONE => NetworkChange::Gone,
                HOMING_NETWORK_RETURNED => NetworkChange::Returned,
                HOMING_NETWORK_ELSEWHERE => NetworkChange::Elsewhere,
                other => {
                    return Err(Failed::new(HOMING_ERROR_RANGE, format!("`change` {other} is no change")));
                }
            };
            hear(engine, now_ns, Input::Network(change))
        })
    }
}

/// The machine is on this network now, or has been all the time: the same number whenever it is on that network again, made by
/// the driver of what distinguishes networks, such as the gateway and its link address. What worked there is tried first. NULL:
/// the driver cannot tell. To be said with each `homing_engine_network_changed`, before or after it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_engine_on_network(
    engine: *mut homing_engine,
    now_ns: u64,
    network: *const u64,
) -> homing_status {
    // SAFETY: the caller's promises, here and below.
    unsafe {
        status(|| {
            let network = number(network).map(NetworkId);
            hear(engine, now_ns, Input::OnNetwork(network))
        })
    }
}

/// The machine was suspended and runs again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_engine_resumed(engine: *mut homing_engine, now_ns: u64) -> homing_status {
    // SAFETY: the caller's promise.
    unsafe { status(|| hear(engine, now_ns, Input::Resumed)) }
}

/// The wall clock was set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_engine_clock_stepped(
    engine: *mut homing_engine,
    now_ns: u64,
) -> homing_status {
    // SAFETY: the caller's promise.
    unsafe { status(|| hear(engine, now_ns, Input::ClockStepped)) }
}

/// This version of the memory is stored.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_engine_remembered(
    engine: *mut homing_engine,
    now_ns: u64,
    version: u64,
) -> homing_status {
    // SAFETY: the caller's promise.
    unsafe { status(|| hear(engine, now_ns, Input::Remembered(version))) }
}

/// This version of the memory could not be stored.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_engine_cannot_remember(
    engine: *mut homing_engine,
    now_ns: u64,
    version: u64,
) -> homing_status {
    // SAFETY: the caller's promise.
    unsafe { status(|| hear(engine, now_ns, Input::CannotRemember(version))) }
}

/// Make a heartbeat now; when nothing is attached, try now. A heartbeat or a search that is under way is the answer already:
/// a driver that has something newer to say asks again when that has ended.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_engine_beat_now(engine: *mut homing_engine, now_ns: u64) -> homing_status {
    // SAFETY: the caller's promise.
    unsafe { status(|| hear(engine, now_ns, Input::Command(Command::BeatNow))) }
}

/// The product has taken the policy of this entity tag over for good: NUL-terminated UTF-8, at most 256 bytes. An empty or
/// longer tag changes nothing and is counted as a stale input.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_engine_confirm_policy(
    engine: *mut homing_engine,
    now_ns: u64,
    tag: *const c_char,
) -> homing_status {
    // SAFETY: the caller's promises, here and below.
    unsafe {
        status(|| {
            let tag = text::required(tag, "tag")?.into();
            hear(engine, now_ns, Input::Command(Command::ConfirmPolicy(tag)))
        })
    }
}

/// The driver has other credentials from now on: a server that refused the old ones has not refused these.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_engine_new_credentials(
    engine: *mut homing_engine,
    now_ns: u64,
) -> homing_status {
    // SAFETY: the caller's promise.
    unsafe { status(|| hear(engine, now_ns, Input::Command(Command::NewCredentials))) }
}

/// Use these settings from now on; they may be freed afterwards. The engine keeps its server when they still name it.
///
/// Each call that returns `HOMING_OK` counts: the n-th gives the settings the number n, which actions name until
/// `HOMING_ACTION_RELEASE` does.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_engine_reconfigure(
    engine: *mut homing_engine,
    now_ns: u64,
    settings: *const homing_settings,
) -> homing_status {
    // SAFETY: the caller's promises, here and below.
    unsafe {
        status(|| {
            let settings = Arc::clone(&reference(settings, "settings")?.settings);
            give(engine, now_ns, |id| Command::Reconfigure { id, settings })
        })
    }
}

/// Use these settings on trial; they may be freed afterwards. Those before them come back when no server is found through these
/// though they still lead to one. Where no exchange has worked yet through the settings in force, these replace them at once.
///
/// `digest`, `tag` and `serial` name them in the memory, as in `homing_engine_options`; all may be NULL. `given` is 1 when the
/// program gives them, which it will do again after a restart, and 0 when they came from a server.
///
/// The call counts as one of `homing_engine_reconfigure`: the number of these settings is the next.
///
/// Errors: `HOMING_ERROR_RANGE` for a digest that is none, and for another `given`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_engine_try(
    engine: *mut homing_engine,
    now_ns: u64,
    settings: *const homing_settings,
    digest: *const c_char,
    tag: *const c_char,
    serial: *const u64,
    given: i32,
) -> homing_status {
    // SAFETY: the caller's promises, here and below.
    unsafe {
        status(|| {
            let settings = Arc::clone(&reference(settings, "settings")?.settings);
            let name = name(digest, tag, serial)?;
            let given = match given {
                0 => false,
                1 => true,
                other => {
                    return Err(Failed::new(
                        HOMING_ERROR_RANGE,
                        format!("`given` {other} is neither 0 nor 1"),
                    ));
                }
            };
            give(engine, now_ns, |id| Command::Try { id, settings, name, given })
        })
    }
}

/// The files that the settings number `old` name were read again: the same settings have the next number from now on, as if
/// they had been given by `homing_engine_reconfigure`, and keep their part in a trial.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_engine_renew(
    engine: *mut homing_engine,
    now_ns: u64,
    old: u32,
    settings: *const homing_settings,
) -> homing_status {
    // SAFETY: the caller's promises, here and below.
    unsafe {
        status(|| {
            let settings = Arc::clone(&reference(settings, "settings")?.settings);
            give(engine, now_ns, |id| Command::Renew { old: SettingsId(old), id, settings })
        })
    }
}

/// Use the settings of this location, NUL-terminated UTF-8; NULL, and a name that is no location, mean the group's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_engine_set_location(
    engine: *mut homing_engine,
    now_ns: u64,
    location: *const c_char,
) -> homing_status {
    // SAFETY: the caller's promises, here and below.
    unsafe {
        status(|| {
            let location = text::optional(location, "location")?.map(Arc::from);
            hear(engine, now_ns, Input::Command(Command::SetLocation(location)))
        })
    }
}

/// Finish what is under way within the grace, then stop for good; `HOMING_EVENT_STOPPED` is the last event.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_engine_stop(
    engine: *mut homing_engine,
    now_ns: u64,
    grace_ms: u64,
) -> homing_status {
    // SAFETY: the caller's promise.
    unsafe {
        status(|| {
            hear(engine, now_ns, Input::Command(Command::Stop { grace: Duration::from_millis(grace_ms) }))
        })
    }
}
