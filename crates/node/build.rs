//! Makes Rust types of the contracts in `proto/`, without a `protoc` on the machine.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let contracts = ["entry.proto", "checkpoint.proto", "touches.proto"];
    for contract in contracts {
        println!("cargo::rerun-if-changed=../../proto/{contract}");
    }
    let descriptors = protox::compile(contracts, ["../../proto"])?;
    prost_build::Config::new().bytes(["."]).compile_fds(descriptors)?;
    Ok(())
}
