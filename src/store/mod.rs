//! Where the client keeps what must outlive the process.
//!
//! A [`Store`] holds a few small values by name. Which is all the client needs: what its engine
//! remembers is one value, written when something has changed that a next life would act upon, so a
//! quiet agent writes once a day. A store knows nothing of what is in a value.
//!
//! Reports that wait for a server are a queue and no value: `outbox` (feature `outbox`, on by default) keeps them.
//!
//! [`Folder`] keeps each value in a file of its own and is what most programs want. [`InMemory`] keeps
//! them for the life of the process. A client that was given neither keeps nothing. A product with
//! self-protected or encrypted storage implements the trait.
//!
//! ```
//! use homing::store::{InMemory, Store};
//!
//! let mut store = InMemory::default();
//! store.save("memory", b"what was")?;
//! assert_eq!(store.load("memory")?.as_deref(), Some(b"what was".as_slice()));
//! assert_eq!(store.load("another")?, None);
//! # Ok::<(), std::io::Error>(())
//! ```

#[cfg(test)]
mod faults;
mod folder;
mod found;
mod in_memory;
#[cfg(feature = "outbox")]
pub mod outbox;
mod system;
#[cfg(unix)]
mod way;

use std::io;

pub use folder::Folder;
pub use in_memory::InMemory;

/// The largest value, in bytes: 1,024 KiB, as much as the largest settings document.
pub const MAX_VALUE: usize = 1024 * 1024;

/// The largest memory, in bytes: 256 KiB. What an engine remembers of a server takes less than 200 bytes, so this holds more
/// than a thousand.
pub(crate) const MAX_MEMORY: usize = 256 * 1024;

/// The longest name of a value, in bytes.
pub const MAX_NAME: usize = 64;

/// Small values by name, kept beyond the life of the process.
///
/// # Threads
/// A client calls [`check`](Self::check) once and [`load`](Self::load) once for each of its values inside
/// [`start`](crate::client::Builder::start), on the thread that calls it, which waits for them. It calls [`save`](Self::save) on a thread
/// `homing-store`, which is there while there is something to write and ends after a second without. So a save may take
/// its time: heartbeats go on, and of each value only the newest waits, in the order in which they came. Never are two methods called at once.
/// When the client stops, what waits is saved within the grace and one second more, and what then still waits is dropped;
/// a save that is under way is waited for as a callback is. After the client has ended nothing is saved. The store is dropped on the
/// client's thread. A method may use the client, and must not wait for its end.
///
/// # Failures
/// An error is logged and told as an event, and the client goes on without: it tries again when it next has something to
/// save. A panic counts as an error.
///
/// Values come back whole or not at all: one that was written half has to be an error or `None`.
pub trait Store: Send {
    /// Looks whether values can be kept, so that a store that cannot is told when the client starts and not when there is
    /// first something to keep. By default there is nothing to look at.
    ///
    /// # Errors
    /// What is the matter, and what to do about it.
    fn check(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// The value of this name; `None` when there is none.
    ///
    /// # Errors
    /// The value cannot be read, or is larger than [`MAX_VALUE`].
    fn load(&mut self, name: &str) -> io::Result<Option<Vec<u8>>>;

    /// Keeps this value, in place of the one before it. When it returns, the value is as safe as this
    /// store makes it.
    ///
    /// # Errors
    /// The value cannot be kept. The one before it stays.
    fn save(&mut self, name: &str, value: &[u8]) -> io::Result<()>;
}

/// Names are file names on every system: `[a-z0-9-]`, 1 to [`MAX_NAME`] bytes.
fn check_name(name: &str) -> io::Result<()> {
    let fits = (1..=MAX_NAME).contains(&name.len());
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if fits && name.bytes().all(allowed) {
        return Ok(());
    }
    let problem = format!("`{name}` is no name of a value: 1 to {MAX_NAME} of a-z, 0-9 and `-`");
    Err(io::Error::new(io::ErrorKind::InvalidInput, problem))
}

fn check_value(value: &[u8]) -> io::Result<()> {
    if value.len() <= MAX_VALUE {
        return Ok(());
    }
    let problem = format!("a value of {} bytes is too large to keep: at most {MAX_VALUE}", value.len());
    Err(io::Error::new(io::ErrorKind::FileTooLarge, problem))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_can_be_a_file_name_on_every_system() {
        for good in ["memory", "a", "trial-2", &"x".repeat(64)] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        for bad in ["", ".", "..", "a/b", "a\\b", "A", "a b", "a.b", "ä", "nul\0", &"x".repeat(65)] {
            assert_eq!(check_name(bad).unwrap_err().kind(), io::ErrorKind::InvalidInput, "{bad:?}");
        }
    }
}
