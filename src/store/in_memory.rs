//! Values for the life of the process.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use super::{Store, check_name, check_value};

/// Keeps values in memory. Clones share them, so that a program can stop a client and start another that
/// goes on where the first one was.
#[derive(Clone, Debug, Default)]
pub struct InMemory(Arc<Mutex<BTreeMap<String, Vec<u8>>>>);

impl Store for InMemory {
    fn load(&mut self, name: &str) -> io::Result<Option<Vec<u8>>> {
        check_name(name)?;
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned())
    }

    fn save(&mut self, name: &str, value: &[u8]) -> io::Result<()> {
        check_name(name)?;
        check_value(value)?;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), value.to_vec());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::MAX_VALUE;

    #[test]
    fn clones_share_what_is_kept_and_its_bounds() {
        let mut store = InMemory::default();
        let mut other = store.clone();
        store.save("a", b"1").unwrap();
        store.save("a", b"2").unwrap();
        assert_eq!(other.load("a").unwrap().unwrap(), b"2");
        assert!(store.save("A", b"").is_err() && store.load("A").is_err());
        assert!(store.save("a", &vec![0; MAX_VALUE]).is_ok());
        assert!(store.save("a", &vec![0; MAX_VALUE + 1]).is_err());
        assert_eq!(other.load("a").unwrap().unwrap().len(), MAX_VALUE);
    }
}
