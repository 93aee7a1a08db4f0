//! Where messages for the log go.
//!
//! To the hook of the client that speaks, if it has one, else to the `log` crate. Who speaks is a matter of
//! the thread: a client's own thread, its helpers and an application's thread inside one of the client's
//! methods [`enter`](Logger::enter) its logger. Nothing here belongs to the process.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError, RwLock};

use crate::types::Printable;

/// How important a message is; the most important is the least of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LogLevel {
    /// Something failed that ought not to: a panic of a callback, a thread that is left behind.
    Error,
    /// Something that works and should be looked at: no verification, a state that cannot be stored.
    Warn,
    /// What an administrator may want to see. Nothing yet: events tell it.
    Info,
    /// What a developer may want to see: each link and each exchange.
    Debug,
    /// Everything. No more than `Debug` yet.
    Trace,
}

impl LogLevel {
    /// `error`, `warn`, `info`, `debug` or `trace`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }

    const fn elsewhere(self) -> log::Level {
        match self {
            Self::Error => log::Level::Error,
            Self::Warn => log::Level::Warn,
            Self::Info => log::Level::Info,
            Self::Debug => log::Level::Debug,
            Self::Trace => log::Level::Trace,
        }
    }
}

impl fmt::Display for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Says something, in the words of `format!`: `record!(Warn, "{server}: is not there")`. What nobody hears is
/// not put into words.
macro_rules! record {
    ($level:ident, $($text:tt)+) => {
        if $crate::platform::logging::is_heard($crate::platform::LogLevel::$level) {
            $crate::platform::logging::say(
                $crate::platform::LogLevel::$level,
                module_path!(),
                format_args!($($text)+),
            );
        }
    };
}
pub(crate) use record;

/// Where the messages of one client go: its hook, or by default the `log` crate.
#[derive(Clone, Default)]
pub(crate) struct Logger(Option<Arc<Reader>>);

type Hook = Box<dyn Fn(LogLevel, &str) + Send + Sync>;

struct Reader {
    most: LogLevel,
    /// Gone once the logger is closed. Shared while somebody speaks, so that it is not closed meanwhile.
    hook: RwLock<Option<Hook>>,
}

thread_local! {
    /// Whose messages this thread speaks.
    static HERE: RefCell<Logger> = const { RefCell::new(Logger(None)) };
    /// A hook runs on this thread; what is said meanwhile is not for a hook.
    static SPEAKING: Cell<bool> = const { Cell::new(false) };
}

impl Logger {
    pub(crate) fn new(most: LogLevel, hook: impl Fn(LogLevel, &str) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(Reader { most, hook: RwLock::new(Some(Box::new(hook))) })))
    }

    /// The one of this thread.
    pub(crate) fn here() -> Self {
        // A thread that is about to end has none any more.
        HERE.try_with(|here| here.borrow().clone()).unwrap_or_default()
    }

    /// What this thread says goes to this logger, until the guard is dropped.
    pub(crate) fn enter(&self) -> Entered {
        Entered(HERE.try_with(|here| here.replace(self.clone())).unwrap_or_default())
    }

    /// Drops the hook, after whoever speaks at this moment. What is said later goes to the `log` crate.
    pub(crate) fn close(&self) {
        let Some(reader) = &self.0 else { return };
        let hook = reader.hook.write().unwrap_or_else(PoisonError::into_inner).take();
        drop(hook);
    }
}

/// Puts the logger of before back.
#[must_use]
pub(crate) struct Entered(Logger);

impl Drop for Entered {
    fn drop(&mut self) {
        let before = std::mem::take(&mut self.0);
        let left = HERE.try_with(|here| here.replace(before));
        drop(left);
    }
}

/// The reader of this thread's messages; none where they go to the `log` crate.
fn reader() -> Option<Arc<Reader>> {
    if SPEAKING.try_with(Cell::get).unwrap_or(true) { None } else { Logger::here().0 }
}

/// Whether anybody wants to hear this.
pub(crate) fn is_heard(level: LogLevel) -> bool {
    match reader() {
        Some(reader) => level <= reader.most,
        None => level.elsewhere() <= log::max_level(),
    }
}

/// Says it, to whoever reads this thread's messages.
pub(crate) fn say(level: LogLevel, target: &str, text: fmt::Arguments<'_>) {
    // A line of a log is one line, whatever the names and errors in it hold.
    let text = Printable(text);
    let heard = reader().is_some_and(|reader| reader.hear(level, format_args!("{text}")));
    if !heard {
        log::log!(target: target, level.elsewhere(), "{text}");
    }
}

impl Reader {
    /// Whether there is still somebody to hear it.
    fn hear(&self, level: LogLevel, text: fmt::Arguments<'_>) -> bool {
        let hook = self.hook.read().unwrap_or_else(PoisonError::into_inner);
        let Some(hook) = &*hook else { return false };
        let _ = SPEAKING.try_with(|speaking| speaking.set(true));
        let called = catch_unwind(AssertUnwindSafe(|| match text.as_str() {
            Some(text) => hook(level, text),
            None => hook(level, &text.to_string()),
        }));
        let _ = SPEAKING.try_with(|speaking| speaking.set(false));
        if called.is_err() {
            log::error!("the log hook panicked; the message is lost");
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::mpsc::channel;
    use std::thread;

    use super::*;

    type Heard = Arc<Mutex<Vec<(LogLevel, String)>>>;

    fn keeping(most: LogLevel) -> (Logger, Heard) {
        let heard = Heard::default();
        let keep = Arc::clone(&heard);
        let hook = move |level, text: &str| keep.lock().unwrap().push((level, text.to_owned()));
        (Logger::new(most, hook), heard)
    }

    fn texts(heard: &Heard) -> Vec<String> {
        heard.lock().unwrap().iter().map(|(_, text)| text.clone()).collect()
    }

    #[test]
    fn a_message_goes_to_the_journal_that_was_entered_last() {
        let ((outer, in_outer), (inner, in_inner)) = (keeping(LogLevel::Warn), keeping(LogLevel::Warn));
        record!(Error, "to nobody");
        {
            let _outer = outer.enter();
            record!(Error, "one {}", 1);
            {
                let _inner = inner.enter();
                record!(Warn, "two");
                let _none = Logger::default().enter();
                record!(Error, "to nobody");
            }
            record!(Warn, "three");
            thread::spawn(|| record!(Error, "to nobody, from another thread")).join().unwrap();
        }
        record!(Error, "to nobody");
        assert_eq!(
            (texts(&in_outer), texts(&in_inner)),
            (vec!["one 1".into(), "three".into()], vec!["two".into()])
        );
        assert_eq!(
            in_outer.lock().unwrap().iter().map(|(level, _)| *level).collect::<Vec<_>>(),
            [LogLevel::Error, LogLevel::Warn]
        );
    }

    #[test]
    fn what_nobody_hears_is_not_put_into_words() {
        struct Words<'a>(&'a Cell<u32>);
        impl fmt::Display for Words<'_> {
            fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.set(self.0.get() + 1);
                Ok(())
            }
        }
        let (logger, heard) = keeping(LogLevel::Warn);
        let _here = logger.enter();
        let (asked, put) = (Cell::new(0), Cell::new(0));
        let words = || {
            asked.set(asked.get() + 1);
            Words(&put)
        };
        record!(Info, "{}", words());
        record!(Trace, "{}", words());
        assert_eq!((asked.get(), put.get()), (0, 0));
        record!(Warn, "{}", words());
        assert_eq!((asked.get(), put.get(), texts(&heard).len()), (1, 1, 1));
    }

    #[test]
    fn a_hook_that_speaks_itself_or_panics_does_no_harm() {
        let calls = Arc::new(Mutex::new(0));
        let counter = Arc::clone(&calls);
        let logger = Logger::new(LogLevel::Trace, move |_, text| {
            *counter.lock().unwrap() += 1;
            // As a method of a client would, called from the hook.
            let _again = Logger::here().enter();
            record!(Error, "not for the hook: {text}");
            panic!("a fault of the application");
        });
        let _here = logger.enter();
        record!(Error, "one");
        record!(Trace, "two");
        assert_eq!(*calls.lock().unwrap(), 2);
    }

    #[test]
    fn a_journal_is_closed_when_nobody_speaks_and_drops_its_hook_there() {
        struct Guard(std::sync::mpsc::Sender<thread::ThreadId>);
        impl Drop for Guard {
            fn drop(&mut self) {
                self.0.send(thread::current().id()).unwrap();
            }
        }
        let (sender, dropped) = channel();
        let (entered, has_entered) = channel();
        let (release, released) = channel::<()>();
        let (guard, released) = (Guard(sender), Mutex::new(released));
        let logger = Logger::new(LogLevel::Error, move |_, _| {
            let _ = &guard;
            entered.send(()).unwrap();
            released.lock().unwrap().recv().unwrap();
        });
        let other = logger.clone();
        let speaker = thread::spawn(move || {
            let _here = other.enter();
            record!(Error, "for a while");
            // The hook is gone, this thread's share in the logger is not.
            drop(other);
        });
        has_entered.recv().unwrap();
        let closing = logger.clone();
        let closer = thread::spawn(move || closing.close());
        let closer_id = closer.thread().id();
        assert!(dropped.try_recv().is_err());
        release.send(()).unwrap();
        speaker.join().unwrap();
        closer.join().unwrap();
        assert_eq!(dropped.try_iter().collect::<Vec<_>>(), [closer_id]);
        let _here = logger.enter();
        record!(Error, "to nobody any more");
        assert!(has_entered.try_recv().is_err());
    }

    #[test]
    fn levels_are_ordered_from_the_most_important_on() {
        use LogLevel::{Debug, Error, Info, Trace, Warn};
        let levels = [Error, Warn, Info, Debug, Trace];
        assert!(levels.is_sorted());
        assert_eq!(levels.map(LogLevel::as_str), ["error", "warn", "info", "debug", "trace"]);
        assert_eq!(
            levels.map(|level| level.elsewhere().as_str().to_lowercase()),
            levels.map(|level| level.to_string())
        );
    }
}
