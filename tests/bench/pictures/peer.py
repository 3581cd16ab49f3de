"""The same pictures as ours, by Pillow or libvips: python peer.py <pillow|vips> <original> <times> <folder>.

Prints the CPU time of one in milliseconds, and the most memory of the process in MiB. Leaves what it made in the folder.
"""

import io
import resource
import sys
from pathlib import Path

SIDE, ORIGINAL, TIMES, FOLDER = sys.argv[1], Path(sys.argv[2]).read_bytes(), int(sys.argv[3]), Path(sys.argv[4])

if SIDE == "pillow":
    from PIL import Image, ImageOps

    def jpeg(image):
        out = io.BytesIO()
        image.save(out, "JPEG", quality=80)
        return out.getvalue()

    def make():
        image = Image.open(io.BytesIO(ORIGINAL))
        # Decodes at a reduced scale where the format has one.
        image.draft("RGB", (1280, 1280))
        image.thumbnail((1280, 1280), Image.Resampling.LANCZOS)
        image = ImageOps.exif_transpose(image).convert("RGB")
        display = jpeg(image)
        image.thumbnail((300, 300), Image.Resampling.LANCZOS)
        return display, jpeg(image)

else:
    import pyvips

    def make():
        # One thread, as a function has one core.
        image = pyvips.Image.thumbnail_buffer(ORIGINAL, 1280, height=1280, size="down").copy_memory()
        display = image.jpegsave_buffer(Q=80, keep="none")
        return display, image.thumbnail_image(300, height=300, size="down").jpegsave_buffer(Q=80, keep="none")


def cpu():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


make()
before = cpu()
for _ in range(TIMES):
    made = make()
spent = cpu() - before
for name, content in zip(("display.jpg", "thumbnail.jpg"), made):
    (FOLDER / name).write_bytes(content)
# Not `ru_maxrss`, which begins with what the process that started this one had.
peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
print(1000 * spent / TIMES, int(peak.split()[1]) / 1024)
