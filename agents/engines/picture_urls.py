"""Pictures as data URLs, each encoded once."""

from __future__ import annotations

import base64
import hashlib
import io
import threading
from collections import OrderedDict

import numpy as np
from PIL import Image


class PictureUrls:
    """PNG data URLs of pictures; those used last are kept, up to a number of bytes.

    Orders and replies of one question show the same pictures, so each is encoded once.

    Args:
        max_bytes: what the kept URLs may take together.

    Attributes:
        encoded: how many pictures have been encoded so far.
    """

    def __init__(self, max_bytes: int = 256 * 1024 * 1024):
        self.max_bytes = max_bytes
        self.encoded = 0
        self._kept: OrderedDict[bytes, str] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def __call__(self, image: np.ndarray) -> str:
        """The data URL of a picture, uint8 [H, W, 3]; the pixels survive exactly."""
        content = _content(image)
        with self._lock:  # whoever else wants this picture waits for it
            url = self._kept.pop(content, None)
            if url is None:
                url = _data_url(image)
                self.encoded += 1
                self._bytes += len(url)
            self._kept[content] = url
            while self._bytes > self.max_bytes and len(self._kept) > 1:
                self._bytes -= len(self._kept.popitem(last=False)[1])
            return url


def _data_url(image: np.ndarray) -> str:
    file = io.BytesIO()
    Image.fromarray(np.asarray(image)).save(file, format="PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode("ascii")


def _content(image: np.ndarray) -> bytes:
    digest = hashlib.blake2b(repr(image.shape).encode(), digest_size=16)
    digest.update(np.ascontiguousarray(image).data)
    return digest.digest()
