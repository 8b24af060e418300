//! The whole test suite in one binary.

mod library;
