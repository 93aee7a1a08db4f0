//! What every function that C calls goes through: pointers are checked, and no panic gets out.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::status::{Failed, HOMING_ERROR_INTERNAL, HOMING_ERROR_STRUCT_SIZE, HOMING_OK, homing_status};

/// Runs something that may fail. A panic becomes a failure.
pub(super) fn guarded<T>(body: impl FnOnce() -> Result<T, Failed>) -> Result<T, Failed> {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|_| Err(Failed::plain(HOMING_ERROR_INTERNAL)))
}

/// Runs the body of a function that returns a status and nothing more.
pub(super) fn status(body: impl FnOnce() -> Result<(), Failed>) -> homing_status {
    guarded(body).map_or_else(|failed| failed.status, |()| HOMING_OK)
}

/// Looks at something behind a handle; `otherwise` where there is nothing to look at.
///
/// # Safety
/// `handle` is NULL, or came from homing and was not freed.
pub(super) unsafe fn view<H, T>(handle: *const H, otherwise: T, look: impl FnOnce(&H) -> T) -> T {
    if handle.is_null() || !handle.is_aligned() {
        return otherwise;
    }
    // SAFETY: the caller's promise.
    let handle = unsafe { &*handle };
    catch_unwind(AssertUnwindSafe(|| look(handle))).unwrap_or(otherwise)
}

/// What a parameter points to.
///
/// # Safety
/// `pointer` is NULL, or points to a `T` that lives and is not changed during `'a`.
pub(super) unsafe fn reference<'a, T>(pointer: *const T, name: &str) -> Result<&'a T, Failed> {
    if pointer.is_null() || !pointer.is_aligned() {
        return Err(Failed::null(name));
    }
    // SAFETY: the caller's promise.
    Ok(unsafe { &*pointer })
}

/// A number a parameter points to; `None` for NULL. Wherever it lies: compilers of 32-bit systems disagree about how
/// 64-bit numbers are aligned.
///
/// # Safety
/// `pointer` is NULL, or a `T` can be read from it.
pub(super) unsafe fn number<T: Copy>(pointer: *const T) -> Option<T> {
    // SAFETY: the caller's promise.
    (!pointer.is_null()).then(|| unsafe { pointer.read_unaligned() })
}

/// A place for a result, checked before anything is done, written when all is done.
pub(super) struct Place<T>(*mut T);

impl<T> Place<T> {
    /// Checks the place.
    ///
    /// # Safety
    /// `pointer` is NULL, or a `T` can be written to it as long as this value lives.
    pub(super) unsafe fn new(pointer: *mut T, name: &str) -> Result<Self, Failed> {
        if pointer.is_null() {
            return Err(Failed::null(name));
        }
        Ok(Self(pointer))
    }

    /// The same where the caller may not want the result: none for NULL.
    ///
    /// # Safety
    /// As for [`new`](Self::new).
    pub(super) unsafe fn optional(pointer: *mut T) -> Option<Self> {
        (!pointer.is_null()).then_some(Self(pointer))
    }

    pub(super) fn write(self, value: T) {
        // SAFETY: promised when it was made.
        unsafe { self.0.write_unaligned(value) }
    }
}

impl<H> Place<*mut H> {
    /// Gives the caller a handle to own.
    pub(super) fn give(self, handle: H) {
        self.write(Box::into_raw(Box::new(handle)));
    }
}

/// Takes a handle back and drops it.
///
/// # Safety
/// `handle` is NULL, or came from [`Place::give`] and was not freed.
pub(super) unsafe fn free<H>(handle: *mut H) {
    if handle.is_null() || !handle.is_aligned() {
        return;
    }
    // SAFETY: the caller's promise.
    let handle = unsafe { Box::from_raw(handle) };
    // A panic while something is dropped is ours and stays here.
    let _ = catch_unwind(AssertUnwindSafe(|| drop(handle)));
}

/// A struct that starts with its size, and of which an older program has only the first part.
///
/// # Safety
/// `repr(C)`, the first field is a `u64` with the size, all bytes zero is a valid value, and there is no padding, for
/// which [`no_padding`] has to be asserted: a member appended to padding would not change the size.
pub(super) unsafe trait Growing: Copy {
    /// The size of the smallest part that makes sense.
    const LEAST: usize;
}

/// Reads such a struct; what the caller's version of it does not have is zero.
///
/// # Safety
/// `pointer` is NULL, or points to a struct whose first field says truly how large it is.
pub(super) unsafe fn read_sized<T: Growing>(pointer: *const T, name: &str) -> Result<T, Failed> {
    if pointer.is_null() {
        return Err(Failed::null(name));
    }
    // SAFETY: the caller's promise; all versions start with the size.
    let size = check_size::<T>(unsafe { pointer.cast::<u64>().read_unaligned() }, name)?;
    // SAFETY: zero is a valid value of `T`, by the promise of the trait.
    let mut value: T = unsafe { std::mem::zeroed() };
    // SAFETY: `size` bytes can be read by the caller's promise, and are no more than `T` has.
    unsafe { std::ptr::copy_nonoverlapping(pointer.cast::<u8>(), (&raw mut value).cast(), size) };
    Ok(value)
}

/// A place for such a struct, of the size its owner knows.
pub(super) struct SizedPlace<T> {
    pointer: *mut T,
    size: usize,
}

impl<T: Growing> SizedPlace<T> {
    /// Checks the place.
    ///
    /// # Safety
    /// `pointer` is NULL, or can be written to as far as its first field says, as long as this value lives.
    pub(super) unsafe fn new(pointer: *mut T, name: &str) -> Result<Self, Failed> {
        if pointer.is_null() {
            return Err(Failed::null(name));
        }
        // SAFETY: the caller's promise; all versions start with the size.
        let size = check_size::<T>(unsafe { pointer.cast::<u64>().read_unaligned() }, name)?;
        Ok(Self { pointer, size })
    }

    /// Writes as much as its owner knows. The size stays.
    pub(super) fn write(self, value: &T) {
        let head = size_of::<u64>();
        // SAFETY: promised when it was made; both have at least `self.size` bytes and do not overlap.
        unsafe {
            let (from, to) = ((&raw const *value).cast::<u8>(), self.pointer.cast::<u8>());
            std::ptr::copy_nonoverlapping(from.add(head), to.add(head), self.size - head);
        }
    }
}

/// Whether members of these sizes fill a struct of `whole` bytes.
pub(super) const fn no_padding(whole: usize, members: &[usize]) -> bool {
    let (mut sum, mut index) = (0, 0);
    while index < members.len() {
        sum += members[index];
        index += 1;
    }
    sum == whole
}

fn check_size<T: Growing>(given: u64, name: &str) -> Result<usize, Failed> {
    let most = size_of::<T>();
    let problem = match usize::try_from(given) {
        // Every version ends where a member ends, and so does each part of one that a compiler would make.
        Ok(size) if (T::LEAST..=most).contains(&size) && size.is_multiple_of(size_of::<usize>()) => {
            return Ok(size);
        }
        Ok(size) if size <= most => {
            format!("`{name}` has no sensible struct_size: {size}, at least {} are needed", T::LEAST)
        }
        Ok(_) | Err(_) => {
            format!(
                "`{name}` is of a newer homing than this library: its struct_size is {given}, {most} are known"
            )
        }
    };
    Err(Failed::new(HOMING_ERROR_STRUCT_SIZE, problem))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[repr(C)]
    #[derive(Clone, Copy, Debug, PartialEq)]
    struct Grown {
        struct_size: u64,
        first: u64,
        later: u64,
    }
    // SAFETY: it is all that.
    unsafe impl Growing for Grown {
        const LEAST: usize = 16;
    }

    #[test]
    fn a_panic_becomes_a_status_and_a_default() {
        assert_eq!(status(|| panic!("a fault")), HOMING_ERROR_INTERNAL);
        // SAFETY: it points to a number that lives.
        assert_eq!(unsafe { view(&raw const *Box::new(1), 7, |_: &i32| panic!("a fault")) }, 7);
    }

    #[test]
    fn an_older_struct_is_read_and_written_as_far_as_it_goes() {
        let mut whole = Grown { struct_size: 16, first: 1, later: 2 };
        // SAFETY: both are whole structs.
        let read = unsafe { read_sized(&raw const whole, "it") }.unwrap();
        assert_eq!(read, Grown { later: 0, ..whole });
        // SAFETY: as above.
        unsafe { SizedPlace::new(&raw mut whole, "it") }.unwrap().write(&Grown {
            struct_size: 9,
            first: 8,
            later: 7,
        });
        assert_eq!(whole, Grown { struct_size: 16, first: 8, later: 2 });
        for size in [0, 1, 8, 15, 17, 25, 32, u64::MAX] {
            whole.struct_size = size;
            // SAFETY: as above; a size that is wrong is not believed.
            let failed = unsafe { read_sized(&raw const whole, "it") }.unwrap_err();
            assert_eq!(failed.status, HOMING_ERROR_STRUCT_SIZE, "{size}");
        }
    }
}
