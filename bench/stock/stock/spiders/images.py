"""Follows pages, hashes the images that they show, looks them up, and yields an item for each that is known."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import faiss
import imagehash
import numpy as np
import pdqhash
from PIL import Image
from scrapy import Request
from scrapy.http import Response
from scrapy_redis.spiders import RedisSpider


class ImagesSpider(RedisSpider):
    name = "images"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.index = faiss.IndexBinaryFlat(256)
        self.digests: set[str] = set()

    @classmethod
    def from_crawler(cls, crawler: Any, *args: Any, **kwargs: Any) -> ImagesSpider:
        spider: ImagesSpider = super().from_crawler(crawler, *args, **kwargs)
        folder = Path(crawler.settings["HASHES"])
        spider.index.add(np.load(folder / "pdq.npy"))
        spider.digests = set((folder / "sha256.txt").read_text().split())
        return spider

    def parse(self, response: Response) -> Iterator[Request]:
        self.crawler.stats.inc_value("pages")
        for source in response.css("img::attr(src)").getall():
            # Before more pages, so that the queue stays short.
            yield response.follow(source, self.parse_image, priority=10)
        for link in response.css("a::attr(href)").getall():
            yield response.follow(link, self.parse)

    def parse_image(self, response: Response) -> Iterator[dict[str, Any]]:
        self.crawler.stats.inc_value("images")
        body = response.body
        md5, sha1, sha256 = (hashlib.new(name, body).hexdigest() for name in ("md5", "sha1", "sha256"))
        image = Image.open(io.BytesIO(body)).convert("RGB")
        phash = imagehash.phash(image)
        bits, quality = pdqhash.compute(np.asarray(image))
        code = np.packbits(bits.astype(np.uint8))[None, :]
        distances, rows = self.index.search(code, 1)
        near = quality >= 50 and int(distances[0, 0]) <= 31
        if near or sha256 in self.digests:
            yield {
                "url": response.url,
                "md5": md5,
                "sha1": sha1,
                "sha256": sha256,
                "phash": str(phash),
                "pdq": code.tobytes().hex(),
                "row": int(rows[0, 0]),
                "distance": int(distances[0, 0]),
            }
