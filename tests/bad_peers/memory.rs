//! What the thread of a client holds in memory, counted where it is allocated and freed.
#![allow(unsafe_code, reason = "an allocator is")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicIsize, Ordering};

/// The allocator of the system, which counts for threads that have a [`Meter`].
pub(crate) struct Metered;

/// Bytes that one thread holds beyond what it held at first.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    held: AtomicIsize,
    most: AtomicIsize,
}

thread_local! {
    static HERE: Cell<Option<&'static Meter>> = const { Cell::new(None) };
}

impl Meter {
    pub(crate) fn new() -> &'static Self {
        Box::leak(Box::default())
    }

    /// Counts for this thread from now on.
    pub(crate) fn enter(&'static self) {
        HERE.set(Some(self));
    }

    /// The most that was ever held.
    pub(crate) fn most(&self) -> usize {
        self.most.load(Ordering::Relaxed).unsigned_abs()
    }

    fn add(&self, bytes: isize) {
        let held = self.held.fetch_add(bytes, Ordering::Relaxed) + bytes;
        self.most.fetch_max(held, Ordering::Relaxed);
    }
}

fn count(size: usize, sign: isize) {
    // A thread that is about to end has no meter any more.
    let _ = HERE.try_with(|here| here.get().map(|meter| meter.add(sign * size.cast_signed())));
}

// SAFETY: everything is the allocator of the system's, and counting allocates nothing.
unsafe impl GlobalAlloc for Metered {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 1);
        // SAFETY: the caller keeps the contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        count(layout.size(), -1);
        // SAFETY: the caller keeps the contract.
        unsafe { System.dealloc(place, layout) }
    }
}
