//! Maps that forget.

use std::hash::Hash;
use std::num::NonZeroUsize;

use lru::LruCache;

/// A map that forgets what was used least recently when it would hold more than `most`.
///
/// It grows as it fills. `LruCache::new` takes all its room at once: some megabytes that every cold start would clear.
pub(crate) fn bounded<K: Hash + Eq, V>(most: NonZeroUsize) -> LruCache<K, V> {
    let mut map = LruCache::unbounded();
    map.resize(most);
    map
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forgets_what_was_used_least_recently() {
        let mut map = bounded(NonZeroUsize::new(2).unwrap());
        map.put("a", 1);
        map.put("b", 2);
        map.get("a");
        map.put("c", 3);
        assert_eq!([map.peek("a"), map.peek("b"), map.peek("c")], [Some(&1), None, Some(&3)]);
    }
}
