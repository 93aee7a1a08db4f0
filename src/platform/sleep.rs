//! The one place where the client's thread stands still.

use std::fmt;
use std::io;
use std::sync::Arc;

use mio::{Events, Poll, Registry, Token};

use super::Clock;
use super::logging;
use super::timer::Timer;
use crate::types::Moment;

const WAKER: Token = Token(0);
const TIMER: Token = Token(1);
#[cfg(target_os = "linux")]
const INTERFACES: Token = Token(2);

/// Events taken from the system at once; what does not fit comes with the next sleep.
const EVENTS: usize = 256;

/// Sleeps until a moment has come, a registered socket is ready, or a [`Waker`] was used.
pub(crate) struct Sleep {
    poll: Poll,
    events: Events,
    timer: Timer,
    waker: Waker,
    clock: Clock,
}

/// Ends a [`Sleep`] from any thread; the next one when none is under way.
#[derive(Clone, Debug)]
pub(crate) struct Waker(Arc<mio::Waker>);

impl Sleep {
    /// The first token free for sockets; those below are taken.
    pub(crate) const FIRST_TOKEN: usize = 16;

    pub(crate) fn new(clock: Clock) -> io::Result<Self> {
        let poll = Poll::new()?;
        let timer = Timer::new(poll.registry(), TIMER)?;
        let waker = Waker(Arc::new(mio::Waker::new(poll.registry(), WAKER)?));
        Ok(Self { poll, events: Events::with_capacity(EVENTS), timer, waker, clock })
    }

    /// Sleeps; `None` is a sleep without end. A moment that has passed looks at the sockets and returns.
    ///
    /// It may end early: callers look at the clock, not at the reason.
    pub(crate) fn until(&mut self, deadline: Option<Moment>) -> io::Result<()> {
        let timeout = self.timer.arm(deadline, self.clock)?;
        match self.poll.poll(&mut self.events, timeout) {
            // SIGSTOP and SIGCONT do this even to a thread that blocks every signal.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => self.events.clear(),
            result => result?,
        }
        if self.events.iter().any(|event| event.token() == TIMER) {
            self.timer.fired();
        }
        Ok(())
    }

    /// The sockets that were ready when the last sleep ended.
    pub(crate) fn ready(&self) -> impl Iterator<Item = Token> {
        self.events.iter().map(|event| event.token()).filter(|token| token.0 >= Self::FIRST_TOKEN)
    }

    /// The token under which the interfaces are watched.
    #[cfg(target_os = "linux")]
    pub(crate) const fn interfaces_token() -> Token {
        INTERFACES
    }

    /// Whether the system has told of the interfaces before the last sleep ended.
    #[cfg(target_os = "linux")]
    pub(crate) fn interfaces_ready(&self) -> bool {
        self.events.iter().any(|event| event.token() == INTERFACES)
    }

    pub(crate) fn registry(&self) -> &Registry {
        self.poll.registry()
    }

    pub(crate) fn waker(&self) -> Waker {
        self.waker.clone()
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleep").finish_non_exhaustive()
    }
}

impl Waker {
    pub(crate) fn wake(&self) {
        // It fails only when the system has no memory for one counter; the sleep then ends at its deadline.
        if let Err(error) = self.0.wake() {
            logging::record!(Warn, "cannot wake the client's thread: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_sleep_ends_at_its_moment_and_again_at_the_same_moment() {
        let clock = Clock::new();
        let mut sleep = Sleep::new(clock).unwrap();
        let deadline = clock.now() + Duration::from_millis(20);
        while clock.now() < deadline {
            sleep.until(Some(deadline)).unwrap();
        }
        // The moment has passed: this one returns at once instead of never.
        sleep.until(Some(deadline)).unwrap();
        let next = clock.now() + Duration::from_millis(20);
        while clock.now() < next {
            sleep.until(Some(next)).unwrap();
        }
    }

    #[test]
    fn a_waker_ends_a_sleep_without_end_whichever_comes_first() {
        let mut sleep = Sleep::new(Clock::new()).unwrap();
        let waker = sleep.waker();
        waker.wake();
        sleep.until(None).unwrap();
        let other = std::thread::spawn(move || waker.wake());
        sleep.until(None).unwrap();
        other.join().unwrap();
        assert_eq!(sleep.ready().count(), 0);
    }
}
