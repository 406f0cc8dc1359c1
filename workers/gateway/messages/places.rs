//! How many requests of one account are under way: one that floods leaves room for the others.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Most requests of an account at once in one process.
const MOST: u32 = 64;

/// The requests under way, by account.
#[derive(Clone, Debug, Default)]
pub struct Places(Arc<Mutex<HashMap<String, u32>>>);

/// One request under way; over when it is dropped.
#[derive(Debug)]
pub struct Place {
    of: Places,
    account: String,
}

impl Places {
    /// A place, where there is one.
    pub fn take(&self, account: &str) -> Option<Place> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = all.entry(account.to_owned()).or_default();
        if *taken >= MOST {
            return None;
        }
        *taken += 1;
        Some(Place { of: self.clone(), account: account.to_owned() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut all = self.of.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(taken) = all.get_mut(&self.account) {
            *taken -= 1;
            if *taken == 0 {
                all.remove(&self.account);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_has_so_many_places_and_leaves_nothing_behind() {
        let places = Places::default();
        let taken: Vec<Place> = (0..MOST).map_while(|_| places.take("a")).collect();
        assert_eq!(taken.len(), 64);
        assert!(places.take("a").is_none());
        assert!(places.take("b").is_some(), "another account is not in its way");
        drop(taken);
        assert!(places.0.lock().unwrap().is_empty());
        assert!(places.take("a").is_some());
    }
}
