//! Where a server is, and how it was reached.

use std::net::SocketAddr;

use once_cell::race::OnceBox;

use super::action::HOMING_ROUTE_DIRECT;
use super::address::homing_address;
use super::boundary::{Growing, SizedPlace, no_padding, reference, status};
use super::event::homing_event;
use super::proof::proof_code;
use super::snapshot::homing_snapshot;
use super::status::homing_status;
use super::text::homing_text;
use crate::engine::Whereabouts;
use crate::types::Route;

/// Where a server is, by which way it was reached, and what it proved then. The view lives as long as the event or the
/// snapshot it was taken from.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct homing_whereabouts {
    /// `sizeof(homing_whereabouts)`, set by the caller.
    pub struct_size: u64,
    /// The name or the address as the settings write it. None: there is no such server, and nothing else says anything.
    pub host: homing_text,
    /// The address that was connected to, and the port. The family is 0 behind a proxy, which looks names up itself.
    pub address: homing_address,
    /// The port in use.
    pub port: u32,
    /// `HOMING_ROUTE_DIRECT`, or which proxy of the routes, counted from 0.
    pub route: i32,
    /// What it proved: `HOMING_PROOF_…`; without TLS, that something accepted a connection.
    pub proof: i32,
}

const ADDRESS: usize = size_of::<homing_address>();
const _: () =
    assert!(no_padding(size_of::<homing_whereabouts>(), &[8, size_of::<homing_text>(), ADDRESS, 4, 4, 4]));

// SAFETY: `repr(C)`, the size first, and all zero are numbers and a view of nothing.
unsafe impl Growing for homing_whereabouts {
    const LEAST: usize = 8 + size_of::<homing_text>();
}

/// Writes where the server is that the agent is attached to from this event on to `*whereabouts`, whose `struct_size` the
/// caller has set. Of `HOMING_EVENT_ATTACHED` alone; other kinds have no host.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_event_whereabouts(
    event: *const homing_event,
    whereabouts: *mut homing_whereabouts,
) -> homing_status {
    // SAFETY: the caller's promises, here and below.
    unsafe {
        status(|| {
            let place = SizedPlace::new(whereabouts, "whereabouts")?;
            let event = reference(event, "event")?;
            place.write(&shown(event.whereabouts(), event.host()));
            Ok(())
        })
    }
}

/// Writes where the server is that the agent is attached to, as its last answer came, to `*whereabouts`, whose `struct_size`
/// the caller has set. There is no host while the agent is attached to none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_snapshot_whereabouts(
    snapshot: *const homing_snapshot,
    whereabouts: *mut homing_whereabouts,
) -> homing_status {
    // SAFETY: the caller's promises, here and below.
    unsafe {
        status(|| {
            let place = SizedPlace::new(whereabouts, "whereabouts")?;
            let snapshot = reference(snapshot, "snapshot")?;
            place.write(&shown(snapshot.whereabouts(), snapshot.host()));
            Ok(())
        })
    }
}

/// `host` keeps the text as long as its owner lives.
fn shown(at: Option<&Whereabouts>, host: &OnceBox<String>) -> homing_whereabouts {
    let nowhere = homing_address { ip: [0; 16], family: 0, port: 0, scope_id: 0 };
    let Some(at) = at else {
        let (port, route, proof) = (0, 0, 0);
        return homing_whereabouts {
            struct_size: 0,
            host: homing_text::NONE,
            address: nowhere,
            port,
            route,
            proof,
        };
    };
    let socket = at.address.map(|address| SocketAddr::new(address, at.port));
    homing_whereabouts {
        struct_size: 0,
        host: homing_text::new(host.get_or_init(|| Box::new(at.host.to_string()))),
        address: socket.map_or(nowhere, homing_address::from),
        port: at.port.into(),
        route: match at.route {
            Route::Direct => HOMING_ROUTE_DIRECT,
            Route::Proxy(index) => index.into(),
        },
        proof: proof_code(at.proof),
    }
}
