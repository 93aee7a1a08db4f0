//! Calls that were begun and have not ended, and the threads that wait for them.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::engine::{Event, MOST_CALLS};
use crate::types::{CallAnswer, CallError, CallId, FailureClass};

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

/// A call that was begun.
struct Caller {
    awaits: Awaits,
    /// How it has ended, until the thread that waits for it takes this.
    end: Option<Result<CallAnswer, CallError>>,
}

impl Callers {
    /// A call begins.
    pub(super) fn begin(&self, awaits: Awaits) -> Result<CallId, CallError> {
        let mut state = self.state();
        if state.closed {
            return Err(CallError::Ended);
        }
        if state.open.len() >= MOST_CALLS {
            return Err(CallError::TooMany { most: MOST_CALLS });
        }
        state.newest += 1;
        let call = CallId(state.newest);
        state.open.insert(call, Caller { awaits, end: None });
        Ok(call)
    }

    /// Waits for the end of a call that was begun so, no longer than this.
    pub(super) fn wait(&self, call: CallId, most: Duration) -> Result<CallAnswer, CallError> {
        let limit = Instant::now() + most;
        let mut state = self.state();
        loop {
            let Some(caller) = state.open.get_mut(&call) else {
                return Err(CallError::Ended);
            };
            if let Some(end) = caller.end.take() {
                state.open.remove(&call);
                return end;
            }
            let left = limit.saturating_duration_since(Instant::now());
            if left.is_zero() {
                // The client's thread is held up, by a callback for example. The place is free when it goes on.
                state.open.insert(call, Caller { awaits: Awaits::Event, end: None });
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
        let waits = state.open.get_mut(&call).filter(|caller| caller.awaits == Awaits::Thread);
        let Some(caller) = waits else {
            state.open.remove(&call);
            return Some((call, Awaits::Event));
        };
        caller.end = Some(end);
        self.changed.notify_all();
        Some((call, Awaits::Thread))
    }

    /// No call will end any more that has not.
    pub(super) fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        for caller in state.open.values_mut() {
            caller.end.get_or_insert(Err(CallError::Ended));
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
