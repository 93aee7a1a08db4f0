//! Threads that leave the product's signals to the product.

#[cfg(unix)]
pub(crate) use unix::quiet_threads;

/// Runs `spawn`; there are no signals to keep away on this system.
#[cfg(not(unix))]
pub(crate) fn quiet_threads<T>(spawn: impl FnOnce() -> T) -> T {
    spawn()
}

#[cfg(unix)]
mod unix {
    use std::mem::MaybeUninit;
    use std::ptr;

    /// Runs `spawn` with every signal blocked, then puts the calling thread's mask back.
    ///
    /// A new thread inherits the mask of its maker, so a thread started in here never runs a
    /// signal handler, not even in its first instant. What a fault of the thread itself raises
    /// stays deliverable: blocked, it would kill the process past the product's crash handler.
    pub(crate) fn quiet_threads<T>(spawn: impl FnOnce() -> T) -> T {
        let _restored = Blocked::all();
        spawn()
    }

    /// The signals a faulty instruction raises in the thread that runs it.
    const FAULTS: [libc::c_int; 6] =
        [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGTRAP, libc::SIGSYS];

    /// The mask to put back. Dropped on unwinding too.
    struct Blocked {
        before: libc::sigset_t,
    }

    impl Blocked {
        #[allow(unsafe_code)]
        fn all() -> Option<Self> {
            let mut all = MaybeUninit::<libc::sigset_t>::uninit();
            let mut before = MaybeUninit::<libc::sigset_t>::uninit();
            // SAFETY: `sigfillset` initialises the set it is given before anything reads it, and
            // `pthread_sigmask` writes `before` whenever it returns 0; both point to live locals.
            unsafe {
                if libc::sigfillset(all.as_mut_ptr()) != 0 {
                    return None;
                }
                for fault in FAULTS {
                    libc::sigdelset(all.as_mut_ptr(), fault);
                }
                if libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr()) != 0 {
                    return None;
                }
                Some(Self { before: before.assume_init() })
            }
        }
    }

    impl Drop for Blocked {
        #[allow(unsafe_code)]
        fn drop(&mut self) {
            // SAFETY: `before` was written by the system; a null pointer means that nobody wants the old mask.
            unsafe {
                libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.before, ptr::null_mut());
            }
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[allow(unsafe_code)]
        fn blocked(signal: libc::c_int) -> bool {
            let mut mask = MaybeUninit::<libc::sigset_t>::uninit();
            // SAFETY: with a null new set, the call only writes the present mask to `mask`.
            unsafe {
                assert_eq!(libc::pthread_sigmask(libc::SIG_SETMASK, ptr::null(), mask.as_mut_ptr()), 0);
                libc::sigismember(mask.as_ptr(), signal) == 1
            }
        }

        #[test]
        fn a_quiet_thread_has_signals_blocked_and_its_maker_has_its_own_mask_back() {
            let asked = [libc::SIGTERM, libc::SIGALRM, libc::SIGSEGV];
            let quiet = quiet_threads(|| std::thread::spawn(move || asked.map(blocked)));
            assert_eq!(quiet.join().unwrap(), [true, true, false]);
            assert_eq!(asked.map(blocked), [false, false, false]);
        }
    }
}
