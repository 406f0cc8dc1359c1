//! Which addresses of the network a tenant's call may reach: the public ones, and those that the operator named. What
//! hides another address in itself (mapped, translated, tunnelled) is judged by that one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Networks that the operator allows although they are not public.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allowed(Vec<(IpAddr, u8)>);

impl std::str::FromStr for Allowed {
    type Err = String;

    /// `10.0.0.0/8, 127.0.0.1, fd00::/8`; empty: none.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut networks = Vec::new();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (address, bits) = part.split_once('/').map_or((part, None), |(address, bits)| (address, Some(bits)));
            let wrong = || format!("{part:?} is no network; write 10.0.0.0/8 or 127.0.0.1");
            let address: IpAddr = address.parse().map_err(|_| wrong())?;
            let most = if address.is_ipv4() { 32 } else { 128 };
            let bits = bits.map_or(Ok(most), str::parse).map_err(|_| wrong())?;
            if bits > most {
                return Err(wrong());
            }
            networks.push((address, bits));
        }
        Ok(Self(networks))
    }
}

impl Allowed {
    /// Whether it is in one of the networks that were named.
    #[must_use]
    pub fn names(&self, address: IpAddr) -> bool {
        let inner = unwrapped(address);
        self.0.iter().any(|(network, bits)| holds(*network, *bits, inner))
    }

    /// Whether a call may reach this address.
    #[must_use]
    pub fn reaches(&self, address: IpAddr) -> bool {
        let inner = unwrapped(address);
        is_public(inner) && is_public(address) || self.names(address)
    }
}

fn holds(network: IpAddr, bits: u8, address: IpAddr) -> bool {
    let bits = u32::from(bits);
    match (network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) => {
            let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
            u32::from(network) & mask == u32::from(address) & mask
        }
        (IpAddr::V6(network), IpAddr::V6(address)) => {
            let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
            u128::from(network) & mask == u128::from(address) & mask
        }
        _ => false,
    }
}

/// The IPv4 address within a mapped, translated (NAT64) or tunnelled (6to4) one.
fn unwrapped(address: IpAddr) -> IpAddr {
    let IpAddr::V6(six) = address else { return address };
    let s = six.segments();
    let four = |high: u16, low: u16| IpAddr::V4(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)));
    match s {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => {
            four(high, low)
        }
        // ::a.b.c.d, long out of use; :: and ::1 are judged as they are
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 => four(high, low),
        _ => IpAddr::V6(six),
    }
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(four) => is_public_v4(four),
        IpAddr::V6(six) => is_public_v6(six),
    }
}

/// By the IANA registry of special-purpose addresses.
fn is_public_v4(four: Ipv4Addr) -> bool {
    let [a, b, c, _] = four.octets();
    !(four.is_private()
        || four.is_loopback()
        || four.is_link_local()
        || four.is_broadcast()
        || four.is_documentation()
        || four.is_multicast()
        || a == 0
        || a >= 240
        || a == 100 && (64..128).contains(&b)
        || a == 192 && b == 0 && c == 0
        || a == 192 && b == 88 && c == 99
        || a == 198 && (b == 18 || b == 19))
}

/// Global unicast alone (`2000::/3` and the NAT64 prefix), without tunnels and documentation.
fn is_public_v6(six: Ipv6Addr) -> bool {
    let s = six.segments();
    match s {
        // judged by what they hold, too
        [0, 0, 0, 0, 0, 0xffff, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] => true,
        [0x2001, second, ..] if second < 0x200 || second == 0xdb8 => false,
        [0x3fff, second, ..] if second < 0x1000 => false,
        [first, ..] => (0x2000..0x4000).contains(&first),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reaches(allowed: &str, address: &str) -> bool {
        allowed.parse::<Allowed>().unwrap().reaches(address.parse().unwrap())
    }

    #[test]
    fn public_addresses_are_reached_and_all_others_are_not() {
        for public in
            ["93.184.216.34", "8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "172.32.0.1"]
        {
            assert!(reaches("", public), "{public}");
        }
        for private in [
            "127.0.0.1",
            "127.8.8.8",
            "10.1.2.3",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "0.0.0.0",
            "100.64.0.1",
            "192.0.0.8",
            "192.0.2.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "240.0.0.1",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "fd12::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::10.0.0.1",
            "2002:7f00:1::",
            "2002:a00:1::",
            "::10.0.0.1",
            "2001::1",
            "2001:db8::1",
            "fec0::1",
            "100::1",
        ] {
            assert!(!reaches("", private), "{private}");
        }
    }

    #[test]
    fn the_operator_opens_networks_and_nothing_beside_them() {
        assert!(reaches("127.0.0.1", "127.0.0.1"));
        assert!(!reaches("127.0.0.1", "127.0.0.2"));
        assert!(reaches("10.0.0.0/8, fd00::/8", "10.255.0.1"));
        assert!(reaches("10.0.0.0/8, fd00::/8", "fd12::1"));
        assert!(reaches("10.0.0.0/8", "::ffff:10.0.0.1"));
        assert!(!reaches("10.0.0.0/8", "172.16.0.1"));
        assert!(!reaches("10.0.0.0/8", "192.168.0.1"));
        assert!(reaches("0.0.0.0/0", "127.0.0.1"), "whoever says so");
        for wrong in ["10.0.0.0/33", "localhost", "10.0.0", "::/129", "10.0.0.0/x"] {
            assert!(wrong.parse::<Allowed>().is_err(), "{wrong}");
        }
    }
}
