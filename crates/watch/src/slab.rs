//! Numbered places for values of one kind: 4 bytes name a place, and none moves as more are made.

use alloc::vec::Vec;
use core::mem;
use core::ops::{Index, IndexMut};

/// Places are made so many at a time, so that a million of them never wait for a copy of all.
const CHUNK: usize = 1024;

/// Values by number. A removed value's number is given to a later one.
#[derive(Debug)]
pub(crate) struct Slab<T> {
    chunks: Vec<Vec<T>>,
    free: Vec<u32>,
    places: usize,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self { chunks: Vec::new(), free: Vec::new(), places: 0 }
    }
}

impl<T: Default> Slab<T> {
    /// Puts a value in a free place; its number is never `u32::MAX`.
    pub(crate) fn insert(&mut self, value: T) -> u32 {
        if let Some(number) = self.free.pop() {
            self[number] = value;
            return number;
        }
        let number = u32::try_from(self.places).ok().filter(|number| *number < u32::MAX);
        let number = number.expect("fewer than 2^32 - 1 places");
        if self.places.is_multiple_of(CHUNK) {
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
        self.chunks[self.places / CHUNK].push(value);
        self.places += 1;
        number
    }

    /// Takes a value out of its place. When no value is left, all memory is given back.
    pub(crate) fn remove(&mut self, number: u32) -> T {
        let value = mem::take(&mut self[number]);
        self.free.push(number);
        if self.free.len() == self.places {
            *self = Self::default();
        }
        value
    }

    /// Values in their places.
    pub(crate) fn len(&self) -> usize {
        self.places - self.free.len()
    }
}

impl<T> Index<u32> for Slab<T> {
    type Output = T;

    fn index(&self, number: u32) -> &T {
        &self.chunks[number as usize / CHUNK][number as usize % CHUNK]
    }
}

impl<T> IndexMut<u32> for Slab<T> {
    fn index_mut(&mut self, number: u32) -> &mut T {
        &mut self.chunks[number as usize / CHUNK][number as usize % CHUNK]
    }
}

#[cfg(test)]
impl<T> Slab<T> {
    /// Bytes that the places take.
    pub(crate) fn bytes(&self) -> usize {
        self.chunks.len() * CHUNK * size_of::<T>()
            + self.chunks.capacity() * size_of::<Vec<T>>()
            + self.free.capacity() * size_of::<u32>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_used_again() {
        let mut slab = Slab::default();
        let numbers: Vec<u32> = (0..3000u64).map(|value| slab.insert(value)).collect();
        assert_eq!((slab.len(), slab[numbers[2999]]), (3000, 2999));
        assert_eq!(slab.remove(numbers[7]), 7);
        assert_eq!(slab.insert(8000), numbers[7]);
        assert_eq!(slab[numbers[7]], 8000);
    }

    #[test]
    fn an_empty_slab_holds_no_memory() {
        let mut slab = Slab::default();
        let numbers: Vec<u32> = (0..3000u64).map(|value| slab.insert(value)).collect();
        for (value, number) in (0..).zip(numbers) {
            assert_eq!(slab.remove(number), value);
        }
        assert_eq!((slab.len(), slab.bytes()), (0, 0));
    }
}
