//! What the service offers in a location, as far as the simulated server goes.

use serde_json::{Value, json};

use crate::http::Answer;

/// The versions of a flexible server, oldest first.
const VERSIONS: [&str; 5] = ["14", "15", "16", "17", "18"];

/// Sizes of a disk in GiB, with the performance tier and the IOPS that each of them has.
const DISKS: [(u32, &str, u32); 6] =
    [(32, "P4", 120), (64, "P6", 240), (128, "P10", 500), (256, "P15", 1100), (512, "P20", 2300), (1024, "P30", 5000)];

/// What a location may offer besides.
const FEATURES: [(&str, bool); 6] = [
    ("OfferRestricted", false),
    ("FastProvisioning", false),
    ("ZoneRedundantHa", false),
    ("GeoBackup", false),
    ("OnlineResize", false),
    ("StorageAutoGrowth", true),
];

/// The list for a location or for a server in it: one edition with the one kind of machine that there is.
pub(super) fn list() -> Answer {
    let able = |able: bool| if able { "Enabled" } else { "Disabled" };
    let features: Vec<Value> = FEATURES.iter().map(|(name, on)| json!({ "name": name, "status": able(*on) })).collect();
    let versions: Vec<Value> = VERSIONS
        .iter()
        .enumerate()
        .map(|(index, version)| json!({ "name": version, "supportedVersionsToUpgrade": VERSIONS[index + 1..], "supportedFeatures": [] }))
        .collect();
    let disks: Vec<Value> = DISKS
        .iter()
        .map(|(size, tier, iops)| {
            json!({
                "storageSizeMb": size * 1024,
                "supportedIops": iops,
                "defaultIopsTier": tier,
                "supportedIopsTiers": [{ "name": tier, "iops": iops }],
            })
        })
        .collect();
    Answer::ok(json!({ "value": [{
        "name": "FlexibleServerCapabilities",
        "supportedServerEditions": [{
            "name": "GeneralPurpose",
            "defaultSkuName": "Standard_D2ds_v5",
            "supportedStorageEditions": [{ "name": "ManagedDisk", "defaultStorageSizeMb": 131_072, "supportedStorageMb": disks }],
            "supportedServerSkus": [{
                "name": "Standard_D2ds_v5",
                "vCores": 2,
                "supportedIops": 3200,
                "supportedMemoryPerVcoreMb": 4096,
                "supportedZones": ["1", "2", "3"],
                "supportedHaMode": [],
                "supportedFeatures": [],
            }],
        }],
        "supportedServerVersions": versions,
        "supportedFeatures": features,
    }] }))
}
