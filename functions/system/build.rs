//! Compresses what the documentation pages are made of, so that it is small in the program and on the wire.

use std::fs::{self, File};
use std::path::Path;
use std::{env, io};

use flate2::Compression;
use flate2::write::GzEncoder;

const FILES: &[&str] = &[
    "../../docs/openapi.json",
    "assets/docs.html",
    "assets/docs.js",
    "assets/redoc.html",
    "assets/redoc.js",
    "assets/vendor/favicon-32x32.png",
    "assets/vendor/redoc.standalone.js",
    "assets/vendor/swagger-ui-bundle.js",
    "assets/vendor/swagger-ui.css",
];

fn main() -> io::Result<()> {
    let folder = env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("cargo sets OUT_DIR"))?;
    for file in FILES {
        println!("cargo:rerun-if-changed={file}");
        let name = Path::new(file).file_name().unwrap_or_default();
        let mut packed = Path::new(&folder).join(name).into_os_string();
        packed.push(".gz");
        let mut encoder = GzEncoder::new(File::create(packed)?, Compression::best());
        io::Write::write_all(&mut encoder, &fs::read(file)?)?;
        encoder.finish()?;
    }
    Ok(())
}
