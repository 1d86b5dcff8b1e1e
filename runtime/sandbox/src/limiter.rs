//! Memory, table and instance bounds of one store, with a record of what was refused.

use wasmtime::ResourceLimiter;

use crate::call::CallLimits;

/// Elements of all tables together, at most. The largest table of a known guest runtime has 7,690.
pub(crate) const TABLE_ELEMENTS: usize = 100_000;
pub(crate) const TABLES: usize = 64;
/// Components made by composition tools hold tens of core instances.
pub(crate) const INSTANCES: usize = 128;
pub(crate) const MEMORIES: usize = 8;

/// Sums all memories of a store against one limit.
#[derive(Debug)]
pub(crate) struct Limiter {
    limit: usize,
    used: usize,
    peak: usize,
    tables_used: usize,
    table_elements: usize,
    instances: usize,
    refused: Option<Refused>,
    table_refused: Option<Refused>,
}

/// A growth that the limiter did not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    /// What the sum would have become: bytes of memories, or elements of tables.
    pub(crate) wanted: usize,
    /// The limit.
    pub(crate) limit: usize,
}

impl Limiter {
    pub(crate) fn new(limits: &CallLimits) -> Self {
        Self {
            limit: usize::try_from(limits.memory).unwrap_or(usize::MAX),
            used: 0,
            peak: 0,
            tables_used: 0,
            table_elements: limits.table_elements,
            instances: limits.instances,
            refused: None,
            table_refused: None,
        }
    }

    /// The same for the next call of the same instance, whose memories and tables stay as large as they are.
    pub(crate) fn renewed(&self, limits: &CallLimits) -> Self {
        Self { used: self.used, peak: self.used, tables_used: self.tables_used, ..Self::new(limits) }
    }

    /// Sum of all memories now, in bytes.
    pub(crate) fn used(&self) -> u64 {
        self.used as u64
    }

    /// Elements of all tables.
    pub(crate) fn table_elements(&self) -> u64 {
        self.tables_used as u64
    }

    /// Largest sum of memories so far, in bytes.
    pub(crate) fn peak(&self) -> u64 {
        self.peak as u64
    }

    /// The last memory growth that was refused.
    pub(crate) fn refused(&self) -> Option<Refused> {
        self.refused
    }

    /// The last growth of a table that was refused.
    pub(crate) fn table_refused(&self) -> Option<Refused> {
        self.table_refused
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            // The memory's own maximum, not ours.
            return Ok(false);
        }
        let total = self.used.saturating_sub(current).saturating_add(desired);
        if total > self.limit {
            self.refused = Some(Refused { wanted: total, limit: self.limit });
            return Ok(false);
        }
        self.used = total;
        self.peak = self.peak.max(total);
        Ok(true)
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        let total = self.tables_used.saturating_sub(current).saturating_add(desired);
        // Before the maximum, which in a pool is the pool's where the table has none.
        if total > self.table_elements {
            self.table_refused = Some(Refused { wanted: total, limit: self.table_elements });
            return Ok(false);
        }
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        self.tables_used = total;
        Ok(true)
    }

    fn instances(&self) -> usize {
        self.instances
    }

    fn tables(&self) -> usize {
        TABLES
    }

    fn memories(&self) -> usize {
        MEMORIES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limited(memory: u64) -> Limiter {
        Limiter::new(&CallLimits { memory, table_elements: 10, ..CallLimits::default() })
    }

    #[test]
    fn memories_are_summed_and_the_refusal_is_kept() {
        let mut limiter = limited(100);
        assert!(limiter.memory_growing(0, 60, None).unwrap());
        assert!(!limiter.memory_growing(0, 50, None).unwrap());
        assert_eq!(limiter.refused(), Some(Refused { wanted: 110, limit: 100 }));
        assert!(limiter.memory_growing(60, 100, None).unwrap());
        assert_eq!(limiter.peak(), 100);
    }

    #[test]
    fn tables_are_summed() {
        let mut limiter = limited(100);
        assert!(limiter.table_growing(0, 6, None).unwrap());
        assert!(!limiter.table_growing(0, 5, None).unwrap());
        assert!(limiter.table_growing(6, 10, None).unwrap());
        assert_eq!(limiter.table_elements(), 10);
        assert_eq!(limiter.table_refused(), Some(Refused { wanted: 11, limit: 10 }));
    }

    #[test]
    fn a_memory_that_reaches_its_own_maximum_is_not_out_of_memory() {
        let mut limiter = limited(100);
        assert!(!limiter.memory_growing(0, 60, Some(50)).unwrap());
        assert_eq!(limiter.refused(), None);
    }
}
