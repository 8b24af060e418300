//! What the operator wrote: `dtaas.yaml` and `users/<name>.yaml`, parsed and validated.

pub mod names;
pub mod quantity;
