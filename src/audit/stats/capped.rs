//! A map that stops growing: names in a log come from outside, and there may be any number.

use std::collections::BTreeMap;

/// Tells so many keys apart, and counts all later ones together.
#[derive(Debug, Clone)]
pub struct Capped<K, V> {
    told_apart: BTreeMap<K, V>,
    others: Option<V>,
    limit: usize,
}

impl<K: Ord, V: Default> Capped<K, V> {
    /// Tells `limit` keys apart.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            told_apart: BTreeMap::new(),
            others: None,
            limit,
        }
    }

    /// What is counted for a key, or for all others.
    pub fn of(&mut self, key: K) -> &mut V {
        if self.told_apart.len() >= self.limit && !self.told_apart.contains_key(&key) {
            return self.others.get_or_insert_default();
        }
        self.told_apart.entry(key).or_default()
    }

    /// What was told apart, in the order of keys.
    pub fn told_apart(&self) -> impl Iterator<Item = (&K, &V)> {
        self.told_apart.iter()
    }

    /// How many keys were told apart.
    #[must_use]
    pub fn len(&self) -> usize {
        self.told_apart.len()
    }

    /// Whether nothing was counted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.told_apart.is_empty()
    }

    /// What was told apart, in the order of keys.
    pub fn into_told_apart(self) -> impl Iterator<Item = (K, V)> {
        self.told_apart.into_iter()
    }

    /// Everything; what was not told apart comes last, under the name given.
    pub fn into_all(self, name: impl FnOnce() -> K) -> Vec<(K, V)> {
        let mut all: Vec<(K, V)> = self.told_apart.into_iter().collect();
        all.extend(self.others.map(|others| (name(), others)));
        all
    }
}
