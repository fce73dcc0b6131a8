"""JSON read piece by piece: one element of a long array at a time, in bounded memory.

The standard decoder does the work; this only finds out where the elements of the array begin.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator

from crawler.match.importers.source import Source

MOST_ELEMENT = 1 << 20
"""Characters of one element."""

WHITE = " \t\r\n"
MEND = "ask for the list again"


class JsonStream:
    """A place in a JSON text. Its methods raise HashListInvalid, with the place in bytes as the file is read."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.chunks = source.chunks()
        self.decoder = json.JSONDecoder()
        self.text_decoder = codecs.getincrementaldecoder("utf-8")()
        self.text = ""
        self.at = 0
        self.before = 0
        self.ended = False

    def invalid(self, reason: str) -> Exception:
        """The error to raise: `reason` at the present place."""
        return self.source.invalid(reason, MEND, f"character {self.before + self.at + 1}")

    def more(self) -> bool:
        """Read on. False at the end of the file."""
        chunk = next(self.chunks, None)
        try:
            new = self.text_decoder.decode(chunk or b"", final=chunk is None)
        except UnicodeDecodeError as error:
            raise self.invalid("not UTF-8") from error
        self.before += self.at
        self.text = self.text[self.at :] + new
        self.at = 0
        self.ended = chunk is None
        return not self.ended

    def peek(self) -> str:
        """The next character that is no white space, which stays to be read; raises at the end of the file."""
        while True:
            while self.at < len(self.text):
                letter = self.text[self.at]
                if letter not in WHITE:
                    return letter
                self.at += 1
            if not self.more():
                raise self.invalid("the JSON is cut off")

    def take(self, wanted: str) -> str:
        """The next character, which must be one of `wanted`."""
        letter = self.peek()
        if letter not in wanted:
            raise self.invalid(f"the JSON has {letter!r} in place of {' or '.join(wanted)}")
        self.at += 1
        return letter

    def whole(self) -> object:
        """The next value when all of it is there and short enough, else None, and then it stays to be read."""
        self.peek()
        while True:
            found, end = self.attempt()
            if end is not None and (end < len(self.text) or self.ended):
                self.at = end
                return found
            if self.ended or len(self.text) - self.at > MOST_ELEMENT:
                return None
            self.more()

    def attempt(self) -> tuple[object, int | None]:
        """Decode what was read, from here on: the value and its end, which is None when this fails."""
        try:
            return self.decoder.raw_decode(self.text, self.at)
        except (ValueError, RecursionError):
            # A value that is cut off at the end of what was read and one that is wrong look alike.
            return None, None

    def value(self) -> object:
        """The next value, of about a million characters at most."""
        start = self.peek()
        found = self.whole()
        if found is None and start != "n":
            raise self.invalid("the JSON is cut off" if self.ended else "a JSON value is malformed, or far too long")
        return found

    def members(self) -> Iterator[str]:
        """The names of an object's members. At each, the caller reads the value."""
        self.take("{")
        if self.peek() == "}":
            self.at += 1
            return
        while True:
            if self.peek() != '"':
                raise self.invalid("the JSON has no name where one should be")
            name = str(self.value())
            self.take(":")
            yield name
            if self.take(",}") == "}":
                return

    def elements(self) -> Iterator[None]:
        """One step per element of an array. At each, the caller reads the element."""
        self.take("[")
        if self.peek() == "]":
            self.at += 1
            return
        while True:
            yield
            if self.take(",]") == "]":
                return
