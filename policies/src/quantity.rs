//! Quantities as Kubernetes writes them, such as `500m` or `16Gi`: read, compared, multiplied, and written in the
//! form that the API server keeps. Must never round down what a workload needs.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An amount, to the thousandth; what is finer is rounded up, as the API server does for CPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Quantity {
    thousandths: u128,
}

/// Why a text is no quantity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no quantity such as 500m, 2 or 16Gi")]
pub struct NoQuantity {
    /// The text.
    pub text: String,
}

const MEBI: u128 = 1 << 20;

/// Suffixes with what they multiply by.
const SUFFIXES: [(&str, u128); 13] = [
    ("Ki", 1 << 10),
    ("Mi", MEBI),
    ("Gi", 1 << 30),
    ("Ti", 1 << 40),
    ("Pi", 1 << 50),
    ("Ei", 1 << 60),
    ("k", 1_000),
    ("M", 1_000_000),
    ("G", 1_000_000_000),
    ("T", 1_000_000_000_000),
    ("P", 1_000_000_000_000_000),
    ("E", 1_000_000_000_000_000_000),
    ("", 1),
];

/// No quantity of Kubernetes is larger: 2^63 - 1 units.
const THOUSANDTHS_MAX: u128 = (i64::MAX as u128) * 1_000;

impl Quantity {
    /// Nothing.
    pub const ZERO: Self = Self { thousandths: 0 };

    /// In thousandths, where that fits.
    pub(crate) fn thousandths(self) -> Option<u32> {
        u32::try_from(self.thousandths).ok()
    }

    /// This many times a factor in thousandths, rounded up: to whole Mi where it is a whole number of Mi (memory), to
    /// the thousandth otherwise.
    #[must_use]
    pub fn times(self, factor_thousandths: u32) -> Self {
        let grown = (self.thousandths * u128::from(factor_thousandths)).div_ceil(1_000);
        let mebi = MEBI * 1_000;
        let thousandths = if self.thousandths >= mebi { grown.div_ceil(mebi) * mebi } else { grown };
        Self { thousandths: thousandths.min(THOUSANDTHS_MAX) }
    }
}

impl FromStr for Quantity {
    type Err = NoQuantity;

    fn from_str(text: &str) -> Result<Self, NoQuantity> {
        let no = || NoQuantity { text: text.to_owned() };
        let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
        let (number, suffix) = text.split_at(end);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.is_empty() && fraction.is_empty() || whole.len() > 19 || fraction.len() > 9 {
            return Err(no());
        }
        let digits: u128 = format!("0{whole}{fraction}").parse().map_err(|_| no())?;
        let below = 10u128.pow(u32::try_from(fraction.len()).map_err(|_| no())?);
        // In thousandths: numerator over denominator.
        let (up, down) = match (suffix, SUFFIXES.iter().find(|(name, _)| *name == suffix)) {
            (_, Some((_, times))) => (times * 1_000, 1),
            ("m", None) => (1, 1),
            ("u", None) => (1, 1_000),
            ("n", None) => (1, 1_000_000),
            (_, None) => {
                let power = suffix.strip_prefix(['e', 'E']).ok_or_else(no)?;
                let power: u32 = power.parse().ok().filter(|power| *power <= 18).ok_or_else(no)?;
                (10u128.pow(power) * 1_000, 1)
            }
        };
        let thousandths = digits.checked_mul(up).ok_or_else(no)?.div_ceil(below * down);
        if thousandths > THOUSANDTHS_MAX {
            return Err(no());
        }
        Ok(Self { thousandths })
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { thousandths } = *self;
        if thousandths % 1_000 != 0 {
            return write!(f, "{thousandths}m");
        }
        let units = thousandths / 1_000;
        let binary = SUFFIXES[1..6].iter().rev().find(|(_, times)| units != 0 && units % times == 0);
        match binary {
            Some((suffix, times)) => write!(f, "{}{suffix}", units / times),
            None => write!(f, "{units}"),
        }
    }
}

impl Serialize for Quantity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quantity(text: &str) -> Quantity {
        text.parse().unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn a_quantity_has_as_many_digits_as_kubernetes_takes() {
        for good in ["0000000000000000001", "9223372036854775807", "0.123456789", "1e18", ".5", "5."] {
            assert!(good.parse::<Quantity>().is_ok(), "{good}");
        }
        for bad in
            ["00000000000000000001", "9223372036854775808", "0.1234567890", "1e19", "8Ei", "", ".", "1x"]
        {
            assert!(bad.parse::<Quantity>().is_err(), "{bad}");
        }
    }

    #[test]
    fn one_amount_has_many_spellings_and_one_of_ours() {
        for (text, shown) in [
            ("500m", "500m"),
            ("0.5", "500m"),
            (".5", "500m"),
            ("2", "2"),
            ("2000m", "2"),
            ("1e3", "1000"),
            ("1k", "1000"),
            ("100u", "1m"),
            ("1Gi", "1Gi"),
            ("1024Mi", "1Gi"),
            ("1.5Gi", "1536Mi"),
            ("8G", "8000000000"),
            ("0", "0"),
        ] {
            assert_eq!(quantity(text).to_string(), shown, "{text}");
            assert_eq!(quantity(shown), quantity(text));
        }
        for text in ["", ".", "-1", "1 Gi", "Gi", "1gi", "1e", "1e-3", "1.2.3", "99999999999999999999", "NaN"]
        {
            assert!(text.parse::<Quantity>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn growing_never_rounds_down() {
        for (was, factor, becomes) in [
            ("4Gi", 1_500, "6Gi"),
            ("1000Mi", 1_333, "1333Mi"),
            ("1001Mi", 1_333, "1335Mi"),
            ("250m", 1_500, "375m"),
            ("1m", 1_100, "2m"),
            ("2", 2_000, "4"),
        ] {
            assert_eq!(quantity(was).times(factor).to_string(), becomes, "{was} * {factor}");
        }
    }
}
