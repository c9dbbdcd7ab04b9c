//! `-D` pairs in the variables that ZooKeeper's scripts pass to Java.

/// The variables, the weaker first: of two `-D` with one name Java takes the last, and
/// `zkServer.sh` puts them in this order.
pub(super) const VARIABLES: [&str; 2] = ["SERVER_JVMFLAGS", "JVMFLAGS"];

/// One `-Dname=value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Flag {
    /// The variable that it stands in.
    pub(super) variable: &'static str,
    pub(super) name: String,
    pub(super) value: String,
}

/// The `-D` pairs of a variable's text, in order; everything else in it is for Java alone.
pub(super) fn parse(variable: &'static str, text: &str) -> Vec<Flag> {
    let pairs = words(text).into_iter().filter_map(|word| {
        let pair = word.strip_prefix("-D")?;
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        Some(Flag { variable, name: name.to_string(), value: value.trim().to_string() })
    });
    pairs.filter(|flag| !flag.name.is_empty()).collect()
}

/// Splits at blanks, as a shell does: quotes and backslashes keep together.
fn words(text: &str) -> Vec<String> {
    let (mut words, mut word) = (Vec::new(), None::<String>);
    let mut quote = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, quote) {
            (c, Some(q)) if c == q => quote = None,
            ('\'' | '"', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            ('\\', None | Some('"')) => word.get_or_insert_default().extend(chars.next()),
            (c, None) if c.is_whitespace() => words.extend(word.take()),
            (c, _) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn pairs_are_found_among_other_flags() {
        let cases: [(&str, &[(&str, &str)]); 9] = [
            ("", &[]),
            ("-Xmx1000m -Dzookeeper.snapCount=5", &[("zookeeper.snapCount", "5")]),
            ("-Da=1  -Db=2\t-Da=3", &[("a", "1"), ("b", "2"), ("a", "3")]),
            ("\"-Da=b c\" -Dd='e f'", &[("a", "b c"), ("d", "e f")]),
            ("-Da=\"b \\\" c\"", &[("a", "b \" c")]),
            ("-Da=b\\ c", &[("a", "b c")]),
            ("-Da -Db= -D -D=c", &[("a", ""), ("b", "")]),
            ("-Da=b=c", &[("a", "b=c")]),
            ("-Da='unfinished -Db=c", &[("a", "unfinished -Db=c")]),
        ];
        for (text, expected) in cases {
            let flags = parse("JVMFLAGS", text);
            let found: Vec<_> =
                flags.iter().map(|flag| (flag.name.as_str(), flag.value.as_str())).collect();
            assert_eq!(found, expected, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_is_too_strange(text: String) {
            let _ = parse("JVMFLAGS", &text);
        }
    }
}
