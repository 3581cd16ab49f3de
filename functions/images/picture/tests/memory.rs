//! However an original is made, decoding it keeps within what a function has. One test, as memory is the whole process's.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that fails, panics")]

use std::borrow::Cow;

use image::ExtendedColorType;
use image::codecs::webp::WebPEncoder;
use picture::{MOST_PIXELS, make};
use turbojpeg::{Compressor, PixelFormat, Subsamp};

/// The most that may be taken, in MiB; a function has 2,048.
const MOST: usize = 640;

const WIDTH: u32 = 6_400;
const HEIGHT: u32 = 6_250;

/// The largest PNG that is decoded, with the largest pixels: written row by row, as nobody holds it.
fn png(profile: Option<Vec<u8>>) -> Vec<u8> {
    let mut file = Vec::new();
    let mut info = png::Info::with_size(WIDTH, HEIGHT);
    info.color_type = png::ColorType::Rgba;
    info.bit_depth = png::BitDepth::Sixteen;
    info.icc_profile = profile.map(Cow::Owned);
    let encoder = png::Encoder::with_info(&mut file, info).unwrap();
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

/// The largest WebP, and an animation of one such picture.
fn webps() -> [Vec<u8>; 2] {
    let mut still = Vec::new();
    let pixels = vec![0x7f; (WIDTH * HEIGHT * 4) as usize];
    WebPEncoder::new_lossless(&mut still).encode(&pixels, WIDTH, HEIGHT, ExtendedColorType::Rgba8).unwrap();
    let frame = &still[12..];
    let sides = [WIDTH, HEIGHT].map(|side| (side - 1).to_le_bytes());
    let sides = [&sides[0][..3], &sides[1][..3]].concat();
    let chunk = |kind: &[u8], content: &[u8]| [kind, &(content.len() as u32).to_le_bytes(), content].concat();
    let head = chunk(b"VP8X", &[&[0x12, 0, 0, 0], &sides[..]].concat());
    let picture = chunk(b"ANMF", &[&[0; 6], &sides[..], &[0; 4], frame].concat());
    let animated = chunk(b"RIFF", &[b"WEBP", &head[..], &chunk(b"ANIM", &[0; 6]), &picture].concat());
    [still, animated]
}

/// The most memory that this process ever had, in MiB.
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim_end_matches("kB").trim().parse::<usize>().unwrap() / 1024
}

#[test]
fn the_largest_originals_keep_within_memory() {
    assert_eq!(u64::from(WIDTH * HEIGHT), MOST_PIXELS);
    let [webp, animation] = webps();
    // What a PNG carries is packed: a little of it may become much.
    let overweight = png(Some(vec![0; 250_000_000]));
    for (name, original) in [
        ("png", png(None)),
        ("png with a profile of 250 MB", overweight),
        ("progressive", progressive()),
        ("webp", webp),
        ("animation", animation),
    ] {
        assert!(original.len() <= 5 * 1024 * 1024, "{name} could not be uploaded");
        make(&original).unwrap();
        assert!(peak() < MOST, "{name}: {} MiB", peak());
    }
}
