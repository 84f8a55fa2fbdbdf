"""The characters of a Python source file, in the encoding that it declares (PEP 263)."""

from __future__ import annotations

import re
from encodings import normalize_encoding
from encodings.aliases import aliases

_BOM = b"\xef\xbb\xbf"
_DECLARATION = re.compile(rb"[ \t\f]*+#[^\r\n]*?coding[:=][ \t]*+([-.\w]++)")
_LINE_BEFORE = re.compile(rb"[ \t\f]*+(?:#[^\r\n]*+)?(?:\r\n|\r|\n)")  # a declaration may follow it
_MAX_NAME_CHARS = 40  # no codec of Python has a longer name
_AS_BYTES = frozenset({"utf_8", "ascii"})  # what does not decode is no Python, and hides no ASCII character
# Codecs in C or of one table that keep no state, take linear time, and read every byte below 128 as ASCII. Others are
# not run: some take the square of the input's length (punycode, idna), some make code of other characters (utf_7,
# unicode_escape, rot_13). A third party's codec may do anything.
_CODECS = frozenset(
    """
    latin_1 iso8859_1 iso8859_2 iso8859_3 iso8859_4 iso8859_5 iso8859_6 iso8859_7 iso8859_8 iso8859_9 iso8859_10
    iso8859_11 iso8859_13 iso8859_14 iso8859_15 iso8859_16 koi8_r koi8_t koi8_u kz1048 ptcp154 tis_620 hp_roman8 palmos
    cp437 cp720 cp737 cp775 cp850 cp852 cp855 cp856 cp857 cp858 cp860 cp861 cp862 cp863 cp865 cp866 cp869 cp874 cp1006
    cp1125 cp1250 cp1251 cp1252 cp1253 cp1254 cp1255 cp1256 cp1257 cp1258 mac_croatian mac_cyrillic mac_greek
    mac_iceland mac_latin2 mac_roman mac_romanian mac_turkish
    big5 big5hkscs cp932 cp949 cp950 euc_jis_2004 euc_jisx0213 euc_jp euc_kr gb18030 gb2312 gbk shift_jis
    """.split()
)


def decoded(data: bytes) -> tuple[str, bool]:
    """Return the text, its lines ended by line feeds, and whether Python reads the same characters.

    The second is false where the declared encoding is none of those that are read, or the bytes are not in it. The
    text is then that of UTF-8.
    """
    codec: str | None = "utf_8"
    if data.startswith(_BOM):
        data = data[len(_BOM) :]  # another encoding may not be declared
    elif (name := _declared(data)) is not None:
        codec = _codec(name)
    text = _strictly(data, codec) if codec is not None and codec not in _AS_BYTES else None
    known = text is not None or codec in _AS_BYTES
    text = data.decode("utf-8", "replace") if text is None else text
    return text.replace("\r\n", "\n").replace("\r", "\n"), known


def _strictly(data: bytes, codec: str) -> str | None:
    try:
        return data.decode(codec)
    except UnicodeDecodeError:
        return None


def _declared(data: bytes) -> str | None:
    found = _DECLARATION.match(data)
    if found is None and (line := _LINE_BEFORE.match(data)) is not None:
        found = _DECLARATION.match(data, line.end())
    return None if found is None else found.group(1).decode("ascii")


def _codec(name: str) -> str | None:
    """Return the codec by Python's name for it; None where it is not read.

    It is looked for in the standard library's aliases: asking `codecs` would import modules and keep unknown names.
    """
    if len(name) > _MAX_NAME_CHARS:
        return None
    dashed = name.lower().replace("_", "-")
    if re.match(r"utf-8(-|\Z)", dashed):
        return "utf_8"
    if re.match(r"(latin-1|iso-8859-1|iso-latin-1)(-|\Z)", dashed):
        return "latin_1"
    plain = normalize_encoding(name.lower())
    codec = aliases.get(plain) or aliases.get(plain.replace(".", "_")) or plain
    return codec if codec in _CODECS or codec in _AS_BYTES else None
