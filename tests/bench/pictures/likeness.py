"""How like the original pictures are: python likeness.py <original> <picture>…

Prints the SSIM of each beside the original, decoded whole and resized with Lanczos in one step, to the picture's size.
"""

import sys

import numpy
from PIL import Image
from skimage.metrics import structural_similarity

original = Image.open(sys.argv[1]).convert("RGB")
for path in sys.argv[2:]:
    picture = Image.open(path)
    reference = original.resize(picture.size, Image.Resampling.LANCZOS, reducing_gap=None)
    print(structural_similarity(numpy.asarray(reference), numpy.asarray(picture), channel_axis=2))
