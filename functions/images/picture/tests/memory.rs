//! However an original is made, decoding it keeps within what a function has. One test, as memory is the whole process's.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that fails, panics")]

use picture::{MOST_PIXELS, make};
use turbojpeg::{Compressor, PixelFormat, Subsamp};

/// The most that may be taken, in MiB; a function has 1,024.
const MOST: usize = 640;

const WIDTH: u32 = 6_400;
const HEIGHT: u32 = 6_250;

/// The largest PNG that is decoded, with the largest pixels: written row by row, as nobody holds it.
fn png() -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, WIDTH, HEIGHT);
    encoder.set_color(png::ColorType::Rgba);
    encoder.set_depth(png::BitDepth::Sixteen);
    let mut writer = encoder.write_header().unwrap();
    let mut rows = writer.stream_writer().unwrap();
    let row = vec![0x7f; WIDTH as usize * 8];
    for _ in 0..HEIGHT {
        std::io::Write::write_all(&mut rows, &row).unwrap();
    }
    rows.finish().unwrap();
    drop(writer);
    file
}

/// The largest JPEG, of the kind that is decoded whole before a pixel is known.
fn progressive() -> Vec<u8> {
    let (width, height) = (WIDTH as usize, HEIGHT as usize);
    let pixels = vec![0x7f; width * height * 3];
    let mut compressor = Compressor::new().unwrap();
    compressor.set_progressive(true).unwrap();
    compressor.set_subsamp(Subsamp::None).unwrap();
    let image = turbojpeg::Image { pixels: &pixels[..], width, pitch: width * 3, height, format: PixelFormat::RGB };
    compressor.compress_to_vec(image).unwrap()
}

/// The most memory that this process ever had, in MiB.
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim_end_matches("kB").trim().parse::<usize>().unwrap() / 1024
}

#[test]
fn the_largest_originals_keep_within_memory() {
    assert_eq!((WIDTH * HEIGHT) as usize, MOST_PIXELS);
    for (name, original) in [("png", png()), ("progressive", progressive())] {
        assert!(original.len() <= 5 * 1024 * 1024, "{name} could not be uploaded");
        make(&original).unwrap();
        assert!(peak() < MOST, "{name}: {} MiB", peak());
    }
}
