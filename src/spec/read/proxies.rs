//! `trusted_proxies`: who stands in front of the gateway and is believed.

use std::net::IpAddr;

use ipnet::IpNet;

use super::Section;

/// Reads them; what is wrong is noted.
pub fn trusted_proxies(top: &mut Section<'_>) -> Vec<IpNet> {
    const KEY: &str = "trusted_proxies";
    const FORM: &str = "write a list of addresses or ranges, such as [192.0.2.10, 10.0.0.0/24]";
    let written: Vec<String> = top.get(KEY, FORM).unwrap_or_default();
    let mut proxies = Vec::new();
    for text in written {
        let parsed = text
            .parse::<IpNet>()
            .or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        match parsed {
            Ok(range) if range.prefix_len() == 0 => top.problem(
                KEY,
                format!("{text} is every address there is, so anybody could say who they are"),
                "name the proxy alone",
            ),
            Ok(range) => proxies.push(range.trunc()),
            Err(_) => top.problem(KEY, format!("{text:?} is no address and no range"), FORM),
        }
    }
    proxies
}
