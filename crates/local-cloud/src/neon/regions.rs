//! Neon's regions and the addresses from which their computes reach the world.

use std::net::Ipv4Addr;

/// One region that takes new projects.
pub(crate) struct Region {
    pub(crate) id: &'static str,
    pub(super) name: &'static str,
    /// What hosts of the region end with, behind the cell's label.
    pub(super) suffix: &'static str,
    pub(super) latitude: &'static str,
    pub(super) longitude: &'static str,
    /// Neon's published NAT addresses as of 2026-04-01.
    pub(crate) nat: &'static [Ipv4Addr],
}

/// Where a project goes whose creation names no region.
pub(super) const DEFAULT: &str = "aws-us-east-2";

/// The region of that id.
pub(crate) fn find(id: &str) -> Option<&'static Region> {
    REGIONS.iter().find(|region| region.id == id)
}

const fn ip(a: u8, b: u8, c: u8, d: u8) -> Ipv4Addr {
    Ipv4Addr::new(a, b, c, d)
}

/// The Azure regions are not here: they are closed to new projects since 2026-04-07.
pub(super) const REGIONS: &[Region] = &[
    Region {
        id: "aws-us-east-1",
        name: "AWS US East (N. Virginia)",
        suffix: "us-east-1.aws.neon.tech",
        latitude: "38.13",
        longitude: "-78.45",
        nat: &[
            ip(3, 213, 105, 99),
            ip(3, 222, 32, 110),
            ip(13, 219, 161, 141),
            ip(23, 23, 0, 232),
            ip(34, 202, 217, 219),
            ip(34, 224, 137, 41),
            ip(34, 233, 170, 231),
            ip(34, 235, 208, 71),
            ip(34, 239, 66, 10),
            ip(35, 168, 244, 148),
            ip(44, 212, 197, 226),
            ip(52, 70, 189, 141),
            ip(52, 73, 235, 120),
            ip(54, 88, 155, 118),
            ip(54, 160, 39, 37),
            ip(54, 173, 116, 247),
            ip(54, 205, 208, 153),
            ip(98, 88, 203, 121),
            ip(98, 88, 212, 99),
            ip(100, 26, 142, 14),
            ip(100, 51, 56, 234),
        ],
    },
    Region {
        id: "aws-us-east-2",
        name: "AWS US East (Ohio)",
        suffix: "us-east-2.aws.neon.tech",
        latitude: "39.96",
        longitude: "-83",
        nat: &[
            ip(3, 16, 227, 37),
            ip(3, 128, 6, 252),
            ip(3, 128, 125, 142),
            ip(3, 129, 145, 179),
            ip(3, 139, 7, 20),
            ip(3, 139, 195, 115),
            ip(16, 58, 110, 55),
            ip(16, 58, 110, 124),
            ip(16, 58, 110, 255),
            ip(18, 116, 233, 216),
            ip(18, 117, 39, 4),
            ip(18, 217, 181, 229),
            ip(52, 15, 165, 218),
        ],
    },
    Region {
        id: "aws-us-west-2",
        name: "AWS US West (Oregon)",
        suffix: "us-west-2.aws.neon.tech",
        latitude: "46.15",
        longitude: "-123.88",
        nat: &[
            ip(34, 213, 87, 149),
            ip(35, 83, 202, 11),
            ip(35, 164, 221, 218),
            ip(44, 235, 241, 217),
            ip(44, 236, 56, 140),
            ip(52, 32, 22, 241),
            ip(52, 37, 48, 254),
            ip(52, 40, 99, 9),
            ip(54, 186, 210, 201),
            ip(54, 213, 57, 47),
        ],
    },
    Region {
        id: "aws-eu-central-1",
        name: "AWS Europe (Frankfurt)",
        suffix: "eu-central-1.aws.neon.tech",
        latitude: "50",
        longitude: "8",
        nat: &[
            ip(3, 66, 63, 165),
            ip(3, 123, 76, 138),
            ip(3, 125, 57, 42),
            ip(3, 125, 234, 79),
            ip(18, 156, 24, 144),
            ip(18, 158, 63, 175),
            ip(18, 194, 181, 241),
            ip(18, 198, 137, 195),
            ip(52, 58, 17, 95),
        ],
    },
    Region {
        id: "aws-eu-west-2",
        name: "AWS Europe (London)",
        suffix: "eu-west-2.aws.neon.tech",
        latitude: "51.5",
        longitude: "-0.13",
        nat: &[ip(3, 10, 42, 8), ip(18, 133, 205, 39), ip(52, 56, 191, 86)],
    },
    Region {
        id: "aws-ap-southeast-1",
        name: "AWS Asia Pacific (Singapore)",
        suffix: "ap-southeast-1.aws.neon.tech",
        latitude: "1.37",
        longitude: "103.8",
        nat: &[ip(3, 1, 239, 32), ip(47, 131, 90, 115), ip(52, 76, 51, 78), ip(54, 254, 50, 26), ip(54, 254, 92, 70), ip(54, 255, 161, 23)],
    },
    Region {
        id: "aws-ap-southeast-2",
        name: "AWS Asia Pacific (Sydney)",
        suffix: "ap-southeast-2.aws.neon.tech",
        latitude: "-33.86",
        longitude: "151.2",
        nat: &[ip(13, 55, 152, 144), ip(13, 237, 134, 148), ip(54, 153, 185, 87)],
    },
    Region {
        id: "aws-sa-east-1",
        name: "AWS South America (Sao Paulo)",
        suffix: "sa-east-1.aws.neon.tech",
        latitude: "-23.34",
        longitude: "-46.38",
        nat: &[ip(18, 230, 1, 215), ip(52, 67, 202, 176), ip(54, 232, 117, 41)],
    },
];
