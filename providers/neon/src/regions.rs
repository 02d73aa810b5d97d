//! What no API of Neon tells: which of its regions is near, which are closed, and from where its computes connect.

use azure2neon_core::cloud::EgressAddresses;
use azure2neon_core::{Error, ErrorKind, Result};

/// The day of the table below. It changes without notice, which is why the migration proves reachability.
const AS_OF: &str = "2026-04-01";

/// Addresses of the NAT gateways by region, from Neon's documentation page "Regions".
const EGRESS: &[(&str, &[&str])] = &[
    (
        "aws-us-east-1",
        &[
            "3.213.105.99",
            "3.222.32.110",
            "13.219.161.141",
            "23.23.0.232",
            "34.202.217.219",
            "34.224.137.41",
            "34.233.170.231",
            "34.235.208.71",
            "34.239.66.10",
            "35.168.244.148",
            "44.212.197.226",
            "52.70.189.141",
            "52.73.235.120",
            "54.88.155.118",
            "54.160.39.37",
            "54.173.116.247",
            "54.205.208.153",
            "98.88.203.121",
            "98.88.212.99",
            "100.26.142.14",
            "100.51.56.234",
        ],
    ),
    (
        "aws-us-east-2",
        &[
            "3.16.227.37",
            "3.128.6.252",
            "3.128.125.142",
            "3.129.145.179",
            "3.139.7.20",
            "3.139.195.115",
            "16.58.110.55",
            "16.58.110.124",
            "16.58.110.255",
            "18.116.233.216",
            "18.117.39.4",
            "18.217.181.229",
            "52.15.165.218",
        ],
    ),
    (
        "aws-us-west-2",
        &[
            "34.213.87.149",
            "35.83.202.11",
            "35.164.221.218",
            "44.235.241.217",
            "44.236.56.140",
            "52.32.22.241",
            "52.37.48.254",
            "52.40.99.9",
            "54.186.210.201",
            "54.213.57.47",
        ],
    ),
    (
        "aws-eu-central-1",
        &[
            "3.66.63.165",
            "3.123.76.138",
            "3.125.57.42",
            "3.125.234.79",
            "18.156.24.144",
            "18.158.63.175",
            "18.194.181.241",
            "18.198.137.195",
            "52.58.17.95",
        ],
    ),
    ("aws-eu-west-2", &["3.10.42.8", "18.133.205.39", "52.56.191.86"]),
    ("aws-ap-southeast-1", &["3.1.239.32", "47.131.90.115", "52.76.51.78", "54.254.50.26", "54.254.92.70", "54.255.161.23"]),
    ("aws-ap-southeast-2", &["13.55.152.144", "13.237.134.148", "54.153.185.87"]),
    ("aws-sa-east-1", &["18.230.1.215", "52.67.202.176", "54.232.117.41"]),
    ("azure-eastus2", &["48.211.218.176", "48.211.218.194", "48.211.218.200"]),
    ("azure-gwc", &["20.52.100.129", "20.52.100.208", "20.52.187.150"]),
    ("azure-westus3", &["20.38.38.171", "20.168.0.32", "20.168.0.77"]),
];

/// Why there is no project to be made in a region on Azure.
const CLOSED: &str = "Neon takes no new projects on Azure since 2026-04-07";

/// Where each Azure region's data goes by default: a pattern of regions (`*` at either end), the region, and why. The first
/// match counts. The pairs of eastus2, westus3 and germanywestcentral are Neon's own advice; the others follow geography,
/// and nothing inside the European Union leaves it.
const NEAREST: &[(&str, &str, &str)] = &[
    ("eastus*", "aws-us-east-1", "both are in Virginia"),
    ("canada*", "aws-us-east-1", "it is the nearest one to Canada"),
    ("centralus*", "aws-us-east-2", "it is the nearest one to the central US"),
    ("northcentralus*", "aws-us-east-2", "it is the nearest one to the central US"),
    ("southcentralus*", "aws-us-east-2", "it is the nearest one to the central US"),
    ("mexico*", "aws-us-east-2", "it is the nearest one to Mexico"),
    ("westus*", "aws-us-west-2", "it is the one in the western US"),
    ("westcentralus*", "aws-us-west-2", "it is the nearest one to the western US"),
    ("brazil*", "aws-sa-east-1", "it is the one in South America"),
    ("chile*", "aws-sa-east-1", "it is the one in South America"),
    ("uk*", "aws-eu-west-2", "both are in the United Kingdom"),
    ("northeurope", "aws-eu-central-1", "it is the one inside the European Union"),
    ("westeurope", "aws-eu-central-1", "it is the one inside the European Union"),
    ("germany*", "aws-eu-central-1", "both are in Germany"),
    ("france*", "aws-eu-central-1", "it is the one inside the European Union"),
    ("italy*", "aws-eu-central-1", "it is the one inside the European Union"),
    ("poland*", "aws-eu-central-1", "it is the one inside the European Union"),
    ("sweden*", "aws-eu-central-1", "it is the one inside the European Union"),
    ("spain*", "aws-eu-central-1", "it is the one inside the European Union"),
    ("austria*", "aws-eu-central-1", "it is the one inside the European Union"),
    ("belgium*", "aws-eu-central-1", "it is the one inside the European Union"),
    ("denmark*", "aws-eu-central-1", "it is the one inside the European Union"),
    ("finland*", "aws-eu-central-1", "it is the one inside the European Union"),
    ("greece*", "aws-eu-central-1", "it is the one inside the European Union"),
    ("switzerland*", "aws-eu-central-1", "it is the nearest one"),
    ("norway*", "aws-eu-central-1", "it is the nearest one"),
    ("uae*", "aws-eu-central-1", "it is the nearest one"),
    ("qatar*", "aws-eu-central-1", "it is the nearest one"),
    ("israel*", "aws-eu-central-1", "it is the nearest one"),
    ("southafrica*", "aws-eu-central-1", "it is the nearest one"),
    ("southeastasia", "aws-ap-southeast-1", "both are in Singapore"),
    ("eastasia", "aws-ap-southeast-1", "it is the nearest one"),
    ("*india", "aws-ap-southeast-1", "it is the nearest one"),
    ("japan*", "aws-ap-southeast-1", "it is the nearest one"),
    ("korea*", "aws-ap-southeast-1", "it is the nearest one"),
    ("malaysia*", "aws-ap-southeast-1", "it is the nearest one"),
    ("indonesia*", "aws-ap-southeast-1", "it is the nearest one"),
    ("australia*", "aws-ap-southeast-2", "it is the one in Australia"),
    ("newzealand*", "aws-ap-southeast-2", "it is the nearest one to New Zealand"),
];

fn matches(pattern: &str, region: &str) -> bool {
    match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        (Some(end), _) => region.ends_with(end),
        (_, Some(start)) => region.starts_with(start),
        _ => pattern == region,
    }
}

/// The region for a source, and why.
pub(crate) fn nearest(source_region: &str) -> Result<(String, String)> {
    let region = source_region.to_lowercase().replace(' ', "");
    let found = NEAREST.iter().find(|(pattern, ..)| matches(pattern, &region));
    let Some((_, target, why)) = found else {
        let text = format!("there is no default region of Neon for a source in {source_region}");
        return Err(Error::new(ErrorKind::Configuration, text).hint(format!("name one with --region: {}", open().join(", "))));
    };
    Ok(((*target).to_owned(), format!("for a source in {region}, {why}")))
}

/// Why no project can be made in the region, if so.
pub(crate) fn closed(region: &str) -> Option<String> {
    region.starts_with("azure-").then(|| {
        let pair = match region {
            "azure-eastus2" => Some("aws-us-east-1"),
            "azure-westus3" => Some("aws-us-west-2"),
            "azure-gwc" => Some("aws-eu-central-1"),
            _ => None,
        };
        match pair {
            Some(pair) => format!("{CLOSED}; the nearest region that is open is {pair}"),
            None => CLOSED.to_owned(),
        }
    })
}

fn open() -> Vec<&'static str> {
    EGRESS.iter().map(|(region, _)| *region).filter(|region| closed(region).is_none()).collect()
}

/// The addresses from which the region's computes connect.
pub(crate) fn egress(region: &str) -> Result<EgressAddresses> {
    let Some((_, addresses)) = EGRESS.iter().find(|(known, _)| *known == region) else {
        let text = format!("the addresses from which Neon's region {region} connects are not known");
        let hint =
            "look them up on https://neon.com/docs/introduction/regions (NAT gateway IP addresses) and give them with --egress-address";
        return Err(Error::new(ErrorKind::Configuration, text).hint(hint));
    };
    let addresses = addresses.iter().map(|address| (*address).to_owned()).collect();
    Ok(EgressAddresses { addresses, provenance: format!("Neon's documentation as of {AS_OF}") })
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn sources_inside_the_european_union_stay_there() {
        let inside = [
            "northeurope",
            "West Europe",
            "francecentral",
            "germanywestcentral",
            "italynorth",
            "polandcentral",
            "swedencentral",
            "spaincentral",
        ];
        for region in inside {
            assert_eq!(nearest(region).unwrap().0, "aws-eu-central-1", "{region}");
        }
        assert_eq!(nearest("uksouth").unwrap().0, "aws-eu-west-2");
    }

    #[test]
    fn each_part_of_the_world_has_its_region() {
        let pairs = [
            ("East US 2", "aws-us-east-1"),
            ("centralus", "aws-us-east-2"),
            ("westus3", "aws-us-west-2"),
            ("westcentralus", "aws-us-west-2"),
            ("centralindia", "aws-ap-southeast-1"),
            ("jioindiawest", ""),
            ("australiaeast", "aws-ap-southeast-2"),
            ("brazilsouth", "aws-sa-east-1"),
            ("moonbase1", ""),
        ];
        for (region, expected) in pairs {
            match nearest(region) {
                Ok((target, why)) => {
                    assert_eq!(target, expected, "{region}");
                    assert!(why.contains(&region.to_lowercase().replace(' ', "")));
                }
                Err(error) => {
                    assert_eq!(expected, "", "{region}");
                    assert_eq!(error.kind(), ErrorKind::Configuration);
                }
            }
        }
    }

    #[test]
    fn the_documented_table_is_this_one() {
        let text = include_str!("../../../docs/neon.md");
        let rows: Vec<(&str, &str)> =
            text.lines().filter_map(|line| line.strip_prefix("| `")?.strip_suffix("` |")?.split_once("` | `")).collect();
        let documented: Vec<(&str, &str)> = rows.iter().flat_map(|(from, to)| from.split("`, `").map(|from| (from, *to))).collect();
        let mut known: Vec<(&str, &str)> = NEAREST.iter().map(|(from, to, _)| (*from, *to)).collect();
        let mut documented: Vec<(&str, &str)> = documented.into_iter().filter(|(_, to)| to.starts_with("aws-")).collect();
        known.sort_unstable();
        documented.sort_unstable();
        assert_eq!(documented, known);
    }

    #[test]
    fn every_default_is_open_and_its_addresses_are_known() {
        for (_, target, _) in NEAREST {
            assert_eq!(closed(target), None);
            assert!(!egress(target).unwrap().addresses.is_empty());
        }
        assert!(closed("azure-gwc").unwrap().contains("aws-eu-central-1"));
        assert!(closed("azure-new").is_some());
    }

    #[test]
    fn the_table_holds_each_public_address_once() {
        let mut all: Vec<Ipv4Addr> = EGRESS.iter().flat_map(|(_, list)| list.iter()).map(|text| text.parse().unwrap()).collect();
        let count = all.len();
        assert!(all.iter().all(|address| !address.is_private() && !address.is_loopback() && !address.is_unspecified()));
        all.sort();
        all.dedup();
        assert_eq!(all.len(), count);
        let of = |region: &str| egress(region).unwrap();
        assert_eq!(of("aws-us-east-1").addresses.len(), 21);
        assert!(of("aws-eu-west-2").addresses.contains(&"18.133.205.39".to_owned()));
        assert!(of("aws-eu-west-2").provenance.contains("2026-04-01"));
        assert_eq!(egress("aws-moon-1").unwrap_err().kind(), ErrorKind::Configuration);
    }
}
