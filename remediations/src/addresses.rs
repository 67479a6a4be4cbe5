//! To which addresses an HTTP call may go. Link-local addresses and the clouds' metadata services are never called,
//! whatever name leads there; loopback only where the operator wrote it himself.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Metadata services outside the link-local range: Alibaba, Azure, Oracle, Google by IPv6.
const METADATA: [IpAddr; 4] = [
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),
    IpAddr::V6(Ipv6Addr::new(0xfd20, 0x00ce, 0, 0, 0, 0, 0, 0x0254)),
];

/// AWS by IPv6: metadata, time, names, and the credentials of EKS's pods.
fn is_of_aws(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(v6) if v6.segments()[..2] == [0xfd00, 0x0ec2])
}

/// Why this address is not called, where it is not.
pub(crate) fn forbidden(address: IpAddr, loopback: bool) -> Option<&'static str> {
    let plain = embedded(address);
    let broadcast = matches!(plain, IpAddr::V4(v4) if v4.is_broadcast());
    let nobodys =
        (plain.is_unspecified() || plain.is_multicast() || broadcast).then_some("no address of one host");
    let further = translated(address).into_iter().map(IpAddr::V4);
    nobodys.or_else(|| std::iter::once(plain).chain(further).find_map(|one| guarded(one, loopback)))
}

/// Why nobody is called there, whoever it is.
fn guarded(address: IpAddr, loopback: bool) -> Option<&'static str> {
    let link_local = match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    if link_local {
        Some("a link-local address, where clouds keep their metadata")
    } else if METADATA.contains(&address) || is_of_aws(address) {
        Some("the metadata service of a cloud")
    } else if address.is_loopback() && !loopback {
        Some("a loopback address that the configuration does not name")
    } else {
        None
    }
}

/// The IPv4 address inside an IPv6 one: mapped, compatible, 6to4 and NAT64.
fn embedded(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    if v6.is_loopback() || v6.is_unspecified() {
        return address;
    }
    let parts = v6.segments();
    let of = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        IpAddr::V4(Ipv4Addr::new(a, b, c, d))
    };
    match parts {
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => of(high, low),
        [0x2002, high, low, ..] => of(high, low),
        _ => address,
    }
}

/// The IPv4 addresses that a NAT64 of a site's own (RFC 8215) may mean: nobody but its owner knows how long the prefix is
/// that it has within this range, and the address stands elsewhere for each length (RFC 6052, section 2.2), always around
/// the eighth byte.
fn translated(address: IpAddr) -> Vec<Ipv4Addr> {
    let IpAddr::V6(v6) = address else { return Vec::new() };
    let [0x64, 0xff9b, 1, ..] = v6.segments() else { return Vec::new() };
    let all = v6.octets();
    let at = |places: [usize; 4]| {
        let [a, b, c, d] = places.map(|place| all[place]);
        Ipv4Addr::new(a, b, c, d)
    };
    // Prefixes of 48, 56, 64 and 96 bits.
    vec![at([6, 7, 9, 10]), at([7, 9, 10, 11]), at([9, 10, 11, 12]), at([12, 13, 14, 15])]
}

/// Resolves as the system does, and gives nothing where one address of a name is forbidden.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Resolver {
    /// Whether names may lead to this machine.
    pub(crate) loopback: bool,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let loopback = self.loopback;
        Box::pin(async move {
            let host = name.as_str().to_owned();
            let found: Vec<SocketAddr> = tokio::net::lookup_host((host.as_str(), 0)).await?.collect();
            for address in &found {
                if let Some(why) = forbidden(address.ip(), loopback) {
                    return Err(format!("{host} is {}, {why}", address.ip()).into());
                }
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// Why the host of a URL that is an address is not called, where it is not. Names are judged when they are resolved.
pub(crate) fn literal(url: &reqwest::Url) -> Option<String> {
    let host = url.host_str()?.trim_start_matches('[').trim_end_matches(']');
    let address: IpAddr = host.parse().ok()?;
    forbidden(address, true).map(|why| format!("{address} is {why}"))
}

/// Whether a URL names this machine outright.
pub(crate) fn names_loopback(url: &reqwest::Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    host == "localhost"
        || host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok_and(|address| {
            embedded(address).is_loopback() || translated(address).iter().any(Ipv4Addr::is_loopback)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn link_local_and_metadata_are_forbidden_however_they_are_written() {
        for address in [
            "169.254.169.254",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "2002:a9fe:a9fe::1",
            "::a9fe:a9fe",
            "fe80::1",
            // A site's own NAT64, with a prefix of 96, 48, 56 and 64 bits.
            "64:ff9b:1::a9fe:a9fe",
            "64:ff9b:1:a9fe:a9:fe00::",
            "64:ff9b:1:a9:fe:a9fe::",
            "64:ff9b:1:7:a9:fea9:fe00:0",
            "fd00:ec2::254",
            "fd00:ec2::23",
            "fd20:ce::254",
            "100.100.100.200",
            "168.63.129.16",
            "0.0.0.0",
            "::",
            "224.0.0.1",
            "255.255.255.255",
        ] {
            let address: IpAddr = address.parse().expect(address);
            assert!(forbidden(address, true).is_some(), "{address}");
        }
    }

    #[test]
    fn loopback_is_for_those_who_name_it_and_private_networks_for_all() {
        for address in [
            "127.0.0.1",
            "127.8.8.8",
            "::1",
            "::ffff:127.0.0.1",
            "64:ff9b:1::7f00:1",
            "64:ff9b:1:7f00:0:100::",
        ] {
            let address: IpAddr = address.parse().expect(address);
            assert_eq!(forbidden(address, true), None, "{address}");
            assert!(forbidden(address, false).is_some(), "{address}");
        }
        for address in [
            "10.0.0.7",
            "192.168.1.1",
            "fd12::1",
            "93.184.215.14",
            "2606:2800:21f::1",
            "64:ff9b:1::a00:7",
            "64:ff9b:1:a00:0:700::",
        ] {
            assert_eq!(forbidden(address.parse().expect(address), false), None, "{address}");
        }
    }

    #[test]
    fn a_url_shows_an_address_before_any_name_is_resolved() {
        let url = |text: &str| reqwest::Url::parse(text).expect(text);
        assert!(literal(&url("http://169.254.169.254/latest")).is_some());
        assert!(literal(&url("http://2852039166/")).is_some(), "as one number");
        assert!(literal(&url("http://[fe80::1]/")).is_some());
        assert_eq!(literal(&url("http://127.0.0.1:8080/")), None);
        assert_eq!(literal(&url("http://maestro.prod.svc/")), None);
        assert!(names_loopback(&url("http://localhost:1")) && names_loopback(&url("http://[::1]:1")));
        assert!(names_loopback(&url("http://[64:ff9b:1:7f00:0:100::]:1")), "by a NAT64 of a site's own");
        assert!(!names_loopback(&url("http://localhost.evil.example")));
    }
}
