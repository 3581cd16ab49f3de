"""Makes the originals beside it, with Pillow 13: python make.py. They are committed, so that tests need no Python."""

import io
import struct
import zlib
from pathlib import Path

from PIL import Image, ImageCms, ImageDraw

HERE = Path(__file__).parent


def scene(width, height, mode="RGB"):
    """Something with edges and gradients: a red corner at the top left, a bowl in the middle."""
    image = Image.new("RGB", (width, height))
    for y in range(height):
        for x in range(width):
            image.putpixel((x, y), (40 + 150 * x // width, 90 + 100 * y // height, 120))
    draw = ImageDraw.Draw(image)
    draw.ellipse((width * 0.3, height * 0.3, width * 0.7, height * 0.7), fill=(230, 200, 60))
    draw.rectangle((0, 0, width // 4, height // 4), fill=(200, 0, 0))
    return image.convert(mode)


def save(name, image, **options):
    image.save(HERE / name, **options)


wide = scene(400, 200)

# Taken with the phone held upright: to be turned by 90 degrees, with the place where it was taken.
exif = Image.Exif()
exif[0x0112] = 6
exif[0x010F] = "SecretCamera"
gps = exif.get_ifd(0x8825)
gps[1], gps[2] = "N", (37.0, 33.0, 59.0)
gps[3], gps[4] = "E", (126.0, 58.0, 41.0)
save("turned-with-gps.jpg", wide, quality=85, exif=exif)

save("progressive.jpg", scene(1600, 900), quality=80, progressive=True)
save("grey.jpg", wide.convert("L"), quality=85)

# As Photoshop writes it: inverted, with Adobe's marker.
save("cmyk.jpg", wide.convert("CMYK"), quality=85)

# Half transparent at the right, wholly at the bottom.
transparent = scene(360, 240, "RGBA")
alpha = Image.new("L", transparent.size, 255)
ImageDraw.Draw(alpha).rectangle((180, 0, 360, 240), fill=128)
ImageDraw.Draw(alpha).rectangle((0, 120, 360, 240), fill=0)
transparent.putalpha(alpha)
save("transparent.png", transparent)
save("palette.png", wide.quantize(16))
save("lossless.webp", scene(200, 100), lossless=True)
save("lossy.webp", scene(640, 480), quality=80)
frames = [Image.new("RGB", (120, 80), colour) for colour in ("#c00000", "#00c000", "#0000c0")]
save("animated.webp", frames[0], save_all=True, append_images=frames[1:], duration=100)

# 16 bits a channel, which Pillow cannot write in colour: rows of (x, y, half) as big-endian numbers.
width, height = 120, 60
rows = b"".join(
    b"\0" + b"".join(struct.pack(">HHH", x * 65535 // width, y * 65535 // height, 32768) for x in range(width))
    for y in range(height)
)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


(HERE / "sixteen-bit.png").write_bytes(
    b"\x89PNG\r\n\x1a\n"
    + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0))
    + chunk(b"IDAT", zlib.compress(rows, 9))
    + chunk(b"IEND", b"")
)
