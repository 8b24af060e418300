//! What the fuzz targets have in common.

pub mod planted;
pub mod served;
