//! What was learnt of how servers can be listened to: one ladder for each server and route.

use std::time::Duration;

use crate::engine::memory::PushMemory;
use crate::engine::session::Ladder;
use crate::engine::tuning::schedule::Tuning;
use crate::types::{Moment, Route, ServerId, Span};

/// See the module. Nothing is held of servers that were never listened to.
#[derive(Debug, Default)]
#[allow(clippy::box_collection, reason = "it is empty in nearly every engine, and an engine is small")]
pub(super) struct Ladders(Option<Box<Vec<Known>>>);

#[derive(Debug)]
struct Known {
    server: ServerId,
    route: Route,
    ladder: Ladder,
}

/// An agent meets few servers by few routes; what was met longest ago is forgotten.
const MOST: usize = 32;

impl Ladders {
    /// What is known of this way, which is used from now on.
    pub(super) fn take(&mut self, server: &ServerId, route: Route, tuning: &Tuning, now: Moment) -> Ladder {
        let known = self.0.as_mut().and_then(|known| {
            let place = known.iter().position(|known| known.is_for(server, route))?;
            Some(known.remove(place).ladder)
        });
        known.unwrap_or_else(|| Ladder::new(tuning, now))
    }

    /// Keeps what was learnt of this way.
    pub(super) fn keep(&mut self, server: &ServerId, route: Route, ladder: Ladder) {
        let known = self.0.get_or_insert_default();
        known.retain(|known| !known.is_for(server, route));
        if known.len() >= MOST {
            known.remove(0);
        }
        known.push(Known { server: server.clone(), route, ladder });
    }

    /// It is another network.
    pub(super) fn elsewhere(&mut self, now: Moment) {
        for known in self.0.iter_mut().flat_map(|known| known.iter_mut()) {
            known.ladder.elsewhere(now);
        }
    }

    /// What is worth remembering of all of them.
    pub(super) fn memory(&self, tuning: &Tuning, now: Moment) -> impl Iterator<Item = PushMemory> {
        let known = self.0.iter().flat_map(|known| known.iter());
        known.filter_map(move |known| remembered(&known.server, known.route, &known.ladder, tuning, now))
    }

    pub(super) fn restore(&mut self, memory: &PushMemory, gone: Duration, tuning: &Tuning, now: Moment) {
        let left = |span: Span, most: Duration| span.0.min(most).saturating_sub(gone);
        let again = now + left(memory.again, tuning.push_relook.max(tuning.push_retry));
        let died = memory.died.map(|(length, remaining)| (length.0, now + left(remaining, tuning.push_died)));
        let ladder = Ladder::known(tuning, now, memory.rung, again, memory.silence.0, died);
        let route = memory.proxy.map_or(Route::Direct, Route::Proxy);
        self.keep(&memory.server, route, ladder);
    }
}

impl Known {
    fn is_for(&self, server: &ServerId, route: Route) -> bool {
        self.server == *server && self.route == route
    }
}

/// What is worth remembering of one ladder, if anything is.
pub(super) fn remembered(
    server: &ServerId,
    route: Route,
    ladder: &Ladder,
    tuning: &Tuning,
    now: Moment,
) -> Option<PushMemory> {
    if ladder.is_new(tuning, now) {
        return None;
    }
    Some(PushMemory {
        server: server.clone(),
        proxy: match route {
            Route::Direct => None,
            Route::Proxy(index) => Some(index),
        },
        rung: ladder.rung(now),
        again: Span(ladder.again().after(now)),
        silence: Span(ladder.silence()),
        died: ladder.died(now).map(|(length, until)| (Span(length), Span(until.after(now)))),
    })
}
