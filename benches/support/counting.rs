//! A global allocator that counts, so that "no allocation" and "so many bytes" are figures and not beliefs.
//!
//! It counts for each thread, because the harness of a test allocates on a thread of its own whenever it comes to it, and
//! once more for the whole process.

#![allow(
    unsafe_code,
    dead_code,
    reason = "an allocator is made of unsafe calls; not every user asks for every figure"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// The system's allocator with its counters.
pub struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    // Neither is made at its first use nor dropped at the end of the thread, so counting allocates nothing.
    static ALLOCATIONS_HERE: Cell<usize> = const { Cell::new(0) };
    static LIVE_HERE: Cell<isize> = const { Cell::new(0) };
}

/// Allocations and reallocations of this thread since it began.
pub fn allocations() -> usize {
    ALLOCATIONS_HERE.get()
}

/// Bytes this thread asked for, without those it gave back, whichever thread had asked for them.
pub fn live_bytes_here() -> isize {
    LIVE_HERE.get()
}

fn count(asked: usize, given_back: usize) {
    LIVE.fetch_add(asked, Relaxed);
    LIVE.fetch_sub(given_back, Relaxed);
    if asked > 0 {
        ALLOCATIONS_HERE.set(ALLOCATIONS_HERE.get() + 1);
    }
    // No layout is larger than `isize::MAX`.
    LIVE_HERE.set(LIVE_HERE.get() + asked.cast_signed() - given_back.cast_signed());
}

/// Bytes asked for and not given back; what the system's allocator adds for itself is not in it.
pub fn live_bytes() -> usize {
    LIVE.load(Relaxed)
}

// SAFETY: every call goes to the system's allocator unchanged; the counters touch no memory of the caller's.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        // SAFETY: the caller keeps the contract of `GlobalAlloc::alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        count(0, layout.size());
        // SAFETY: `memory` came from `System` with this layout, by way of `alloc` or `realloc`.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size, layout.size());
        // SAFETY: as for `dealloc`; the caller answers for the size.
        unsafe { System.realloc(memory, layout, size) }
    }
}
