//! What people type: trimmed, bounded, and free of control characters.

use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

/// Text without white space at its ends, trimmed as it is read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema, sqlx::Type)]
#[serde(transparent)]
#[sqlx(transparent)]
#[schema(value_type = String)]
pub struct Trimmed(String);

impl Trimmed {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text, or `None` if nothing is left of it: an empty note is no note.
    pub fn non_empty(self) -> Option<String> {
        (!self.0.is_empty()).then_some(self.0)
    }
}

impl From<&str> for Trimmed {
    fn from(text: &str) -> Self {
        Self(text.trim().to_owned())
    }
}

impl<'de> Deserialize<'de> for Trimmed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Ok(Self::from(text.as_str()))
    }
}

/// The rules below as regular expressions, under the names that request fields give as their `format`: the published
/// document carries the pattern. Lengths stand beside it.
pub const PATTERNS: &[(&str, &str)] = &[
    // One line with something to see in it.
    ("line", r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$"),
    // Line breaks and tabs allowed.
    ("lines", r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*$"),
    // No control characters.
    ("plain", r"^[^\x00-\x1f\x7f-\x9f]*$"),
];

/// Request rule: one line of `MIN` to `MAX` characters.
pub fn line<const MIN: usize, const MAX: usize>(text: &Trimmed, _: &()) -> garde::Result {
    length(text.as_str(), MIN, MAX)?;
    refuse_controls(text.as_str(), |_| false)
}

/// Request rule: up to `MAX` characters, line breaks and tabs allowed.
pub fn lines<const MAX: usize>(text: &Trimmed, _: &()) -> garde::Result {
    length(text.as_str(), 0, MAX)?;
    refuse_controls(text.as_str(), |c| matches!(c, '\n' | '\r' | '\t'))
}

/// Request rule for what a login compares and never stores: no control characters, which PostgreSQL could not look up.
pub fn lookup(text: &str, _: &()) -> garde::Result {
    length(text, 0, 255)?;
    refuse_controls(text, |_| false)
}

/// Request rule for a password that is compared: of any length (too long is simply wrong), without control characters.
pub fn password(text: &str, _: &()) -> garde::Result {
    refuse_controls(text, |_| false)
}

/// The same as [`lookup`], for trimmed text.
pub fn trimmed_lookup(text: &Trimmed, context: &()) -> garde::Result {
    lookup(text.as_str(), context)
}

/// Request rule for a new password: `MIN` to 71 bytes of UTF-8 (bcrypt reads no more) without control characters.
pub fn password_bytes<const MIN: usize>(text: &str, _: &()) -> garde::Result {
    if !(MIN..=71).contains(&text.len()) {
        return Err(garde::Error::new(format!("must have {MIN} to 71 bytes")));
    }
    refuse_controls(text, |_| false)
}

fn length(text: &str, min: usize, max: usize) -> garde::Result {
    let count = text.chars().count();
    if (min..=max).contains(&count) {
        return Ok(());
    }
    Err(garde::Error::new(if min == 0 {
        format!("must have at most {max} characters")
    } else {
        format!("must have {min} to {max} characters")
    }))
}

fn refuse_controls(text: &str, allowed: impl Fn(char) -> bool) -> garde::Result {
    if text.chars().any(|c| c.is_control() && !allowed(c)) {
        return Err(garde::Error::new("must not contain control characters"));
    }
    Ok(())
}

/// For a field that may be left out but not be null, and for one where null has a meaning of its own
/// (`Option<Option<T>>`): `#[serde(default, deserialize_with = "given")]`.
pub fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn matches(rule: &str, text: &str) -> bool {
        let (_, pattern) = PATTERNS.iter().find(|(name, _)| *name == rule).unwrap();
        jsonschema::is_valid(&json!({ "pattern": pattern }), &json!(text))
    }

    proptest! {
        /// What the published pattern allows is taken. What is taken it allows, once trimmed.
        #[test]
        fn patterns_say_what_the_rules_do(text in "[a한 \t\r\n\u{3000}\u{0}\u{b}\u{1f}\u{7f}\u{85}\u{9f}]{0,6}") {
            let trimmed = Trimmed::from(text.as_str());
            for (name, taken) in [
                ("line", line::<1, 9>(&trimmed, &()).is_ok()),
                ("lines", lines::<9>(&trimmed, &()).is_ok()),
                ("plain", lookup(trimmed.as_str(), &()).is_ok()),
            ] {
                prop_assert!(!matches(name, &text) || taken, "{name} allows {text:?}");
                prop_assert_eq!(matches(name, trimmed.as_str()), taken, "{} {:?}", name, trimmed);
            }
        }
    }

    #[test]
    fn lengths_count_characters_and_passwords_bytes() {
        assert!(line::<1, 2>(&"한글".into(), &()).is_ok());
        assert!(line::<1, 2>(&"한글날".into(), &()).is_err());
        assert!(line::<1, 2>(&"   ".into(), &()).is_err());
        assert!(password_bytes::<4>(&"가".repeat(23), &()).is_ok(), "69 bytes");
        assert!(password_bytes::<4>(&"가".repeat(24), &()).is_err(), "72 bytes");
    }

    #[test]
    fn control_characters_are_refused() {
        assert!(line::<0, 9>(&"a\0b".into(), &()).is_err());
        assert!(line::<0, 9>(&"a\nb".into(), &()).is_err());
        assert!(lines::<9>(&"a\nb".into(), &()).is_ok());
        assert!(lines::<9>(&"a\u{7f}b".into(), &()).is_err());
    }
}
