//! Machines of the rig: what they are, and what can be done to them.

mod bare;
pub mod beside;
mod broken;
mod custom;
mod doctor;
mod export;
mod faults;
mod fixture;
mod measurements;
mod rabbitmq;
mod services;
mod side_by_side;
mod two;
mod vagrant;
