//! One fixed hash for the look-up tables, the same on every server and in every run.

const SEED: u64 = 0x9e37_79b9_7f4a_7c15;
const FACTOR: u64 = 0xff51_afd7_ed55_8ccd;

/// The hash of `bytes`, all 64 bits of it usable.
pub(crate) fn hash(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let start = mix(SEED, bytes.len() as u64);
    let hash = words.iter().fold(start, |hash, word| mix(hash, u64::from_le_bytes(*word)));
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    mix(hash, u64::from_le_bytes(last))
}

/// Works another word into a hash.
pub(crate) fn mix(hash: u64, word: u64) -> u64 {
    let mixed = (hash ^ word).wrapping_mul(FACTOR);
    let mixed = (mixed ^ (mixed >> 32)).wrapping_mul(SEED);
    mixed ^ (mixed >> 32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;
    use alloc::format;

    #[test]
    fn names_that_differ_in_one_digit_differ_in_the_top_and_the_low_bits() {
        let hashes: BTreeSet<u64> =
            (0..4096).map(|n| hash(format!("node-{n:010}").as_bytes())).collect();
        assert_eq!(hashes.len(), 4096);
        let low: BTreeSet<u64> = hashes.iter().map(|hash| hash & 4095).collect();
        let top: BTreeSet<u64> = hashes.iter().map(|hash| hash >> 57).collect();
        assert!(low.len() > 2300 && top.len() == 128, "{} {}", low.len(), top.len());
    }
}
