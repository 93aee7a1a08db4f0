//! Calls that were begun and have not ended, and the threads that wait for them.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::engine::Event;
use crate::types::{CallAnswer, CallError, CallId, FailureClass};

/// Calls at once: those that the engine lets wait, and those under way.
pub(super) const MOST: usize = 64 + 4;

/// See the module.
#[derive(Default)]
pub(super) struct Callers {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    newest: u64,
    open: BTreeMap<CallId, Caller>,
    closed: bool,
}

/// How the end of a call is heard of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Awaits {
    Thread,
    Event,
}

/// Who began a call.
enum Caller {
    /// One who hears of its end by its event.
    Listens,
    /// A thread that waits for it.
    Waits(Option<Result<CallAnswer, CallError>>),
}

impl Callers {
    /// A call begins.
    pub(super) fn begin(&self, awaits: Awaits) -> Result<CallId, CallError> {
        let mut state = self.state();
        if state.closed {
            return Err(CallError::Ended);
        }
        if state.open.len() >= MOST {
            return Err(CallError::TooMany { most: MOST });
        }
        state.newest += 1;
        let call = CallId(state.newest);
        let caller = match awaits {
            Awaits::Thread => Caller::Waits(None),
            Awaits::Event => Caller::Listens,
        };
        state.open.insert(call, caller);
        Ok(call)
    }

    /// Waits for the end of a call that was begun so, no longer than this.
    pub(super) fn wait(&self, call: CallId, most: Duration) -> Result<CallAnswer, CallError> {
        let limit = Instant::now() + most;
        let mut state = self.state();
        loop {
            match state.open.get_mut(&call) {
                Some(Caller::Waits(end)) => {
                    if let Some(end) = end.take() {
                        state.open.remove(&call);
                        return end;
                    }
                }
                Some(Caller::Listens) | None => return Err(CallError::Ended),
            }
            let left = limit.saturating_duration_since(Instant::now());
            if left.is_zero() {
                // The client's thread is held up, by a callback for example. The place is free when it goes on.
                state.open.insert(call, Caller::Listens);
                let detail = "it has not ended in time: a callback holds the client's thread up".to_owned();
                return Err(CallError::Failed { server: None, class: None, detail });
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// If a call has ended with this event: which, and how its end is heard of.
    pub(super) fn hear(&self, event: &Event, body: Option<&Arc<[u8]>>) -> Option<(CallId, Awaits)> {
        let (call, end) = ended(event, body)?;
        let mut state = self.state();
        if let Some(Caller::Waits(waits)) = state.open.get_mut(&call) {
            *waits = Some(end);
            self.changed.notify_all();
            return Some((call, Awaits::Thread));
        }
        state.open.remove(&call);
        Some((call, Awaits::Event))
    }

    /// No call will end any more that has not.
    pub(super) fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        for caller in state.open.values_mut() {
            if let Caller::Waits(end) = caller {
                end.get_or_insert(Err(CallError::Ended));
            }
        }
        self.changed.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The call that has ended with this event, and how.
fn ended(event: &Event, body: Option<&Arc<[u8]>>) -> Option<(CallId, Result<CallAnswer, CallError>)> {
    if let Event::CallFailed { call, server, class, detail } = event {
        let (server, class, detail) = (server.clone(), *class, detail.clone());
        return Some((*call, Err(CallError::Failed { server, class, detail })));
    }
    let Event::Called { call, server, status, elapsed } = event else {
        return None;
    };
    let server = server.clone();
    let end = match body.cloned() {
        Some(body) => Ok(CallAnswer { server, status: *status, elapsed: *elapsed, body }),
        None => Err(CallError::Failed {
            server: Some(server),
            class: Some(FailureClass::Limit),
            detail: "its answer made room for later ones".to_owned(),
        }),
    };
    Some((*call, end))
}
