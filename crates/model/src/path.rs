//! What a path of a znode may be.
//!
//! The rules are those of ZooKeeper's `PathUtils.validatePath`, which sees UTF-16: a character
//! outside the basic plane is a pair of surrogates there and therefore refused here too.

use thiserror::Error;

/// Why a string is not the path of a znode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PathError {
    /// Nothing at all.
    #[error("path is empty")]
    Empty,
    /// Paths are absolute.
    #[error("path must start with / character")]
    Relative,
    /// Only the root ends so.
    #[error("path must not end with / character")]
    TrailingSlash,
    /// Two slashes in a row.
    #[error("empty node name specified at byte {0}")]
    EmptyName(usize),
    /// `.` and `..` are no names.
    #[error("relative paths not allowed at byte {0}")]
    Dots(usize),
    /// A character that no name may hold.
    #[error("invalid character {character:?} at byte {at}")]
    Character {
        /// The character.
        character: char,
        /// Where it stands, in bytes.
        at: usize,
    },
}

/// The root's path.
pub const ROOT: &str = "/";

/// Checks that `path` can name a znode.
///
/// # Errors
/// The first rule that it breaks.
pub fn validate(path: &str) -> Result<(), PathError> {
    if path == ROOT {
        return Ok(());
    }
    let names = match path.strip_prefix('/') {
        Some(names) => names,
        None if path.is_empty() => return Err(PathError::Empty),
        None => return Err(PathError::Relative),
    };
    if let Some((at, character)) = path.char_indices().find(|(_, c)| !is_allowed(*c)) {
        return Err(PathError::Character { character, at });
    }
    let mut at = 1;
    for name in names.split('/') {
        validate_name(name, at, at + name.len() == path.len())?;
        at += name.len() + 1;
    }
    Ok(())
}

fn validate_name(name: &str, at: usize, last: bool) -> Result<(), PathError> {
    match name {
        "" if last => Err(PathError::TrailingSlash),
        "" => Err(PathError::EmptyName(at)),
        "." | ".." => Err(PathError::Dots(at)),
        _ => Ok(()),
    }
}

fn is_allowed(character: char) -> bool {
    !matches!(character, '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{e000}'..='\u{f8ff}' | '\u{fff0}'..)
}

/// The path one level up and the last name; `None` for the root.
#[must_use]
pub fn split(path: &str) -> Option<(&str, &str)> {
    let (parent, name) = path.rsplit_once('/')?;
    if name.is_empty() {
        return None;
    }
    Some((if parent.is_empty() { ROOT } else { parent }, name))
}

/// The path of the node above; `None` for the root.
#[must_use]
pub fn parent(path: &str) -> Option<&str> {
    split(path).map(|(parent, _)| parent)
}

/// The names on the way from the root, none for the root itself.
pub fn names(path: &str) -> impl DoubleEndedIterator<Item = &str> {
    path.split('/').filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_name_a_znode() {
        for path in ["/", "/a", "/a/b", "/a/..b", "/.a", "/ä/\u{4e2d}", "/a b", "/\u{d7ff}"] {
            assert_eq!(validate(path), Ok(()), "{path}");
        }
    }

    #[test]
    fn paths_that_do_not() {
        for (path, error) in [
            ("", PathError::Empty),
            ("a", PathError::Relative),
            ("/a/", PathError::TrailingSlash),
            ("//", PathError::EmptyName(1)),
            ("//a", PathError::EmptyName(1)),
            ("/a//b", PathError::EmptyName(3)),
            ("/.", PathError::Dots(1)),
            ("/a/../b", PathError::Dots(3)),
            ("/a\0", PathError::Character { character: '\0', at: 2 }),
            ("/a\u{7f}", PathError::Character { character: '\u{7f}', at: 2 }),
            ("/\u{e000}", PathError::Character { character: '\u{e000}', at: 1 }),
            ("/\u{ffff}", PathError::Character { character: '\u{ffff}', at: 1 }),
            ("/\u{1f600}", PathError::Character { character: '\u{1f600}', at: 1 }),
        ] {
            assert_eq!(validate(path), Err(error), "{path:?}");
        }
    }

    #[test]
    fn the_way_up() {
        assert_eq!(split("/a/b"), Some(("/a", "b")));
        assert_eq!(split("/a"), Some(("/", "a")));
        assert_eq!(split("/"), None);
        assert!(names("/a/b").eq(["a", "b"]));
        assert_eq!(names("/").count(), 0);
    }
}
