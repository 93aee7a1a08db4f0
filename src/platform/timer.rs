//! What ends a sleep at a moment of [`Clock`](super::Clock).

#[cfg(target_os = "linux")]
pub(super) use linux::Timer;
#[cfg(not(target_os = "linux"))]
pub(super) use portable::Timer;

#[cfg(target_os = "linux")]
mod linux {
    use std::io;
    use std::os::fd::{AsRawFd, OwnedFd};
    use std::time::Duration;

    use mio::unix::SourceFd;
    use mio::{Interest, Registry, Token};
    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
        timerfd_settime,
    };

    use crate::platform::Clock;
    use crate::types::Moment;

    /// A timerfd on `CLOCK_BOOTTIME`, registered with the poll.
    ///
    /// The timeout of `epoll_wait` will not do: it stands still while the machine is suspended, so a
    /// laptop that slept for an hour would be an hour late with everything.
    #[derive(Debug)]
    pub(in crate::platform) struct Timer {
        file: OwnedFd,
        armed: Option<Moment>,
    }

    impl Timer {
        pub(in crate::platform) fn new(registry: &Registry, token: Token) -> io::Result<Self> {
            let file =
                timerfd_create(TimerfdClockId::Boottime, TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK)?;
            registry.register(&mut SourceFd(&file.as_raw_fd()), token, Interest::READABLE)?;
            Ok(Self { file, armed: None })
        }

        /// Makes ready for a sleep until `deadline`. Returns the timeout to give to the poll.
        pub(in crate::platform) fn arm(
            &mut self,
            deadline: Option<Moment>,
            clock: Clock,
        ) -> io::Result<Option<Duration>> {
            let left = deadline.map(|deadline| deadline.after(clock.now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Ok(left);
            }
            if deadline != self.armed {
                // Zero disarms. The count of expirations is never read: a new setting clears it, and
                // the registration is edge-triggered. Set as what is left, not as a moment: what shifts the
                // time of day for a program (libfaketime) shifts moments given to timers, too.
                let spec = Itimerspec {
                    it_interval: timespec(Duration::ZERO),
                    it_value: timespec(left.unwrap_or_default()),
                };
                timerfd_settime(&self.file, TimerfdTimerFlags::empty(), &spec)?;
                self.armed = deadline;
            }
            Ok(None)
        }

        /// The timer's token was ready: the next sleep arms it afresh.
        pub(in crate::platform) fn fired(&mut self) {
            self.armed = None;
        }
    }

    fn timespec(duration: Duration) -> Timespec {
        Timespec {
            tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: duration.subsec_nanos().into(),
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod portable {
    use std::io;
    use std::time::Duration;

    use mio::{Registry, Token};

    use crate::platform::Clock;
    use crate::types::Moment;

    /// The timeout of the poll itself.
    #[derive(Debug)]
    pub(in crate::platform) struct Timer;

    impl Timer {
        pub(in crate::platform) fn new(_registry: &Registry, _token: Token) -> io::Result<Self> {
            Ok(Self)
        }

        /// Makes ready for a sleep until `deadline`. Returns the timeout to give to the poll.
        pub(in crate::platform) fn arm(
            &mut self,
            deadline: Option<Moment>,
            clock: Clock,
        ) -> io::Result<Option<Duration>> {
            Ok(deadline.map(|deadline| deadline.after(clock.now())))
        }

        /// Nothing to do: nothing is armed between two sleeps.
        pub(in crate::platform) fn fired(&mut self) {}
    }
}
