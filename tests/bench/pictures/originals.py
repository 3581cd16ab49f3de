"""Makes the originals that are measured: python originals.py <folder>.

They look like photographs to a codec: detail at every scale, less the finer it is, as in nature (1/f).
"""

import sys
from pathlib import Path

import numpy
from PIL import Image

FOLDER = Path(sys.argv[1])


def scene(width, height, seed):
    random = numpy.random.default_rng(seed)
    frequencies = numpy.hypot(numpy.fft.fftfreq(height)[:, None], numpy.fft.rfftfreq(width)[None, :])
    frequencies[0, 0] = 1 / max(width, height)
    channels = []
    base = None
    for _ in range(3):
        spectrum = numpy.fft.rfft2(random.standard_normal((height, width))) / frequencies**1.15
        channel = numpy.fft.irfft2(spectrum, s=(height, width))
        channel = (channel - channel.mean()) / channel.std()
        # Colours go together, as in nature: most of it is light and shade.
        base = channel if base is None else base
        channels.append(128 + 48 * (0.8 * base + 0.3 * channel))
    return Image.fromarray(numpy.clip(numpy.stack(channels, axis=2), 0, 255).astype(numpy.uint8))


def save(name, image, **options):
    path = FOLDER / name
    image.save(path, **options)
    assert path.stat().st_size <= 5 * 1024 * 1024, f"{name} is larger than what may be uploaded"


photo = scene(4000, 3000, 1)
save("baseline.jpg", photo, quality=85)
save("progressive.jpg", photo, quality=85, progressive=True)
small = scene(1920, 1080, 2)
save("photo.png", small)
save("photo.webp", small, quality=85)
