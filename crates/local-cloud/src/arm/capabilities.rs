//! What the service offers in a location, as far as the simulated server goes.

use serde_json::{Value, json};

use crate::http::Answer;

/// The versions of a flexible server, oldest first.
const VERSIONS: [&str; 5] = ["14", "15", "16", "17", "18"];

/// The list for a location or for a server in it: one edition with the one kind of machine that there is.
pub(super) fn list() -> Answer {
    let versions: Vec<Value> = VERSIONS
        .iter()
        .enumerate()
        .map(|(index, version)| json!({ "name": version, "supportedVersionsToUpgrade": VERSIONS[index + 1..], "supportedFeatures": [] }))
        .collect();
    Answer::ok(json!({ "value": [{
        "name": "FlexibleServerCapabilities",
        "supportedServerEditions": [{
            "name": "GeneralPurpose",
            "defaultSkuName": "Standard_D2ds_v5",
            "supportedStorageEditions": [{
                "name": "ManagedDisk",
                "defaultStorageSizeMb": 131_072,
                "supportedStorageMb": [{
                    "supportedIops": 500,
                    "storageSizeMb": 131_072,
                    "defaultIopsTier": "P10",
                    "supportedIopsTiers": [{ "name": "P10", "iops": 500 }],
                }],
            }],
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
        "supportedFeatures": [],
        "fastProvisioningSupported": "Disabled",
        "supportedFastProvisioningEditions": [],
        "geoBackupSupported": "Disabled",
        "zoneRedundantHaSupported": "Disabled",
        "zoneRedundantHaAndGeoBackupSupported": "Disabled",
        "storageAutoGrowthSupported": "Enabled",
        "onlineResizeSupported": "Disabled",
        "restricted": "Disabled",
    }] }))
}
