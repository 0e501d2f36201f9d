//! The guest agent as a library, so that its tests can run it as an ordinary program.

#![deny(unsafe_code)]
#![warn(rust_2018_idioms)]

pub mod agent;
pub mod boot;
pub mod console;
pub mod errno;
pub mod message;
pub mod reactor;
pub mod sys;
pub mod tenant;
pub mod yamux;
