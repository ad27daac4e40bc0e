//! Which addresses are never connected to.

use crate::address_policy::is_prohibited;

#[test]
fn private_addresses_need_leave_and_impossible_ones_never_get_it() {
    let inner = [
        "127.0.0.1",
        "127.255.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "172.31.255.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "192.0.0.8",
        "192.0.2.1",
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "::1",
        "fc00::1",
        "fdff::1",
        "fe80::1",
        "fec0::1",
        "2001:db8::1",
        "100::1",
        "3fff::1",
        "::ffff:10.0.0.1",
        "::ffff:127.0.0.1",
        "64:ff9b::10.0.0.1",
        "2002:7f00:1::",
        "2002:a00:1::1",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
    ];
    for ip in inner {
        assert!(is_prohibited(ip.parse().unwrap(), false), "{ip}");
        assert!(!is_prohibited(ip.parse().unwrap(), true), "{ip}");
    }
    let never = [
        "0.0.0.0",
        "0.1.2.3",
        "224.0.0.1",
        "239.1.1.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "ff02::1",
        "::ffff:0.0.0.0",
        "::ffff:224.0.0.1",
    ];
    for ip in never {
        assert!(is_prohibited(ip.parse().unwrap(), false), "{ip}");
        assert!(is_prohibited(ip.parse().unwrap(), true), "{ip}");
    }
    let open = [
        "1.1.1.1",
        "8.8.8.8",
        "172.15.0.1",
        "172.32.0.1",
        "100.63.0.1",
        "100.128.0.1",
        "192.0.1.1",
        "198.20.0.1",
        "169.253.0.1",
        "192.167.1.1",
        "2606:4700::1",
        "64:ff9b::8.8.8.8",
        "2002:808:808::1",
        "::ffff:8.8.8.8",
        "2001:4860::1",
    ];
    for ip in open {
        assert!(!is_prohibited(ip.parse().unwrap(), false), "{ip}");
    }
}
