"""From an image as Pillow holds it to planes of pixels: transparency dropped, and flattened on white as well."""

from __future__ import annotations

import numpy as np
from PIL import Image

from crawler.fingerprint.arrow import borrowed_plane
from crawler.fingerprint.views import Uint8s, View, scaled_to_bytes


def views_of(image: Image.Image, frame: int) -> list[View]:
    """Transparency dropped, and where there is any, flattened on white as well."""
    if image.mode == "L" and "transparency" not in image.info:
        grey = plane_of(image)
        return [View(frame, False, grey, grey)]
    if image.mode.startswith(("I", "F")):
        grey = scaled_to_bytes(np.asarray(image))
        return [View(frame, False, grey, grey)]
    if not image.has_transparency_data:
        return [view_of(image.convert("RGB"), frame, on_white=False)]
    layered = image.convert("RGBA")
    views = [view_of(layered.convert("RGB"), frame, on_white=False)]
    if int(np.asarray(layered.getchannel("A")).min()) < 255:
        white = Image.new("RGBA", layered.size, (255, 255, 255, 255))
        flattened = Image.alpha_composite(white, layered)
        views.append(view_of(flattened.convert("RGB"), frame, on_white=True))
    return views


def view_of(image: Image.Image, frame: int, *, on_white: bool) -> View:
    """A view of an RGB image."""
    return View(frame, on_white, np.asarray(image), plane_of(image.convert("L")))


def plane_of(image: Image.Image) -> Uint8s:
    """The pixels of an image of mode L: (h, w) uint8, read-only, where Pillow keeps them in one piece not copied."""
    try:
        return borrowed_plane(image.__arrow_c_array__()[1], image.height, image.width)
    except ValueError:
        return np.asarray(image)
