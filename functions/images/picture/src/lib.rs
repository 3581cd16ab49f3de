//! From whatever was uploaded to two JPEGs: what guests see, and its thumbnail.
//!
//! Nothing of the original but its pixels is kept. What cannot be a picture is refused by its head, before anything is decoded.

mod webp;

use std::io::Cursor;

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use image::codecs::jpeg::JpegDecoder;
use image::codecs::png::PngDecoder;
use image::codecs::webp::WebPDecoder;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, Limits, RgbImage};
use moxcms::{ColorProfile, DataColorSpace, Layout, TransformOptions};
use turbojpeg::{Colorspace, Compressor, Decompressor, PixelFormat, ScalingFactor, Subsamp};

/// The most pixels that are decoded, width times height.
pub const MOST_PIXELS: u64 = 40_000_000;
/// The longest side of what guests see.
pub const DISPLAY_SIDE: u32 = 1_280;
/// The longest side of its thumbnail.
pub const THUMBNAIL_SIDE: u32 = 300;
/// JPEG quality, of 100.
const QUALITY: i32 = 80;
/// The most memory that decoding a PNG may take besides its pixels, in bytes: for a row of them, and for what is packed beside
/// them, where a colour profile, of a few MB at most, is all that counts.
const MOST_MEMORY: u64 = 16 * 1024 * 1024;
/// The most scans of a progressive JPEG. Cameras and editors write about ten; each costs as much as the whole picture.
const MOST_SCANS: u32 = 100;

/// Why nothing can be made of an original.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is no JPEG, PNG or WebP, whatever its name says.
    NotAnImage,
    /// It has more than [`MOST_PIXELS`].
    TooManyPixels,
    /// It is cut off, or damaged otherwise.
    Damaged,
}

/// Two JPEGs.
#[derive(Debug)]
pub struct Pictures {
    /// Longest side [`DISPLAY_SIDE`] or the original's, if that is less.
    pub display: Vec<u8>,
    /// Within [`THUMBNAIL_SIDE`] both ways, never enlarged.
    pub thumbnail: Vec<u8>,
}

/// Make the pictures of an original.
///
/// # Errors
/// Why nothing can be made of it.
pub fn make(original: &[u8]) -> Result<Pictures, Refusal> {
    let Original { pixels, orientation, profile } = match image::guess_format(original) {
        Ok(ImageFormat::Jpeg) => decode_jpeg(original)?,
        Ok(ImageFormat::Png) => {
            let (width, height) = png_size(original).ok_or(Refusal::Damaged)?;
            check_pixels(width, height)?;
            let mut limits = Limits::no_limits();
            limits.max_alloc = Some(MOST_MEMORY);
            decode(PngDecoder::with_limits(Cursor::new(original), limits).map_err(damaged)?)?
        }
        Ok(ImageFormat::WebP) => {
            let (file, width, height) = webp::read_head(original)?;
            check_pixels(width, height)?;
            decode(WebPDecoder::new(Cursor::new(file)).map_err(damaged)?)?
        }
        _ => return Err(Refusal::NotAnImage),
    };
    let mut display = within(DISPLAY_SIDE, pixels)?;
    if let Some(profile) = profile {
        to_srgb(&mut display, &profile);
    }
    // Only now, when there are few pixels. Both limits are squares.
    let mut turned = DynamicImage::ImageRgb8(display);
    turned.apply_orientation(orientation);
    let display = turned.into_rgb8();
    let display_jpeg = encode(&display)?;
    let thumbnail = within(THUMBNAIL_SIDE, display)?;
    Ok(Pictures { display: display_jpeg, thumbnail: encode(&thumbnail)? })
}

/// An original, decoded.
struct Original {
    pixels: RgbImage,
    /// How it is to be turned.
    orientation: Orientation,
    /// Its colour profile.
    profile: Option<Vec<u8>>,
}

/// Decode a JPEG, no larger than it is needed: the library can leave out what a smaller picture does not show.
fn decode_jpeg(original: &[u8]) -> Result<Original, Refusal> {
    let mut decoder = Decompressor::new().map_err(damaged)?;
    let header = decoder.read_header(original).map_err(damaged)?;
    check_pixels(side(header.width)?, side(header.height)?)?;
    let scale = scale(header.width.max(header.height));
    decoder.set_scaling_factor(scale).map_err(damaged)?;
    decoder.set_scan_limit(MOST_SCANS).map_err(damaged)?;
    let (width, height) = (scale.scale(header.width), scale.scale(header.height));
    let is_cmyk = matches!(header.colorspace, Colorspace::CMYK | Colorspace::YCCK);
    let format = if is_cmyk { PixelFormat::CMYK } else { PixelFormat::RGB };
    let pitch = width * format.size();
    let mut pixels = vec![0; pitch * height];
    let output = turbojpeg::Image { pixels: &mut pixels[..], width, pitch, height, format };
    match decoder.decompress(original, output) {
        Ok(()) => {}
        Err(turbojpeg::Error::TurboJpegError(complaint)) if is_harmless(&complaint) => {}
        Err(error) => return Err(damaged(error)),
    }
    if is_cmyk {
        pixels = rgb_of_cmyk(&pixels);
    }
    let (orientation, profile) = metadata(original);
    Ok(Original {
        pixels: rgb(width, height, pixels)?,
        orientation,
        // A profile of four colours says nothing about three.
        profile: profile.filter(|_| !is_cmyk),
    })
}

/// The smallest of the library's sizes that is not smaller than what guests see.
fn scale(side: usize) -> ScalingFactor {
    let eighths = (1..8).find(|&eighths| ScalingFactor::new(eighths, 8).scale(side) >= DISPLAY_SIDE as usize);
    ScalingFactor::new(eighths.unwrap_or(8), 8)
}

/// What cameras and editors do wrong without harm to the picture.
fn is_harmless(complaint: &str) -> bool {
    complaint.contains("extraneous bytes before marker") || complaint.contains("Unknown Adobe color transform code")
}

/// A JPEG's orientation and colour profile; none if they cannot be read.
fn metadata(original: &[u8]) -> (Orientation, Option<Vec<u8>>) {
    let Ok(mut head) = JpegDecoder::new(Cursor::new(original)) else { return (Orientation::NoTransforms, None) };
    let orientation = head.orientation().unwrap_or(Orientation::NoTransforms);
    (orientation, head.icc_profile().ok().flatten())
}

/// Four colours to three. Every program that writes such JPEGs stores them inverted, so that they need only be multiplied.
fn rgb_of_cmyk(cmyk: &[u8]) -> Vec<u8> {
    let ink = |colour: u8, black: u8| u8::try_from(u16::from(colour) * u16::from(black) / 255).unwrap_or(u8::MAX);
    cmyk.as_chunks().0.iter().flat_map(|&[c, m, y, k]| [ink(c, k), ink(m, k), ink(y, k)]).collect()
}

/// Width and height of a PNG. They are its first chunk, and the decoder unpacks others before it tells them.
fn png_size(original: &[u8]) -> Option<(u32, u32)> {
    let (b"IHDR", rest) = original.get(12..)?.split_first_chunk()? else { return None };
    let (width, rest) = rest.split_first_chunk()?;
    Some((u32::from_be_bytes(*width), u32::from_be_bytes(*rest.first_chunk()?)))
}

/// Decode a PNG or a WebP; of an animation, its first picture.
fn decode(mut decoder: impl ImageDecoder) -> Result<Original, Refusal> {
    let (width, height) = decoder.dimensions();
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let profile = decoder.icc_profile().ok().flatten();
    let decoded = DynamicImage::from_decoder(decoder).map_err(damaged)?;
    let pixels = if decoded.color().has_alpha() {
        on_white(decoded.into_rgba8().into_raw())
    } else {
        decoded.into_rgb8().into_raw()
    };
    Ok(Original { pixels: rgb(width as usize, height as usize, pixels)?, orientation, profile })
}

/// What is behind a transparent picture is white. In place: there may be 160 MB of it.
fn on_white(mut rgba: Vec<u8>) -> Vec<u8> {
    let pixels = rgba.len() / 4;
    for pixel in 0..pixels {
        let (from, to) = (pixel * 4, pixel * 3);
        let alpha = u16::from(rgba[from + 3]);
        for colour in 0..3 {
            let over = u16::from(rgba[from + colour]) * alpha + 255 * (255 - alpha);
            rgba[to + colour] = u8::try_from((over + 127) / 255).unwrap_or(u8::MAX);
        }
    }
    rgba.truncate(pixels * 3);
    rgba
}

/// Colours as every screen understands them. A profile that cannot be read, or is not of three colours, counts for nothing.
fn to_srgb(picture: &mut RgbImage, profile: &[u8]) {
    let Ok(profile) = ColorProfile::new_from_slice(profile) else { return };
    if profile.color_space != DataColorSpace::Rgb {
        return;
    }
    let srgb = ColorProfile::new_srgb();
    let options = TransformOptions::default();
    let Ok(transform) = profile.create_transform_8bit(Layout::Rgb, &srgb, Layout::Rgb, options) else { return };
    let before = picture.clone();
    if transform.transform(&before, picture).is_err() {
        *picture = before;
    }
}

/// The picture with its longest side no longer than this.
fn within(side: u32, picture: RgbImage) -> Result<RgbImage, Refusal> {
    let (width, height) = fitting(side, picture.dimensions());
    if (width, height) == picture.dimensions() {
        return Ok(picture);
    }
    let from = ImageRef::new(picture.width(), picture.height(), &picture, PixelType::U8x3).map_err(damaged)?;
    let mut to = Image::new(width, height, PixelType::U8x3);
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Lanczos3)).use_alpha(false);
    Resizer::new().resize(&from, &mut to, &options).map_err(damaged)?;
    rgb(width as usize, height as usize, to.into_vec())
}

/// What has the same shape, with its longest side no longer than this.
fn fitting(side: u32, (width, height): (u32, u32)) -> (u32, u32) {
    let longest = width.max(height);
    if longest <= side {
        return (width, height);
    }
    // Half up; what is very narrow keeps a pixel.
    let shortened = |length: u32| {
        let (length, side, longest) = (u64::from(length), u64::from(side), u64::from(longest));
        u32::try_from((length * side * 2 + longest) / (longest * 2)).unwrap_or(side as u32).max(1)
    };
    (shortened(width), shortened(height))
}

fn encode(picture: &RgbImage) -> Result<Vec<u8>, Refusal> {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let mut compressor = Compressor::new().map_err(damaged)?;
    compressor.set_quality(QUALITY).map_err(damaged)?;
    compressor.set_subsamp(Subsamp::Sub2x2).map_err(damaged)?;
    let pixels =
        turbojpeg::Image { pixels: &picture.as_raw()[..], width, pitch: width * 3, height, format: PixelFormat::RGB };
    compressor.compress_to_vec(pixels).map_err(damaged)
}

fn check_pixels(width: u32, height: u32) -> Result<(), Refusal> {
    if u64::from(width) * u64::from(height) > MOST_PIXELS { Err(Refusal::TooManyPixels) } else { Ok(()) }
}

fn side(length: usize) -> Result<u32, Refusal> {
    u32::try_from(length).map_err(damaged)
}

fn rgb(width: usize, height: usize, pixels: Vec<u8>) -> Result<RgbImage, Refusal> {
    RgbImage::from_raw(side(width)?, side(height)?, pixels).ok_or(Refusal::Damaged)
}

fn damaged(error: impl std::fmt::Display) -> Refusal {
    tracing::debug!(exception = %error, "an original cannot be decoded");
    Refusal::Damaged
}
