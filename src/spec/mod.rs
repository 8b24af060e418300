//! What the operator wrote: `dtaas.yaml` and `users/<name>.yaml`, parsed and validated.

pub mod backup;
pub mod custom;
pub mod document;
pub mod edit;
pub mod load;
pub mod machine;
pub mod model;
pub mod names;
pub mod problem;
pub mod quantity;
pub mod read;
pub mod services;
