//! Something an event loop of the application's can wait on.
//!
//! A [`Flag`] is up or down. While it is up its [`LentWaitable`] is ready to be read, to every poll there is and
//! as often as it is asked: nobody has to read anything from it, and nobody may.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

#[cfg(target_os = "linux")]
use linux::Signal;
#[cfg(all(unix, not(target_os = "linux")))]
use portable::Signal;
#[cfg(windows)]
use windows::Signal;

/// What an event loop waits on, of one's own: a descriptor that is ready to be read, on Windows a signalled event object.
#[cfg(unix)]
pub type Waitable = std::os::fd::OwnedFd;
/// What an event loop waits on, of one's own: a descriptor that is ready to be read, on Windows a signalled event object.
#[cfg(windows)]
pub type Waitable = std::os::windows::io::OwnedHandle;

/// The same, lent by the flag.
#[cfg(unix)]
pub(crate) type LentWaitable<'a> = std::os::fd::BorrowedFd<'a>;
/// The same, lent by the flag.
#[cfg(windows)]
pub(crate) type LentWaitable<'a> = std::os::windows::io::BorrowedHandle<'a>;

/// Down at first.
#[derive(Debug)]
pub(crate) struct Flag {
    signal: Signal,
    /// So that the system is asked for changes only.
    is_up: AtomicBool,
}

impl Flag {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self { signal: Signal::new()?, is_up: AtomicBool::new(false) })
    }

    /// Puts it up or takes it down. Not from two threads at once: the last one must have the last word.
    pub(crate) fn set(&self, up: bool) {
        if self.is_up.swap(up, Ordering::Relaxed) == up {
            return;
        }
        if up { self.signal.raise() } else { self.signal.lower() }
    }

    pub(crate) fn waitable(&self) -> LentWaitable<'_> {
        self.signal.waitable()
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::io;
    use std::os::fd::{AsFd, OwnedFd};

    use rustix::event::{EventfdFlags, eventfd};

    use super::LentWaitable;

    /// An eventfd: up while its count is not zero.
    #[derive(Debug)]
    pub(super) struct Signal(OwnedFd);

    impl Signal {
        pub(super) fn new() -> io::Result<Self> {
            Ok(Self(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?))
        }

        pub(super) fn raise(&self) {
            // It cannot fail: the count is zero.
            let _ = rustix::io::write(&self.0, &1_u64.to_ne_bytes());
        }

        pub(super) fn lower(&self) {
            // It cannot fail, unless somebody else has read the count and so lowered it.
            let _ = rustix::io::read(&self.0, &mut [0; 8]);
        }

        pub(super) fn waitable(&self) -> LentWaitable<'_> {
            self.0.as_fd()
        }
    }
}

#[cfg(all(unix, not(target_os = "linux")))]
mod portable {
    use std::io::{self, Read, Write};
    use std::os::fd::AsFd;

    use mio::unix::pipe::{self, Receiver, Sender};

    use super::LentWaitable;

    /// A pipe: up while a byte is in it.
    #[derive(Debug)]
    pub(super) struct Signal(Sender, Receiver);

    impl Signal {
        pub(super) fn new() -> io::Result<Self> {
            pipe::new().map(|(sender, receiver)| Self(sender, receiver))
        }

        pub(super) fn raise(&self) {
            // It cannot fail: the pipe is empty.
            let _ = (&self.0).write(&[1]);
        }

        pub(super) fn lower(&self) {
            // It cannot fail, unless somebody else has read the byte and so lowered it.
            let _ = (&self.1).read(&mut [0]);
        }

        pub(super) fn waitable(&self) -> LentWaitable<'_> {
            self.1.as_fd()
        }
    }
}

#[cfg(windows)]
mod windows {
    use std::io;
    use std::os::windows::io::{AsHandle, AsRawHandle, FromRawHandle, OwnedHandle};
    use std::ptr;

    use windows_sys::Win32::System::Threading::{CreateEventW, ResetEvent, SetEvent};

    use super::LentWaitable;

    /// An event object that stays signalled until it is reset.
    #[derive(Debug)]
    pub(super) struct Signal(OwnedHandle);

    impl Signal {
        #[allow(unsafe_code)]
        pub(super) fn new() -> io::Result<Self> {
            const MANUAL_RESET: i32 = 1;
            const NOT_SIGNALLED: i32 = 0;
            // SAFETY: null stands for the default security, so that no child inherits it, and for no name.
            let handle = unsafe { CreateEventW(ptr::null(), MANUAL_RESET, NOT_SIGNALLED, ptr::null()) };
            if handle.is_null() {
                return Err(io::Error::last_os_error());
            }
            // SAFETY: the handle was just made, is not null, and nobody else has it.
            Ok(Self(unsafe { OwnedHandle::from_raw_handle(handle) }))
        }

        #[allow(unsafe_code)]
        pub(super) fn raise(&self) {
            // SAFETY: the handle is ours and open.
            unsafe { SetEvent(self.0.as_raw_handle()) };
        }

        #[allow(unsafe_code)]
        pub(super) fn lower(&self) {
            // SAFETY: the handle is ours and open.
            unsafe { ResetEvent(self.0.as_raw_handle()) };
        }

        pub(super) fn waitable(&self) -> LentWaitable<'_> {
            self.0.as_handle()
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use rustix::event::{PollFd, PollFlags, poll};
    use rustix::io::{FdFlags, fcntl_getfd};

    use super::*;

    fn is_readable(flag: &Flag) -> bool {
        let mut waitables = [PollFd::from_borrowed_fd(flag.waitable(), PollFlags::IN)];
        poll(&mut waitables, Some(&rustix::time::Timespec { tv_sec: 0, tv_nsec: 0 })) == Ok(1)
    }

    #[test]
    fn it_is_readable_while_it_is_up_however_often_it_is_put_there() {
        let flag = Flag::new().unwrap();
        assert!(!is_readable(&flag));
        for up in [false, true, true, false, false, true] {
            flag.set(up);
            assert_eq!((is_readable(&flag), is_readable(&flag)), (up, up));
        }
    }

    #[test]
    fn no_program_that_is_started_inherits_it_and_a_read_does_not_block() {
        let flag = Flag::new().unwrap();
        assert!(fcntl_getfd(flag.waitable()).unwrap().contains(FdFlags::CLOEXEC));
        let error = rustix::io::read(flag.waitable(), &mut [0_u8; 8]).unwrap_err();
        assert_eq!(error, rustix::io::Errno::AGAIN);
    }
}
