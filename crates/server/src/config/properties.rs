//! Java's properties format, which `zoo.cfg` is written in.
//!
//! Knows lines, separators and escapes, and no key. A file is UTF-8; one that is not is read as
//! Latin-1, as Java reads every file.

use std::iter::Peekable;
use std::str::CharIndices;

/// One `key=value`, with what stood around it taken off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Property {
    /// The line that it begins on, from 1.
    pub(super) line: usize,
    pub(super) key: String,
    pub(super) value: String,
}

/// A `\u` that four hexadecimal digits do not follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BadEscape {
    /// The line that the property begins on, from 1.
    pub(super) line: usize,
}

/// The characters of a file.
pub(super) fn decode(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.trim_start_matches('\u{feff}').to_string(),
        Err(_) => bytes.iter().copied().map(char::from).collect(),
    }
}

/// The properties of `text`, in order; a key may come more than once.
pub(super) fn parse(text: &str) -> Result<Vec<Property>, BadEscape> {
    logical_lines(text).map(|(line, text)| property(line, &text)).collect()
}

/// Lines without comments and blank ones; those that end in a backslash joined with the next.
fn logical_lines(text: &str) -> impl Iterator<Item = (usize, String)> {
    let mut natural = natural_lines(text).enumerate();
    std::iter::from_fn(move || {
        let (at, first) = natural.by_ref().find(|(_, line)| {
            let line = line.trim_start_matches(is_blank);
            !line.is_empty() && !line.starts_with(['#', '!'])
        })?;
        let mut joined = first.trim_start_matches(is_blank).to_string();
        while continues(&joined) {
            joined.pop();
            let Some((_, next)) = natural.next() else { break };
            joined.push_str(next.trim_start_matches(is_blank));
        }
        Some((at + 1, joined))
    })
}

/// Lines end in LF, CR or CR LF.
fn natural_lines(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let Some(end) = text.find(['\n', '\r']) else { return rest.take() };
        let ending = if text[end..].starts_with("\r\n") { 2 } else { 1 };
        rest = Some(&text[end + ending..]);
        Some(&text[..end])
    })
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\u{c}')
}

/// Whether a line ends in a backslash that is not itself escaped.
fn continues(line: &str) -> bool {
    line.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1
}

fn property(line: usize, text: &str) -> Result<Property, BadEscape> {
    let (key, value) = split(text);
    let unescape = |text| unescape(text).ok_or(BadEscape { line });
    let (key, value) = (unescape(key)?, unescape(value)?);
    Ok(Property { line, key: key.trim().to_string(), value: value.trim().to_string() })
}

/// A key ends at the first blank, `=` or `:` that is not escaped; of those, blanks and one sign
/// belong to neither side.
fn split(text: &str) -> (&str, &str) {
    let mut escaped = false;
    let end = text.find(|c| {
        let ends = !escaped && (is_blank(c) || c == '=' || c == ':');
        escaped = c == '\\' && !escaped;
        ends
    });
    let (key, rest) = text.split_at(end.unwrap_or(text.len()));
    let rest = rest.trim_start_matches(is_blank);
    let rest = rest.strip_prefix(['=', ':']).unwrap_or(rest);
    (key, rest.trim_start_matches(is_blank))
}

/// Resolves escapes. `\u` gives a UTF-16 unit: two make one of the later characters, and half of
/// such a pair becomes U+FFFD.
fn unescape(text: &str) -> Option<String> {
    if !text.contains('\\') {
        return Some(text.to_string());
    }
    let mut units = Vec::with_capacity(text.len());
    let mut chars = text.char_indices().peekable();
    while let Some((_, c)) = chars.next() {
        if c != '\\' {
            units.extend_from_slice(c.encode_utf16(&mut [0; 2]));
            continue;
        }
        match chars.next() {
            None => break,
            Some((_, 'u')) => units.push(utf16_unit(text, &mut chars)?),
            Some((_, c)) => units.extend_from_slice(escaped(c).encode_utf16(&mut [0; 2])),
        }
    }
    Some(String::from_utf16_lossy(&units))
}

fn escaped(c: char) -> char {
    match c {
        't' => '\t',
        'n' => '\n',
        'r' => '\r',
        'f' => '\u{c}',
        other => other,
    }
}

fn utf16_unit(text: &str, chars: &mut Peekable<CharIndices<'_>>) -> Option<u16> {
    let start = chars.peek()?.0;
    let digits = text.get(start..start + 4)?;
    if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    chars.nth(3)?;
    u16::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_forms_of_a_property() {
        type Case = (&'static str, &'static [(usize, &'static str, &'static str)]);
        let cases: [Case; 22] = [
            ("", &[]),
            ("a=b", &[(1, "a", "b")]),
            ("a:b", &[(1, "a", "b")]),
            ("a b", &[(1, "a", "b")]),
            ("a\tb", &[(1, "a", "b")]),
            ("  a  =  b  ", &[(1, "a", "b")]),
            ("a = = b", &[(1, "a", "= b")]),
            ("a", &[(1, "a", "")]),
            ("=b", &[(1, "", "b")]),
            ("# a=b\n  ! c=d\n\n \t\ne=f", &[(5, "e", "f")]),
            ("a=b\r\nc=d\re=f\n", &[(1, "a", "b"), (2, "c", "d"), (3, "e", "f")]),
            ("a=b\\\n   c\\\n#d\ne=f", &[(1, "a", "bc#d"), (4, "e", "f")]),
            ("a=b\\\\\nc=d", &[(1, "a", "b\\"), (2, "c", "d")]),
            ("a=b\\", &[(1, "a", "b")]),
            ("a\\=b\\:c\\ d=e", &[(1, "a=b:c d", "e")]),
            ("a=\\t1\\n2\\r3\\f4\\x5", &[(1, "a", "1\n2\r3\u{c}4x5")]),
            ("a=\\u0041\\u00e9", &[(1, "a", "A\u{e9}")]),
            ("a=\\ud83d\\ude00\\ud83d", &[(1, "a", "\u{1f600}\u{fffd}")]),
            ("a=C:\\\\data", &[(1, "a", "C:\\data")]),
            ("a=x#y!z", &[(1, "a", "x#y!z")]),
            ("server.1=h:1:2;3", &[(1, "server.1", "h:1:2;3")]),
            ("a=1\na=2", &[(1, "a", "1"), (2, "a", "2")]),
        ];
        for (text, expected) in cases {
            let properties = parse(text).unwrap();
            let found: Vec<_> =
                properties.iter().map(|p| (p.line, p.key.as_str(), p.value.as_str())).collect();
            assert_eq!(found, expected, "{text:?}");
        }
    }

    #[test]
    fn a_bad_escape_is_found_on_its_line() {
        for text in
            ["\na=\\u12", "\na=\\u12g4", "\na=\\u", "\na=\\u+123", "\n\\u00=b", "\na=\\u00\u{e9}"]
        {
            assert_eq!(parse(text), Err(BadEscape { line: 2 }), "{text:?}");
        }
    }

    #[test]
    fn other_bytes_are_latin_1() {
        assert_eq!(decode(b"a=\xe9"), "a=\u{e9}");
        assert_eq!(decode("\u{feff}a=\u{e9}".as_bytes()), "a=\u{e9}");
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_strange(bytes: Vec<u8>) {
            let _ = parse(&decode(&bytes));
        }

        #[test]
        fn what_is_escaped_comes_back(key in "[a-zA-Z.]{1,8}", value in "[^\\s\\\\][^\\\\\r\n\t\u{c}]{0,20}[^\\s\\\\]") {
            let escaped: String = value.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
            let properties = parse(&format!("{key}={escaped}")).unwrap();
            prop_assert_eq!(&properties[0].key, &key);
            prop_assert_eq!(&properties[0].value, &value);
        }
    }
}
