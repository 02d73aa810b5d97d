//! Places of a hand-over that Azure keeps.

use std::sync::Arc;

use azure2neon_core::handover::{Keepsakes, Place};
use azure2neon_core::settings::Destination;
use azure2neon_core::{Error, ErrorKind, Result};

use crate::cloud::AzureCloud;

impl AzureCloud {
    /// The place of that name.
    pub fn place(self: &Arc<Self>, destination: &Destination, _keepsakes: &Keepsakes) -> Result<Arc<dyn Place>> {
        Err(Error::new(ErrorKind::Internal, format!("{destination} is not on Azure")))
    }
}
