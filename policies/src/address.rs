//! Ranges of IP addresses, IPv4 and IPv6, in one canonical form each: what is the same range is the same value and the
//! same text. An IPv4 address in IPv6's clothes (`::ffff:203.0.113.7`) is an IPv4 address. Reads nothing but addresses:
//! no names, no ports, no zones.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A range of addresses: a network, or one address. Shown as people write it, so that one address has no prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AddressRange(IpNet);

const NO_RANGE: &str = "is no IP address and no range such as 203.0.113.0/24";

/// The prefix of IPv4 addresses mapped into IPv6.
const MAPPED_BITS: u8 = 96;

impl AddressRange {
    /// The network of an address with a prefix of that many bits; one address where there are not so many.
    pub fn around(address: IpAddr, bits: u8) -> Self {
        let address = canonical(address);
        let whole = if address.is_ipv4() { 32 } else { 128 };
        let net = IpNet::new(address, bits.min(whole)).unwrap_or(IpNet::from(address));
        Self(net.trunc())
    }

    /// Reads an address or a range; an address alone stands for its network of so many bits.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(text: &str, ipv4_bits: u8, ipv6_bits: u8) -> Result<Self, String> {
        if let Ok(address) = text.parse::<IpAddr>().map(canonical) {
            return Ok(Self::around(address, if address.is_ipv4() { ipv4_bits } else { ipv6_bits }));
        }
        text.parse()
    }

    /// Reads a range as Kubernetes, Go and nginx do: bits beyond the prefix do not count.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn loose(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let Some((address, bits)) = text.split_once('/') else { return text.parse() };
        let address = address.parse::<IpAddr>().map_err(|_| NO_RANGE.to_owned())?;
        let whole = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.parse::<u8>().ok().filter(|bits| *bits <= whole).ok_or(NO_RANGE)?;
        match address {
            IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some() => text.parse(),
            IpAddr::V4(_) | IpAddr::V6(_) => Ok(Self::around(address, bits)),
        }
    }

    /// How many bits its addresses share.
    pub fn bits(self) -> u8 {
        self.0.prefix_len()
    }

    /// Whether its addresses are IPv4.
    pub fn is_ipv4(self) -> bool {
        matches!(self.0, IpNet::V4(_))
    }

    /// Whether all addresses of `other` are in it.
    pub fn contains(self, other: Self) -> bool {
        self.0.contains(&other.0)
    }

    /// Whether any address is in both. Ranges never overlap in part: one contains the other.
    pub fn overlaps(self, other: Self) -> bool {
        self.contains(other) || other.contains(self)
    }

    /// As Kubernetes and nginx take it, with its prefix always.
    pub fn cidr(self) -> String {
        self.0.to_string()
    }

    /// What kind of address no stranger can have, where one is in it.
    pub fn special(self) -> Option<Special> {
        SPECIAL.iter().find_map(|(range, special)| {
            let range: Self = range.parse().ok()?;
            range.overlaps(self).then_some(*special)
        })
    }
}

/// Addresses that no client on the internet has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Special {
    /// Of a private network; a company's own clients may have these.
    Private(&'static str),
    /// Never a client's.
    Never(&'static str),
}

/// What is special about an address, the first that overlaps it.
const SPECIAL: [(&str, Special); 18] = [
    ("0.0.0.0/8", Special::Never("unspecified")),
    ("127.0.0.0/8", Special::Never("loopback")),
    // The metadata service of every cloud is in it.
    ("169.254.0.0/16", Special::Never("link-local")),
    ("192.0.0.0/24", Special::Never("reserved")),
    ("224.0.0.0/4", Special::Never("multicast")),
    ("240.0.0.0/4", Special::Never("reserved")),
    // Azure's balancer, DNS and health checks, public by its looks.
    ("168.63.129.16/32", Special::Never("Azure's own")),
    ("10.0.0.0/8", Special::Private("private")),
    ("172.16.0.0/12", Special::Private("private")),
    ("192.168.0.0/16", Special::Private("private")),
    ("100.64.0.0/10", Special::Private("shared by carriers and clouds")),
    ("198.18.0.0/15", Special::Private("for benchmarks")),
    ("::/127", Special::Never("unspecified or loopback")),
    // Whoever blocks these blocks IPv4 clients that nobody named.
    ("64:ff9b::/96", Special::Never("translated from IPv4")),
    ("fe80::/10", Special::Never("link-local")),
    ("ff00::/8", Special::Never("multicast")),
    ("fc00::/7", Special::Private("private")),
    ("fec0::/10", Special::Private("private")),
];

fn canonical(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => address.to_ipv4_mapped().map_or(IpAddr::V6(address), IpAddr::V4),
    }
}

impl FromStr for AddressRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || NO_RANGE.to_owned();
        let Some((address, bits)) = text.split_once('/') else {
            let address = text.parse::<IpAddr>().map_err(|_| wrong())?;
            return Ok(Self::around(address, u8::MAX));
        };
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        // `u8` reads "+24" and "024" too.
        if !bits.bytes().all(|digit| digit.is_ascii_digit()) || (bits.len() > 1 && bits.starts_with('0')) {
            return Err(wrong());
        }
        let bits: u8 = bits.parse().map_err(|_| wrong())?;
        let net = match address {
            IpAddr::V4(address) => v4(address, bits),
            IpAddr::V6(address) => match address.to_ipv4_mapped() {
                Some(mapped) if bits >= MAPPED_BITS => v4(mapped, bits - MAPPED_BITS),
                Some(_) | None => v6(address, bits),
            },
        };
        let net = net.ok_or_else(wrong)?;
        if net.trunc() != net {
            return Err(format!("has bits beyond its prefix; the range is {}", net.trunc()));
        }
        Ok(Self(net))
    }
}

fn v4(address: Ipv4Addr, bits: u8) -> Option<IpNet> {
    Ipv4Net::new(address, bits).ok().map(IpNet::V4)
}

fn v6(address: Ipv6Addr, bits: u8) -> Option<IpNet> {
    Ipv6Net::new(address, bits).ok().map(IpNet::V6)
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.prefix_len() == self.0.max_prefix_len() { self.0.addr().fmt(f) } else { self.0.fmt(f) }
    }
}

impl Serialize for AddressRange {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for AddressRange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|problem| de::Error::custom(format!("`{text}` {problem}")))
    }
}

/// The ranges that no other of them contains, sorted, each once.
pub fn merged(ranges: impl IntoIterator<Item = AddressRange>) -> Vec<AddressRange> {
    let mut all: Vec<AddressRange> = ranges.into_iter().collect();
    all.sort();
    all.dedup();
    let kept = |one: &AddressRange| !all.iter().any(|other| other != one && other.contains(*one));
    all.iter().copied().filter(kept).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(text: &str) -> AddressRange {
        text.parse().unwrap_or_else(|problem| panic!("{text} {problem}"))
    }

    #[test]
    fn the_same_range_is_the_same_text() {
        for (written, shown, cidr) in [
            ("203.0.113.7", "203.0.113.7", "203.0.113.7/32"),
            ("203.0.113.7/32", "203.0.113.7", "203.0.113.7/32"),
            ("203.0.113.0/24", "203.0.113.0/24", "203.0.113.0/24"),
            ("::ffff:203.0.113.7", "203.0.113.7", "203.0.113.7/32"),
            ("::ffff:203.0.113.0/120", "203.0.113.0/24", "203.0.113.0/24"),
            ("2001:DB8:0::1", "2001:db8::1", "2001:db8::1/128"),
            ("2001:db8::/32", "2001:db8::/32", "2001:db8::/32"),
        ] {
            assert_eq!((range(written).to_string(), range(written).cidr()), (shown.into(), cidr.into()));
        }
        let kept = serde_json::to_string(&range("2001:db8::1")).expect("plain data");
        assert_eq!(kept, "\"2001:db8::1/128\"");
        assert_eq!(
            serde_json::from_str::<AddressRange>(&kept).expect("it reads again"),
            range("2001:db8::1")
        );
    }

    #[test]
    fn a_range_knows_its_family_and_its_width() {
        let known = |text: &str| (range(text).is_ipv4(), range(text).bits());
        assert_eq!(known("203.0.113.0/24"), (true, 24));
        assert_eq!(known("0.0.0.0/0"), (true, 0));
        assert_eq!(known("2001:db8::1"), (false, 128));
    }

    #[test]
    fn nothing_else_is_an_address() {
        for bad in [
            "",
            "-",
            "localhost",
            "203.0.113.7:443",
            "[2001:db8::1]",
            "203.0.113",
            "203.0.113.07",
            "203.0.113.7 ",
            "203.0.113.7/33",
            "203.0.113.7/+32",
            "203.0.113.0/024",
            "0.0.0.0/00",
            "::ffff:203.0.113.7/64",
            "203.0.113.7/",
            "203.0.113.7/24",
            "2001:db8::1/32",
            "fe80::1%eth0",
            "1.2.3.4,5.6.7.8",
            "::/129",
        ] {
            assert!(bad.parse::<AddressRange>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn what_others_wrote_is_read_as_they_read_it() {
        let read = |text: &str| AddressRange::loose(text).map(|range| range.to_string());
        assert_eq!(read(" 10.244.3.1/24").as_deref(), Ok("10.244.3.0/24"), "a node's podCIDR");
        assert_eq!(read("2001:db8::1/64").as_deref(), Ok("2001:db8::/64"));
        assert_eq!(read("::ffff:203.0.113.0/120").as_deref(), Ok("203.0.113.0/24"));
        assert_eq!(read("203.0.113.7").as_deref(), Ok("203.0.113.7"));
        for bad in ["office", "203.0.113.7/33", "/24", "203.0.113.7/"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_address_stands_for_its_network_and_a_range_for_itself() {
        let read = |text: &str| AddressRange::read(text, 32, 64).map(|range| range.to_string());
        assert_eq!(read("2001:db8:1:2:3::4").as_deref(), Ok("2001:db8:1:2::/64"));
        assert_eq!(read("2001:db8:1:2:3::4/128").as_deref(), Ok("2001:db8:1:2:3::4"));
        assert_eq!(read("::ffff:203.0.113.7").as_deref(), Ok("203.0.113.7"));
        assert!(read("203.0.113.7/24").is_err());
    }

    #[test]
    fn overlap_is_seen_both_ways() {
        let (wide, narrow) = (range("203.0.113.0/24"), range("203.0.113.7"));
        assert!(wide.overlaps(narrow) && narrow.overlaps(wide) && !narrow.contains(wide));
        assert!(!range("2001:db8::/32").overlaps(range("0.0.0.0/0")), "families are apart");
        let all =
            ["203.0.113.7", "203.0.113.0/24", "198.51.100.1", "203.0.113.0/24", "2001:db8::1"].map(range);
        let left: Vec<String> = merged(all).iter().map(ToString::to_string).collect();
        assert_eq!(left, ["198.51.100.1", "203.0.113.0/24", "2001:db8::1"]);
    }

    #[test]
    fn what_no_stranger_has_is_known() {
        for never in [
            "127.0.0.1",
            "169.254.169.254",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "168.63.129.16",
            "::1",
            "::",
            "fe80::1",
            "ff02::1",
            "64:ff9b::1",
            "0.0.0.0/0",
            "::/0",
        ] {
            assert!(matches!(range(never).special(), Some(Special::Never(_))), "{never}");
        }
        for private in ["10.1.2.3", "172.31.0.1", "192.168.1.0/24", "100.64.0.1", "fd00:ec2::254"] {
            assert!(matches!(range(private).special(), Some(Special::Private(_))), "{private}");
        }
        for public in ["203.0.113.7", "172.32.0.1", "2001:db8::1", "11.0.0.0/8"] {
            assert_eq!(range(public).special(), None, "{public}");
        }
    }
}
