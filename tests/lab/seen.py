"""What others see in a picture: PDQ codes by the reference implementation, in both conventions and mirrored."""

from __future__ import annotations

import io

import numpy as np
import pdqhash
from numpy.typing import NDArray
from PIL import Image

Bits = NDArray[np.bool_]


def pdq(pixels: NDArray[np.uint8]) -> tuple[Bits, int]:
    bits, quality = pdqhash.compute(np.ascontiguousarray(pixels))
    return bits.astype(bool), quality


def decode(data: bytes) -> Image.Image:
    with Image.open(io.BytesIO(data)) as image:
        return image.convert("RGB")


def bits_of(data: bytes) -> Bits:
    return pdq(np.asarray(decode(data)))[0]


def all_bits(data: bytes) -> list[Bits]:
    """As is and mirrored, each at full size and squeezed to 512 x 512 as the reference's command does."""
    image = decode(data)
    forms = [image]
    if max(image.size) > 512:
        forms.append(image.resize((512, 512), Image.Resampling.NEAREST))
    arrays = [np.asarray(form) for form in forms]
    return [pdq(array)[0] for array in (*arrays, *(array[:, ::-1] for array in arrays))]


def distance(one: Bits, other: Bits) -> int:
    return int(np.count_nonzero(one != other))
