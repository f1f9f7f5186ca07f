"""The format of an input, recognised by the beginning of its content. Pure."""

from __future__ import annotations

import codecs
import csv
import json
import re
from collections.abc import Collection, Sequence
from typing import Any, Literal, NamedTuple

from .._advice import words
from .._errors import ConfigError
from .json_rows import WHITE_SPACE

_ZIP = b"PK\x03\x04"
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_JSON = (".json", ".jsonl", ".ndjson")
_LINES = _JSON[1:]
_NOT_JSON = object()
_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)


class Format(NamedTuple):
    """How an input is read.

    Attributes:
        kind: `values` are JSON values over several lines; the items of an
            `array` are rows.
        names_delimiter: whether the first line names the delimiter of a CSV.
        newline: the end of a line, as for `open`.
    """

    kind: Literal["csv", "json lines", "values", "array"]
    encoding: Literal["UTF-8", "UTF-16"] = "UTF-8"
    delimiter: str = ","
    names_delimiter: bool = False
    newline: str = "\n"

    @property
    def description(self) -> str:
        """The format in words."""
        words = {
            "csv": f"CSV separated by {_DELIMITERS.get(self.delimiter, repr(self.delimiter))}",
            "json lines": "JSON lines",
            "values": "JSON values one after the other",
            "array": "a JSON array of rows",
        }[self.kind]
        return words if self.encoding == "UTF-8" else f"{words}, in {self.encoding}"


def encoding_of(data: bytes) -> Literal["UTF-8", "UTF-16"]:
    """Return the encoding of text, by its byte order mark."""
    return "UTF-16" if data.startswith(_UTF_16) else "UTF-8"


def recognise(
    sample: bytes,
    suffix: str,
    columns: Collection[str] = (),
    *,
    is_whole: bool = True,
    delimiter: str | None = None,
) -> Format:
    """Return the format of an input.

    Args:
        sample: its first bytes.
        suffix: of its name; `.csv`, `.json`, `.jsonl` and `.ndjson` are trusted.
        columns: columns that it must have.
        is_whole: whether the sample is the whole input.
        delimiter: of a CSV; None: by its content.

    Raises:
        ConfigError: it is not text, or may be read in two ways.
    """
    if sample.startswith(_ZIP):
        raise ConfigError("this is a spreadsheet or an archive; save its rows as CSV")
    encoding = encoding_of(sample)
    text = sample.decode("utf-16" if encoding == "UTF-16" else "utf-8-sig", "replace")
    newline = "\r" if "\r" in text and "\n" not in text else "\n"
    lines = text.split(newline)
    if not is_whole and len(lines) > 1:
        # The last line is cut.
        del lines[-1]
    separator = _SEPARATOR_LINE.fullmatch(lines[0])
    if delimiter is not None:
        if suffix in _JSON:
            raise ConfigError(f"a {suffix} file has no delimiter; only a CSV does")
        return Format("csv", encoding, delimiter, separator is not None, newline)
    texts = [line.strip(WHITE_SPACE) for line in lines if line.strip(WHITE_SPACE)]
    if suffix in _JSON or (suffix != ".csv" and _is_json(texts, columns)):
        is_cut = not is_whole and len(lines) == 1
        return Format(_json_kind(texts, suffix, is_cut=is_cut), encoding, newline=newline)
    delimiter = separator[1] if separator else _delimiter([f"{line}\n" for line in lines])
    return Format("csv", encoding, delimiter, separator is not None, newline)


def _json_kind(
    texts: Sequence[str], suffix: str, *, is_cut: bool
) -> Literal["json lines", "values", "array"]:
    first = texts[0] if texts else ""
    if is_cut:
        return "array" if first.startswith("[") and suffix not in _LINES else "json lines"
    value, is_begun = _parsed(first)
    if is_begun:
        return "array" if first.startswith("[") else "values"
    if not isinstance(value, list) or len(texts) > 1:
        return "json lines"
    # A lone array of texts or numbers may also be the only row.
    has_rows = suffix not in _LINES and all(isinstance(item, dict) for item in value)
    return "array" if has_rows or suffix == ".json" else "json lines"


def _is_json(texts: Sequence[str], columns: Collection[str]) -> bool:
    if not texts or texts[0].startswith("{"):
        return True
    (first, is_begun), *others = map(_parsed, texts)
    values = [value for value, _ in others]
    if is_begun or isinstance(first, list) or any(isinstance(v, (dict, list)) for v in values):
        return True
    if first is _NOT_JSON or _NOT_JSON in values:
        return False
    if not isinstance(first, str):
        return True
    # One column in quotes. Its rows may be numbers, which need none.
    if first == "message" or first in columns:
        return False
    if values and not any(isinstance(value, str) for value in values):
        return False
    raise ConfigError(
        "this may be a CSV with one column in quotes, or JSON lines of text: name the file .csv "
        f"or .jsonl, name the column {first[:40]!r} in the template or the key, or write each "
        'text as {"message": …}'
    )


def _parsed(text: str) -> tuple[Any, bool]:
    """A line's value, or `_NOT_JSON`, and whether it begins values over several lines."""
    try:
        return json.loads(text), False
    except json.JSONDecodeError as error:
        if text.startswith("{") and error.msg == "Extra data":
            # Several values on a line.
            return _NOT_JSON, True
        return _NOT_JSON, text[:1] in ("[", "{") and error.pos >= len(text)
    except (ValueError, RecursionError):
        return None, False


def _delimiter(lines: Sequence[str]) -> str:
    """The delimiter that divides most rows as it divides the header."""
    shares = {delimiter: _shares(lines, delimiter) for delimiter in _DELIMITERS}
    best = max(shares.values())
    likely = [delimiter for delimiter, share in shares.items() if share == best]
    if max(best) <= 0.5 or ("," in likely and best < (1.0, 1.0)):
        return ","
    if len(likely) > 1:
        names = " or ".join(_DELIMITERS[delimiter] for delimiter in likely)
        option = words().argument("delimiter")
        raise ConfigError(
            f"the columns may be separated by {names}: give {option}, or begin the file with "
            f"the line sep={likely[0]} or sep={likely[1]}"
        )
    return likely[0]


def _shares(lines: Sequence[str], delimiter: str) -> tuple[float, float]:
    """The shares of rows with as many cells as the header, and with several cells."""
    header = rows = equal = divided = 0
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while header != 1:
        try:
            cells = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            rows += "unexpected end of data" not in str(error)
            continue
        if not any(cell.strip() for cell in cells):
            continue
        if not header:
            header = len(cells)
            continue
        rows += 1
        equal += len(cells) == header
        divided += len(cells) > 1
    if header <= 1:
        return 0.0, 0.0
    return (equal / rows, divided / rows) if rows else (1.0, 1.0)
