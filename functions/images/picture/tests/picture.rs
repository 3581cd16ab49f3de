//! What is made of an original, and what is refused.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that fails, panics")]

use image::{ImageFormat, Rgb, RgbImage};
use picture::{MOST_PIXELS, Pictures, Refusal, make};
use turbojpeg::{Compressor, PixelFormat, Subsamp};

macro_rules! original {
    ($name:literal) => {
        include_bytes!(concat!("originals/", $name)).as_slice()
    };
}

/// A picture with a gradient, in red from left to right and in green from top to bottom.
fn gradient(width: u32, height: u32) -> RgbImage {
    let part = |of: u32, whole: u32| u8::try_from(of * 255 / whole).unwrap();
    RgbImage::from_fn(width, height, |x, y| Rgb([part(x, width), part(y, height), 60]))
}

fn jpeg(picture: &RgbImage) -> Vec<u8> {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let mut compressor = Compressor::new().unwrap();
    compressor.set_quality(90).unwrap();
    compressor.set_subsamp(Subsamp::Sub2x2).unwrap();
    let pixels =
        turbojpeg::Image { pixels: &picture.as_raw()[..], width, pitch: width * 3, height, format: PixelFormat::RGB };
    compressor.compress_to_vec(pixels).unwrap()
}

fn png(picture: &RgbImage) -> Vec<u8> {
    let mut png = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut png, ImageFormat::Png).unwrap();
    png.into_inner()
}

/// The two pictures, decoded.
fn shown(pictures: &Pictures) -> [RgbImage; 2] {
    [&pictures.display, &pictures.thumbnail]
        .map(|jpeg| image::load_from_memory_with_format(jpeg, ImageFormat::Jpeg).unwrap().into_rgb8())
}

fn sizes(original: &[u8]) -> [(u32, u32); 2] {
    shown(&make(original).unwrap()).map(|picture| picture.dimensions())
}

/// Whether a pixel has this colour, as far as JPEG keeps it.
#[track_caller]
fn assert_colour(picture: &RgbImage, (x, y): (u32, u32), wanted: [u8; 3]) {
    let found = picture.get_pixel(x, y).0;
    let near = found.iter().zip(wanted).all(|(&found, wanted)| found.abs_diff(wanted) <= 16);
    assert!(near, "at {x}, {y}: {found:?}, not {wanted:?}");
}

#[track_caller]
fn assert_refused(original: &[u8], reason: Refusal) {
    assert_eq!(make(original).unwrap_err(), reason);
}

#[test]
fn the_longest_side_is_cut_and_the_shape_kept() {
    assert_eq!(sizes(&jpeg(&gradient(4000, 3000))), [(1280, 960), (300, 225)]);
    assert_eq!(sizes(&jpeg(&gradient(1500, 3001))), [(640, 1280), (150, 300)]);
    assert_eq!(sizes(&png(&gradient(1920, 1080))), [(1280, 720), (300, 169)]);
    assert_eq!(sizes(original!("progressive.jpg")), [(1280, 720), (300, 169)]);
}

#[test]
fn nothing_is_enlarged() {
    assert_eq!(sizes(&png(&gradient(1280, 300))), [(1280, 300), (300, 70)]);
    assert_eq!(sizes(&jpeg(&gradient(300, 300))), [(300, 300), (300, 300)]);
    assert_eq!(sizes(&png(&gradient(20, 10))), [(20, 10), (20, 10)]);
    assert_eq!(sizes(&png(&gradient(1, 1))), [(1, 1), (1, 1)]);
}

#[test]
fn what_is_very_narrow_keeps_a_pixel() {
    assert_eq!(sizes(&jpeg(&gradient(6000, 2))), [(1280, 1), (300, 1)]);
    assert_eq!(sizes(&png(&gradient(1, 5000))), [(1, 1280), (1, 300)]);
}

#[test]
fn a_picture_looks_as_before() {
    for original in [jpeg(&gradient(2400, 1800)), png(&gradient(2400, 1800))] {
        for picture in shown(&make(&original).unwrap()) {
            let (width, height) = picture.dimensions();
            for (x, y) in [(0.1, 0.1), (0.5, 0.5), (0.9, 0.2), (0.3, 0.8)] {
                let at = ((f64::from(width) * x) as u32, (f64::from(height) * y) as u32);
                assert_colour(&picture, at, [(255.0 * x) as u8, (255.0 * y) as u8, 60]);
            }
        }
    }
}

/// A red corner is at the top left; an upright phone's picture has it at the top right once it is turned.
#[test]
fn an_upright_phones_picture_is_turned_and_tells_no_place() {
    let pictures = make(original!("turned-with-gps.jpg")).unwrap();
    let [display, thumbnail] = shown(&pictures);
    assert_eq!((display.dimensions(), thumbnail.dimensions()), ((200, 400), (150, 300)));
    assert_colour(&display, (190, 10), [200, 0, 0]);
    for jpeg in [pictures.display, pictures.thumbnail] {
        let text = String::from_utf8_lossy(&jpeg);
        assert!(!text.contains("Exif") && !text.contains("SecretCamera"));
    }
    assert!(String::from_utf8_lossy(original!("turned-with-gps.jpg")).contains("SecretCamera"), "the test is none");
}

#[test]
fn what_shows_through_is_white() {
    let [display, _] = shown(&make(original!("transparent.png")).unwrap());
    assert_colour(&display, (10, 10), [200, 0, 0]);
    assert_colour(&display, (350, 235), [255, 255, 255]);
    // Half of what was there.
    assert_colour(&display, (340, 30), [217, 180, 188]);
}

#[test]
fn colours_of_every_kind_are_read() {
    for (original, grey) in
        [(original!("cmyk.jpg"), false), (original!("grey.jpg"), true), (original!("palette.png"), false)]
    {
        let [display, _] = shown(&make(original).unwrap());
        assert_eq!(display.dimensions(), (400, 200));
        assert_colour(&display, (10, 10), if grey { [60, 60, 60] } else { [200, 0, 0] });
    }
    let [sixteen_bit, _] = shown(&make(original!("sixteen-bit.png")).unwrap());
    assert_colour(&sixteen_bit, (60, 30), [127, 127, 128]);
    assert_eq!(sizes(original!("lossless.webp")), [(200, 100), (200, 100)]);
    assert_eq!(sizes(original!("lossy.webp")), [(640, 480), (300, 225)]);
}

#[test]
fn of_an_animation_the_first_picture_is_taken() {
    let [display, _] = shown(&make(original!("animated.webp")).unwrap());
    assert_eq!(display.dimensions(), (120, 80));
    assert_colour(&display, (60, 40), [192, 0, 0]);
}

#[test]
fn what_is_no_picture_is_refused_whatever_its_name() {
    let zip = b"PK\x03\x04\x14\0\0\0\x08\0menu.jpg and its content";
    let svg = b"<svg xmlns=\"http://www.w3.org/2000/svg\"><script>alert(1)</script></svg>";
    let gif = b"GIF89a\x01\0\x01\0\0\0\0;";
    for original in [&zip[..], svg, gif, b"", b"\0", "그림".as_bytes()] {
        assert_refused(original, Refusal::NotAnImage);
    }
}

/// An IHDR that says so; the rest of the file is not even there.
#[test]
fn too_many_pixels_are_refused_by_the_head() {
    let mut png = png(&gradient(8, 8));
    for (width, height) in [(65_000_u32, 65_000_u32), (6_400, 6_251), (40_000_001, 1)] {
        png[16..20].copy_from_slice(&width.to_be_bytes());
        png[20..24].copy_from_slice(&height.to_be_bytes());
        let checksum = crc32(&png[12..29]);
        png[29..33].copy_from_slice(&checksum.to_be_bytes());
        assert_refused(&png, Refusal::TooManyPixels);
    }
    let mut jpeg = jpeg(&gradient(8, 8));
    let frame = jpeg.windows(2).position(|marker| marker == [0xff, 0xc0]).unwrap();
    jpeg[frame + 5..frame + 9].copy_from_slice(&[0xfd, 0xe8, 0xfd, 0xe8]);
    assert_refused(&jpeg, Refusal::TooManyPixels);
    assert_eq!(6_400 * 6_250, MOST_PIXELS, "the next larger one above is refused");
}

fn chunk(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
    [&kind[..], &(content.len() as u32).to_le_bytes(), content, &[0][..content.len() % 2]].concat()
}

/// A WebP whose head says how large it is, and what follows.
fn extended_webp(flags: u8, sides: [u32; 2], chunks: &[Vec<u8>]) -> Vec<u8> {
    let [width, height] = sides.map(|side| (side - 1).to_le_bytes());
    let head = chunk(b"VP8X", &[&[flags, 0, 0, 0], &width[..3], &height[..3]].concat());
    chunk(b"RIFF", &[b"WEBP", &head[..], &chunks.concat()].concat())
}

/// The picture of an animation.
fn animated(sides: [u32; 2], chunks: &[Vec<u8>]) -> Vec<u8> {
    let [width, height] = sides.map(|side| (side - 1).to_le_bytes());
    chunk(b"ANMF", &[&[0; 6], &width[..3], &height[..3], &[0; 4], &chunks.concat()].concat())
}

/// A WebP says three times how large it is, and the decoder looks only afterwards whether that is the same.
#[test]
fn a_webp_that_contradicts_itself_is_refused_by_its_head() {
    let frame = original!("lossy.webp")[12..].to_vec();
    let sides = [640, 480];
    let animation = chunk(b"ANIM", &[0; 6]);
    assert!(make(&extended_webp(0, sides, std::slice::from_ref(&frame))).is_ok(), "the test is none");
    let whole = [animation.clone(), animated(sides, std::slice::from_ref(&frame))];
    assert!(make(&extended_webp(2, sides, &whole)).is_ok(), "the test is none");

    // Clear all over, as a raw channel.
    let clear = chunk(b"ALPH", &[0; 1 + 640 * 480]);
    let smaller = [animation.clone(), animated([1, 1], &[clear.clone(), frame.clone()])];
    let other_kind = [animation, animated([1, 1], &[clear, chunk(b"VP9 ", &frame[8..])])];
    assert_refused(&extended_webp(0x12, sides, &smaller), Refusal::Damaged);
    assert_refused(&extended_webp(0x12, sides, &other_kind), Refusal::Damaged);
    assert_refused(&extended_webp(0, [1, 1], &[frame]), Refusal::Damaged);

    let huge = 0x2f_u64 | 6_999 << 8 | 6_999 << 22;
    let huge = [chunk(b"VP8L", &huge.to_le_bytes()[..5])];
    assert_refused(&extended_webp(0, [1, 1], &huge), Refusal::Damaged);
    assert_refused(&extended_webp(0, [7_000, 7_000], &huge), Refusal::TooManyPixels);
}

/// The decoder would take as much memory as a chunk says, which may be 4 GB.
#[test]
fn a_webp_whose_chunks_are_not_there_is_refused() {
    let frame = original!("lossy.webp")[12..].to_vec();
    let mut place = chunk(b"EXIF", b"");
    place[4..].copy_from_slice(&0xffff_fff0_u32.to_le_bytes());
    assert_refused(&extended_webp(8, [640, 480], &[frame, place]), Refusal::Damaged);
}

/// The checksum of PNG's chunks (ISO 3309).
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc, &byte| (0..8).fold(crc ^ u32::from(byte), |crc, _| step(crc)))
}

#[test]
fn what_is_cut_off_or_damaged_is_refused() {
    for original in [jpeg(&gradient(640, 480)), png(&gradient(640, 480)), original!("lossy.webp").to_vec()] {
        for keep in [original.len() / 2, original.len() / 10 * 9, 40, 12] {
            assert_refused(&original[..keep], Refusal::Damaged);
        }
    }
    let mut scrambled = png(&gradient(640, 480));
    let middle = scrambled.len() / 2;
    scrambled[middle..middle + 20].fill(0x55);
    assert_refused(&scrambled, Refusal::Damaged);
}

/// What is hidden behind a picture does not get through: the pictures are made anew.
#[test]
fn a_polyglot_is_cleaned() {
    for original in [jpeg(&gradient(640, 480)), png(&gradient(640, 480))] {
        let hidden = [&original[..], b"PK\x03\x04<script>alert(1)</script>"].concat();
        let pictures = make(&hidden).unwrap();
        for jpeg in [pictures.display, pictures.thumbnail] {
            assert!(!String::from_utf8_lossy(&jpeg).contains("script"));
        }
    }
}

/// Some cameras write bytes between the parts of a file that do not belong there.
#[test]
fn what_does_no_harm_is_let_pass() {
    let mut original = jpeg(&gradient(640, 480));
    let end = original.len() - 2;
    original.splice(end..end, [0x00, 0x11, 0x22]);
    assert_eq!(sizes(&original), [(640, 480), (300, 225)]);
}

#[test]
fn the_same_original_gives_the_same_pictures() {
    let original = original!("turned-with-gps.jpg");
    let [first, second] = [make(original).unwrap(), make(original).unwrap()];
    assert_eq!((first.display, first.thumbnail), (second.display, second.thumbnail));
}
