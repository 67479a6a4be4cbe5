//! JSON values that may turn out to be something else than was hoped for. Reading one never fails for its type, only
//! for broken JSON, so that one bad alert does not end the reading of its batch; and nothing is copied that is not kept.

use std::borrow::Cow;
use std::collections::btree_map::Entry;
use std::fmt;

use paramedic_policies::alert::Labels;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::bounds;

/// What was found instead of what was hoped for, as a noun: `a number`.
pub(super) type Noun = &'static str;

/// Text, or what stood in its place.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) enum Text<'a> {
    /// Not there, or `null`.
    #[default]
    Absent,
    /// Text.
    Is(Cow<'a, str>),
    /// A whole number, kept because `version: 4` means `"4"`.
    Number(u64),
    /// Something else.
    Other(Noun),
}

impl Text<'_> {
    /// The text, if it is one.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Is(text) => Some(text),
            Self::Absent | Self::Number(_) | Self::Other(_) => None,
        }
    }

    /// What stood in the place of text.
    pub(super) fn noun(&self) -> Option<Noun> {
        match self {
            Self::Absent | Self::Is(_) => None,
            Self::Number(_) => Some("a number"),
            Self::Other(noun) => Some(noun),
        }
    }
}

/// Visits everything that is not text, a map or a list in the way that suits all types here.
macro_rules! others {
    ($other:expr) => {
        fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
            Ok($other("a boolean"))
        }
        fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
            Ok($other("a number"))
        }
        fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
            Ok($other("a number"))
        }
    };
}

fn drain_list<'de, A: SeqAccess<'de>>(mut list: A) -> Result<(), A::Error> {
    while list.next_element::<IgnoredAny>()?.is_some() {}
    Ok(())
}

fn drain_map<'de, A: MapAccess<'de>>(mut map: A) -> Result<(), A::Error> {
    while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
    Ok(())
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reading;
        impl<'de> Visitor<'de> for Reading {
            type Value = Text<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("anything")
            }
            others!(Text::Other);
            fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
                Ok(Text::Number(number))
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text::Is(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text::Is(Cow::Owned(text.to_owned())))
            }
            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Text::Absent)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
                drain_list(list).map(|()| Text::Other("a list"))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                drain_map(map).map(|()| Text::Other("an object"))
            }
        }
        deserializer.deserialize_any(Reading)
    }
}

/// A count, or what stood in its place.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) enum Count {
    /// Not there, or `null`.
    #[default]
    Absent,
    /// A whole number from zero; the largest there is for what is larger.
    Is(u64),
    /// A number, and no count.
    Odd(String),
    /// No number.
    Not(Noun),
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reading;
        impl<'de> Visitor<'de> for Reading {
            type Value = Count;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("anything")
            }
            fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
                Ok(Count::Not("a boolean"))
            }
            fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
                Ok(Count::Is(number))
            }
            fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
                Ok(u64::try_from(number).map_or_else(|_| Count::Odd(number.to_string()), Count::Is))
            }
            fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
                // Senders write large counts as 1e18. A cast stops at the largest there is.
                let is_count = number >= 0.0 && number.fract() == 0.0;
                Ok(if is_count { Count::Is(number as u64) } else { Count::Odd(format!("{number:?}")) })
            }
            fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
                Ok(Count::Not("text"))
            }
            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Count::Absent)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
                drain_list(list).map(|()| Count::Not("a list"))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                drain_map(map).map(|()| Count::Not("an object"))
            }
        }
        deserializer.deserialize_any(Reading)
    }
}

/// Names with their values, and what is wrong with them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Pairs {
    /// Those that are text, without the empty ones.
    pub(super) pairs: Labels,
    /// The first name whose value is none, or that is there twice.
    pub(super) problem: Option<String>,
    /// What it is, where it is no object at all.
    pub(super) not_object: Option<Noun>,
}

impl Pairs {
    fn not(noun: Noun) -> Self {
        Self { not_object: Some(noun), ..Self::default() }
    }

    fn take(&mut self, name: Cow<'_, str>, value: Text<'_>) {
        let problem = match value {
            Text::Absent => format!("{} is null", bounds::quoted(&name)),
            Text::Number(_) => format!("{} is a number, not text", bounds::quoted(&name)),
            Text::Other(noun) => format!("{} is {noun}, not text", bounds::quoted(&name)),
            // As in Prometheus, a label without a value is no label.
            Text::Is(value) if value.is_empty() => return,
            Text::Is(value) => match self.pairs.entry(name.into_owned()) {
                Entry::Vacant(place) => {
                    place.insert(value.into_owned());
                    return;
                }
                Entry::Occupied(twin) => format!("{} is there twice", bounds::quoted(twin.key())),
            },
        };
        self.problem.get_or_insert(problem);
    }
}

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reading;
        impl<'de> Visitor<'de> for Reading {
            type Value = Pairs;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("anything")
            }
            others!(Pairs::not);
            fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
                Ok(Pairs::not("a number"))
            }
            fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
                Ok(Pairs::not("text"))
            }
            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Pairs::default())
            }
            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
                drain_list(list).map(|()| Pairs::not("a list"))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut read = Pairs::default();
                while let Some((name, value)) = map.next_entry::<Text<'de>, Text<'de>>()? {
                    if let Text::Is(name) = name {
                        read.take(name, value);
                    }
                }
                Ok(read)
            }
        }
        deserializer.deserialize_any(Reading)
    }
}

/// One element of `alerts`, in whatever shape it came.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all are the large one, and a box each would cost a storm more"
)]
pub(super) enum Element<'a> {
    /// An object.
    Fields(Fields<'a>),
    /// Something else.
    Not(Noun),
}

/// The fields of an alert, unchecked. Any other field is ignored: senders add their own.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Fields<'a> {
    pub(super) status: Text<'a>,
    pub(super) labels: Pairs,
    pub(super) annotations: Pairs,
    pub(super) starts_at: Text<'a>,
    pub(super) ends_at: Text<'a>,
    pub(super) fingerprint: Text<'a>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Element<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reading;
        impl<'de> Visitor<'de> for Reading {
            type Value = Element<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("anything")
            }
            others!(Element::Not);
            fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
                Ok(Element::Not("a number"))
            }
            fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
                Ok(Element::Not("text"))
            }
            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Element::Not("null"))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
                drain_list(list).map(|()| Element::Not("a list"))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Fields::default();
                while let Some(name) = map.next_key::<Text<'de>>()? {
                    match name.text().unwrap_or_default() {
                        "status" => fields.status = map.next_value()?,
                        "labels" => fields.labels = map.next_value()?,
                        "annotations" => fields.annotations = map.next_value()?,
                        "startsAt" => fields.starts_at = map.next_value()?,
                        "endsAt" => fields.ends_at = map.next_value()?,
                        "fingerprint" => fields.fingerprint = map.next_value()?,
                        _ => {
                            map.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                Ok(Element::Fields(fields))
            }
        }
        deserializer.deserialize_any(Reading)
    }
}

/// The value of `alerts`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) enum Elements<'a> {
    /// Not there.
    #[default]
    Absent,
    /// A list.
    List(Vec<Element<'a>>),
    /// Something else.
    Not(Noun),
}

impl<'de: 'a, 'a> Deserialize<'de> for Elements<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reading;
        impl<'de> Visitor<'de> for Reading {
            type Value = Elements<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("anything")
            }
            others!(Elements::Not);
            fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
                Ok(Elements::Not("a number"))
            }
            fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
                Ok(Elements::Not("text"))
            }
            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Elements::Not("null"))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                drain_map(map).map(|()| Elements::Not("an object"))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut elements = Vec::new();
                while let Some(element) = list.next_element()? {
                    elements.push(element);
                }
                Ok(Elements::List(elements))
            }
        }
        deserializer.deserialize_any(Reading)
    }
}
