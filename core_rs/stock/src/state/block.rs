//! Blocks of memory of which there are thousands.

/// What an allocator may add to a block to align what stands in it.
const ALIGNMENT_BYTES: usize = 16;

/// How many go into a block of so many bytes, a power of two. Allocators have room for blocks of a few sizes, powers of
/// two among them; one that is a little longer takes the next, up to a quarter of it unused.
pub(super) const fn room<T>(bytes: usize) -> usize {
    assert!(bytes.is_power_of_two());
    (bytes - ALIGNMENT_BYTES) / size_of::<T>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_block_and_what_aligns_it_are_no_longer_than_the_block() {
        assert_eq!((room::<[u8; 48]>(1 << 10), room::<u128>(4 << 10)), (21, 255));
    }
}
