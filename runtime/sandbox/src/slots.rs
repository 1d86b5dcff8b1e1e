//! Slots: what instances live in. Each holds everything that one call may need at most, so that a call that has a slot
//! is never refused for want of room.

use tokio::sync::{Semaphore, SemaphorePermit};
use wasmtime::{Enabled, PoolingAllocationConfig};

use crate::limiter::{INSTANCES, MEMORIES, TABLE_ELEMENTS, TABLES};

/// With this much address space behind each memory, compiled code needs no bounds checks.
pub(crate) const RESERVATION: u64 = 4 << 30;
/// Native stack of a call, in bytes.
pub(crate) const STACK: usize = 1536 << 10;
/// A slot keeps so many of the pages that a call wrote, wiped, for the next one. More than a Rust plugin touches, and
/// little enough that an idle box does not notice.
const KEPT: usize = 256 << 10;
/// Beyond the calls that were asked for: plugins that are just being loaded.
const SPARE: usize = 2;
/// Bound on an instance's own metadata in the host; the largest known guest, Python, needs less than 1 MiB.
const METADATA: usize = 16 << 20;
/// Address space is not free of charge: with more slots, 8 memories each, 47 bits would not do.
const MOST: usize = 1_024;

/// How many calls run at the same time.
#[derive(Debug)]
pub(crate) struct Slots {
    /// Of calls and of instances that wait for one.
    count: u32,
    free: Semaphore,
}

impl Slots {
    /// For so many calls, and so many instances that wait for one.
    pub(crate) fn new(calls: usize, warm: usize) -> Self {
        let calls = calls.clamp(1, MOST) + SPARE;
        let count = calls + warm.min(MOST);
        Self { count: u32::try_from(count).unwrap_or(u32::MAX), free: Semaphore::new(calls) }
    }

    /// Waits for a slot; it is free again when the guard is dropped, which must be after the store.
    pub(crate) async fn take(&self) -> Option<SemaphorePermit<'_>> {
        // The semaphore is never closed.
        self.free.acquire().await.ok()
    }

    /// The pool that holds the slots. With `kept`, pages that a call wrote are wiped and kept; it needs the kernel's
    /// help to know them (`PAGEMAP_SCAN`, Linux 6.7). Without, to wipe all of them by hand is slower than to give them
    /// back.
    pub(crate) fn pool(&self, kept: bool) -> PoolingAllocationConfig {
        let each = |most: usize| self.count.saturating_mul(u32::try_from(most).unwrap_or(u32::MAX));
        let mut pool = PoolingAllocationConfig::new();
        pool.total_component_instances(self.count)
            .total_core_instances(each(INSTANCES))
            .total_memories(each(MEMORIES))
            .total_tables(each(TABLES))
            .total_stacks(self.count)
            .total_gc_heaps(0)
            .max_memory_size(usize::try_from(RESERVATION).unwrap_or(usize::MAX))
            .table_elements(TABLE_ELEMENTS)
            .max_tables_per_module(u32::try_from(TABLES).unwrap_or(u32::MAX))
            .max_core_instance_size(METADATA)
            .max_component_instance_size(METADATA)
            // Slots that were used already come first: the set in use stays as small as the calls at one time.
            .max_unused_warm_slots(0);
        if kept {
            pool.pagemap_scan(Enabled::Yes).linear_memory_keep_resident(KEPT).table_keep_resident(KEPT);
        }
        pool
    }
}
