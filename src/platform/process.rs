//! Which process something was made in: a child after `fork` has a copy of everything and none of the threads.

/// A process, told from every other one that has its memory. Made where it is asked for; a number, free to copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Process(u32);

impl Process {
    /// The one that runs this.
    pub(crate) fn current() -> Self {
        Self(imp::current())
    }

    /// Whether it is the one that runs this. Takes no lock and makes no system call (Linux 4.14 and later).
    pub(crate) fn is_current(self) -> bool {
        imp::current() == self.0
    }
}

/// A page that the kernel fills with zeros in every child, whichever way the child was made: by `fork`, `daemon`, `_Fork`
/// or `clone`. The number in it is this process's own. Compared with that:
/// - a process id is no proof: after `clone` into another PID namespace a child may have its parent's (1 in two containers),
///   a grandchild may be given it again, and asking for it is a system call;
/// - a handler of `pthread_atfork` stays with the process when a library is unloaded, and `_Fork` and `clone` skip it.
#[cfg(target_os = "linux")]
mod imp {
    use std::ptr::{self, NonNull};
    use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

    use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous, munmap};

    /// Null before the first look; `UNSUPPORTED` where the kernel cannot do it; else the page, which lives for ever.
    static PAGE: AtomicPtr<AtomicU32> = AtomicPtr::new(ptr::null_mut());
    /// The last number given to a process. A child counts on from its parent's, so no ancestor has its number.
    static LAST: AtomicU32 = AtomicU32::new(0);
    /// In place of a page: the process id has to do.
    static UNSUPPORTED: AtomicU32 = AtomicU32::new(0);

    /// At least as much as a page of any system has; the kernel rounds up.
    const SIZE: usize = 4096;

    pub(super) fn current() -> u32 {
        let page = page();
        if ptr::eq(page, &raw const UNSUPPORTED) {
            return std::process::id();
        }
        match page.load(Ordering::Relaxed) {
            0 => {
                // The first look of this process. Of two threads, one wins.
                let number = LAST.fetch_add(1, Ordering::Relaxed).wrapping_add(1).max(1);
                page.compare_exchange(0, number, Ordering::Relaxed, Ordering::Relaxed).err().unwrap_or(number)
            }
            number => number,
        }
    }

    /// Never waits for another thread, which a child would not have.
    #[allow(unsafe_code)]
    fn page() -> &'static AtomicU32 {
        let mut page = PAGE.load(Ordering::Acquire);
        if page.is_null() {
            let made = wiped_page();
            let new = made.map_or((&raw const UNSUPPORTED).cast_mut(), NonNull::as_ptr);
            page = new;
            if let Err(earlier) =
                PAGE.compare_exchange(ptr::null_mut(), new, Ordering::AcqRel, Ordering::Acquire)
            {
                page = earlier;
                if let Some(made) = made {
                    // SAFETY: it was just made, and nothing else knows of it.
                    let _ = unsafe { munmap(made.as_ptr().cast(), SIZE) };
                }
            }
        }
        // SAFETY: a static, or a page that is never unmapped, begins with zeros and is only used as an atomic.
        unsafe { &*page }
    }

    #[allow(unsafe_code)]
    fn wiped_page() -> Option<NonNull<AtomicU32>> {
        // SAFETY: new memory, at a place the kernel chooses.
        let made = unsafe {
            mmap_anonymous(ptr::null_mut(), SIZE, ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE)
        };
        let made = made.ok()?;
        // SAFETY: the memory is ours, holds nothing yet, and either advice is about what a child finds there.
        let (wiped, emulated) = unsafe {
            let wiped = madvise(made, SIZE, Advice::LinuxWipeOnFork);
            // An emulator (QEMU's user mode) accepts all advice and follows none: ordinary memory cannot be poisoned by us.
            (wiped, libc::madvise(made, SIZE, -1) == 0)
        };
        if wiped.is_err() || emulated {
            // SAFETY: as above; nothing else knows of it.
            let _ = unsafe { munmap(made, SIZE) };
            return None;
        }
        NonNull::new(made.cast())
    }
}

/// What the system calls the process.
#[cfg(not(target_os = "linux"))]
mod imp {
    pub(super) fn current() -> u32 {
        std::process::id()
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    /// What a child returns from `look`, as its exit status. It must not allocate: other threads of the test had locks.
    #[allow(unsafe_code)]
    fn in_a_child(fork: impl FnOnce() -> libc::pid_t, look: impl FnOnce() -> bool) -> bool {
        let child = fork();
        if child == 0 {
            let status = if look() { 0 } else { 1 };
            // SAFETY: ends the child at once.
            unsafe { libc::_exit(status) };
        }
        assert!(child > 0, "{}", std::io::Error::last_os_error());
        let mut status = 0;
        // SAFETY: waits for the child that was just made.
        assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
        libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0
    }

    #[allow(unsafe_code)]
    fn plain() -> libc::pid_t {
        // SAFETY: the child only looks at a page and exits.
        unsafe { libc::fork() }
    }

    /// A child that is process 1 of its own namespace, as its parent may be of another.
    #[allow(unsafe_code)]
    fn raw_clone() -> libc::pid_t {
        let flags = libc::SIGCHLD;
        // SAFETY: without a stack of its own and without shared memory it is a fork that runs no handler.
        unsafe { libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) as libc::pid_t }
    }

    #[test]
    fn a_child_is_another_process_and_so_is_its_child() {
        let here = Process::current();
        assert!(here.is_current() && here == Process::current());
        for fork in [plain, raw_clone] {
            assert!(in_a_child(fork, || {
                let child = Process::current();
                let is_new = !here.is_current() && child.is_current() && child != here;
                is_new
                    && in_a_child(plain, || {
                        !here.is_current() && !child.is_current() && Process::current().is_current()
                    })
            }));
        }
        assert!(here.is_current());
    }
}
