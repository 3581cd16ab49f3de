//! What a WebP says of itself, held against what it carries, before anything is decoded.
//!
//! The decoder believes sizes: it takes as much memory as a chunk says that it is long, and decodes a frame of any size before
//! it looks whether that is the picture's. Chunks and frames: RFC 9649; what begins a lossy frame: RFC 6386, 9.1.

use crate::Refusal;

/// The file without what is behind it, and its width and height. Every chunk of it is there whole, and every frame is as large
/// as is said around it.
pub(crate) fn read_head(original: &[u8]) -> Result<(&[u8], u32, u32), Refusal> {
    head(original).ok_or(Refusal::Damaged)
}

fn head(original: &[u8]) -> Option<(&[u8], u32, u32)> {
    let size = usize::try_from(u32_at(original, 4)?).ok()?;
    let file = original.get(..size.checked_add(8)?)?;
    let chunks = chunks(file.get(12..)?)?;
    let (&first, rest) = chunks.split_first()?;
    let (width, height) = match first {
        (b"VP8X", content) => (u24_at(content, 4)? + 1, u24_at(content, 7)? + 1),
        frame => return frame_size(frame).map(|(width, height)| (file, width, height)),
    };
    for &chunk in rest {
        let is_sound = match chunk {
            (b"VP8 " | b"VP8L", _) => frame_size(chunk)? == (width, height),
            (b"ANMF", content) => is_sound_frame(content)?,
            _ => true,
        };
        if !is_sound {
            return None;
        }
    }
    Some((file, width, height))
}

/// Whether a frame of an animation is as large as it says. That it lies within the picture the decoder sees in time.
fn is_sound_frame(content: &[u8]) -> Option<bool> {
    let size = (u24_at(content, 6)? + 1, u24_at(content, 9)? + 1);
    let chunks = chunks(content.get(16..)?)?;
    let frame = match chunks[..] {
        [(b"ALPH", _), frame @ (b"VP8 ", _), ..] | [frame @ (b"VP8 " | b"VP8L", _), ..] => frame,
        _ => return None,
    };
    Some(frame_size(frame)? == size)
}

type Chunk<'a> = (&'a [u8; 4], &'a [u8]);

/// Chunks one behind the other; none when one is not there whole.
fn chunks(mut rest: &[u8]) -> Option<Vec<Chunk<'_>>> {
    let mut chunks = Vec::new();
    while rest.len() >= 8 {
        let size = usize::try_from(u32_at(rest, 4)?).ok()?;
        let end = size.checked_add(8)?;
        chunks.push((rest.first_chunk()?, rest.get(8..end)?));
        // Each begins at an even place.
        rest = rest.get(end + size % 2..).unwrap_or_default();
    }
    Some(chunks)
}

/// Width and height of a lossy or a lossless frame.
fn frame_size((kind, content): Chunk<'_>) -> Option<(u32, u32)> {
    const SIDE: u32 = (1 << 14) - 1;
    match kind {
        b"VP8 " => {
            let sides = u32_at(content, 6)?;
            Some((sides & SIDE, sides >> 16 & SIDE))
        }
        b"VP8L" => {
            let sides = u32_at(content, 1)?;
            Some(((sides & SIDE) + 1, (sides >> 14 & SIDE) + 1))
        }
        _ => None,
    }
}

fn u24_at(bytes: &[u8], at: usize) -> Option<u32> {
    let &[low, middle, high] = bytes.get(at..)?.first_chunk()?;
    Some(u32::from_le_bytes([low, middle, high, 0]))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}
