//! From what is written in several places to one value per key.
//!
//! Knows where values come from and which wins, and no key's meaning.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::Path;

use super::error::{ConfigError, Notice, Origin};
use super::flags::Flag;
use super::keys::{self, Treatment};
use super::properties::Property;

const PREFIX: &str = "zookeeper.";

/// One value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Value {
    pub(super) origin: Origin,
    /// The key, as written.
    pub(super) key: String,
    pub(super) text: String,
}

impl Value {
    /// What stands in a file.
    pub(super) fn of_property(file: &Path, property: Property) -> Self {
        let origin = Origin::File { file: file.to_path_buf(), line: property.line };
        Self { origin, key: property.key, text: property.value }
    }

    /// The error that this value is not possible.
    pub(super) fn refuse(&self, allowed: impl Into<String>) -> ConfigError {
        ConfigError::Value {
            origin: self.origin.clone(),
            key: self.key.clone(),
            value: self.text.clone(),
            allowed: allowed.into(),
        }
    }
}

/// The values that count, by key without prefix.
#[derive(Debug, Default)]
pub(super) struct Values(BTreeMap<String, Value>);

impl Values {
    /// Puts the file's properties and the flags together. Says which value of several won, and
    /// which keys are not used, and why.
    pub(super) fn gather(
        file: &Path,
        properties: Vec<Property>,
        flags: Vec<Flag>,
    ) -> (Self, Vec<Notice>) {
        let mut written: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        let from_flags = flags.into_iter().filter_map(of_flag);
        let from_file = properties.into_iter().map(|property| of_property(file, property));
        for (key, value) in from_flags.chain(from_file) {
            written.entry(key).or_default().push(value);
        }
        let mut notices = Vec::new();
        let mut values = Self::default();
        for (key, candidates) in written {
            let value = strongest(&key, candidates, &mut notices);
            values.0.insert(key, value);
        }
        values.set_unused_aside(&mut notices);
        (values, notices)
    }

    /// Takes out what nobody will ask for, and says so: unknown keys one by one, the others by
    /// what they have in common.
    fn set_unused_aside(&mut self, notices: &mut Vec<Notice>) {
        let (mut needless, mut missing) = (BTreeMap::new(), BTreeMap::new());
        self.0.retain(|key, value| match keys::treatment(key) {
            Some(Treatment::Used) => true,
            Some(Treatment::Needless(why)) => set_aside(needless.entry(why), value),
            Some(Treatment::Missing(_)) if is_off(&value.text) => {
                set_aside(needless.entry("they switch off what this version does not have"), value)
            }
            Some(Treatment::Missing(what)) => set_aside(missing.entry(what), value),
            None => {
                notices.push(unknown(key, value));
                false
            }
        });
        notices.extend(missing.into_iter().map(|(what, keys)| {
            let keys = keys.join(", ");
            Notice::warning(format!("this version does not have {what}: ignored {keys}"))
        }));
        notices.extend(needless.into_iter().map(|(why, keys)| {
            let keys = keys.join(", ");
            Notice::information(format!("ignored {keys}: {why}"))
        }));
    }

    pub(super) fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key)
    }

    /// The values whose key begins so, with the rest of the key.
    pub(super) fn beginning<'a>(
        &'a self,
        prefix: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a Value)> {
        self.0.iter().filter_map(move |(key, value)| Some((key.strip_prefix(prefix)?, value)))
    }

    /// A whole number, decimal or hexadecimal with `0x`.
    pub(super) fn number(
        &self,
        key: &str,
        allowed: RangeInclusive<i64>,
        unit: &str,
    ) -> Result<Option<i64>, ConfigError> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let number = parse_number(&value.text).filter(|number| allowed.contains(number));
        let number = number.ok_or_else(|| {
            value.refuse(format!("{unit}, from {} to {}", allowed.start(), allowed.end()))
        })?;
        Ok(Some(number))
    }

    /// `true` or `false`, in upper or lower case.
    pub(super) fn truth(&self, key: &str) -> Result<Option<bool>, ConfigError> {
        let Some(value) = self.get(key) else { return Ok(None) };
        match value.text.to_ascii_lowercase().as_str() {
            "true" => Ok(Some(true)),
            "false" => Ok(Some(false)),
            _ => Err(value.refuse("true or false")),
        }
    }
}

fn of_property(file: &Path, property: Property) -> (String, Value) {
    let key = property.key.strip_prefix(PREFIX).unwrap_or(&property.key).to_string();
    (key, Value::of_property(file, property))
}

/// Of the `-D` pairs those that are ZooKeeper's; the others are for Java and for libraries.
fn of_flag(flag: Flag) -> Option<(String, Value)> {
    let prefixed = flag.name.strip_prefix(PREFIX);
    let key = prefixed.or_else(|| keys::is_flag_only(&flag.name).then_some(&*flag.name))?;
    let key = key.to_string();
    Some((key, Value { origin: Origin::Variable(flag.variable), key: flag.name, text: flag.value }))
}

/// The value that counts. Of several places of one kind the last; the file wins over flags, as it
/// does in ZooKeeper, except for keys that ZooKeeper does not take from the file.
fn strongest(key: &str, candidates: Vec<Value>, notices: &mut Vec<Notice>) -> Value {
    let is_flag = |value: &Value| matches!(value.origin, Origin::Variable(_));
    let (flags, file): (Vec<_>, Vec<_>) = candidates.into_iter().partition(is_flag);
    let (weaker, stronger) = if keys::is_flag_only(key) { (file, flags) } else { (flags, file) };
    let mut ordered: Vec<_> = weaker.into_iter().chain(stronger).collect();
    let winner = ordered.pop().expect("a key that was written has a value");
    let beaten: Vec<_> = ordered
        .iter()
        .filter(|value| value.text != winner.text)
        .map(|value| format!("{} in {}", value.key, value.origin))
        .collect();
    if !beaten.is_empty() {
        let Value { origin, key, .. } = &winner;
        let beaten = beaten.join(", ");
        notices.push(Notice::warning(format!("{key} in {origin} wins over {beaten}")));
    }
    winner
}

fn is_off(text: &str) -> bool {
    ["false", "no"].iter().any(|off| text.eq_ignore_ascii_case(off))
}

fn set_aside<K: Ord>(
    group: std::collections::btree_map::Entry<'_, K, Vec<String>>,
    value: &Value,
) -> bool {
    group.or_default().push(value.key.clone());
    false
}

fn unknown(key: &str, value: &Value) -> Notice {
    let Value { origin, key: written, .. } = value;
    let meant = keys::like(key).map(|known| format!("; did you mean {known}?"));
    let meant = meant.unwrap_or_default();
    Notice::warning(format!("{origin}: ignored the unknown key {written:?}{meant}"))
}

fn parse_number(text: &str) -> Option<i64> {
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) if !digits.starts_with(['+', '-']) => i64::from_str_radix(digits, 16).ok(),
        Some(_) => None,
        None => text.parse().ok(),
    }
}
