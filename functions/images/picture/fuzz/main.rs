//! Whatever is uploaded, something is made of it or it is refused: no panic, no memory error, within limits.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|original: &[u8]| {
    if let Ok(pictures) = picture::make(original) {
        // What guests' browsers are given must be a picture.
        picture::make(&pictures.display).expect("the picture is none");
        picture::make(&pictures.thumbnail).expect("the thumbnail is no picture");
    }
});
