//! Calls into the application.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use super::logging;

/// As late as nothing of ours ever is: heartbeats are tens of seconds apart, and time limits are longer.
const LONG: Duration = Duration::from_secs(5);

/// Calls the application. `None` when it panicked, which is logged together with what follows from it; so
/// is a call that held the client up for long.
pub(crate) fn call<T>(name: &str, after_a_panic: &str, callback: impl FnOnce() -> T) -> Option<T> {
    timed(name, after_a_panic, "the client did nothing else meanwhile", callback)
}

/// The same for what does not hold the client up.
pub(crate) fn call_beside<T>(name: &str, after_a_panic: &str, callback: impl FnOnce() -> T) -> Option<T> {
    timed(name, after_a_panic, "the client went on meanwhile", callback)
}

fn timed<T>(name: &str, after_a_panic: &str, meanwhile: &str, callback: impl FnOnce() -> T) -> Option<T> {
    let began = Instant::now();
    let result = catch_unwind(AssertUnwindSafe(callback));
    note_length(name, began.elapsed(), meanwhile);
    if result.is_err() {
        logging::record!(Error, "{name} panicked; {after_a_panic}");
    }
    result.ok()
}

fn note_length(name: &str, took: Duration, meanwhile: &str) {
    if took > LONG {
        let seconds = took.as_secs();
        logging::record!(Warn, "{name} took {seconds} s; {meanwhile}");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::platform::{LogLevel, Logger};

    #[test]
    fn a_panic_and_a_long_call_are_told_and_nothing_else_is() {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let keep = Arc::clone(&heard);
        let logger = Logger::new(LogLevel::Trace, move |level, text| {
            keep.lock().unwrap().push(format!("{level}: {text}"));
        });
        let _here = logger.enter();
        assert_eq!(call("the hook", "nothing follows", || 7), Some(7));
        assert_eq!(call("the hook", "nothing follows", || -> u8 { panic!("a fault") }), None);
        let meanwhile = "the client did nothing else meanwhile";
        note_length("the hook", LONG, meanwhile);
        note_length("the hook", Duration::from_millis(31_900), meanwhile);
        let expected = [
            "error: the hook panicked; nothing follows",
            "warn: the hook took 31 s; the client did nothing else meanwhile",
        ];
        assert_eq!(*heard.lock().unwrap(), expected);
    }
}
