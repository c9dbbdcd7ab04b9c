//! A znode's own name, short ones without an allocation.

use alloc::boxed::Box;

const SHORT: usize = 22;

/// The last component of a path; empty for the root.
pub(crate) enum Name {
    Short(u8, [u8; SHORT]),
    Long(Box<str>),
}

const _: () = assert!(size_of::<Name>() == 24);

impl Name {
    pub(crate) fn new(name: &str) -> Self {
        if name.len() > SHORT {
            return Self::Long(name.into());
        }
        let mut bytes = [0; SHORT];
        bytes[..name.len()].copy_from_slice(name.as_bytes());
        Self::Short(name.len() as u8, bytes)
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Short(len, bytes) => &bytes[..*len as usize],
            Self::Long(name) => name.as_bytes(),
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Short(..) => {
                core::str::from_utf8(self.as_bytes()).expect("a name is made from a str")
            }
            Self::Long(name) => name,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back() {
        for name in
            ["", "a", "node-0000012345", "a name of 22 bytes, so", "one of more than 22 byt"]
        {
            assert_eq!(Name::new(name).as_str(), name);
        }
    }
}
