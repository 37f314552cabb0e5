"""Makes seals.json: MACs of records as seals.go describes them, by Python's standard library alone.

    python3 seals.py > seals.json
"""

import datetime
import hashlib
import hmac
import json


def hkdf(secret, label):  # RFC 5869 with SHA-256, no salt, 32 bytes
    extracted = hmac.new(bytes(32), secret, hashlib.sha256).digest()
    return hmac.new(extracted, label + b"\x01", hashlib.sha256).digest()


def number(n, bits):
    return n.to_bytes(bits // 8, "big", signed=n < 0)


def text(s):
    raw = bytes.fromhex(s[4:]) if s.startswith("hex:") else s.encode()
    return number(len(raw), 32) + raw


def texts(entries):
    raw = sorted((k.encode(), v.encode()) for k, v in entries.items())
    return number(len(raw), 32) + b"".join(number(len(s), 32) + s for pair in raw for s in pair)


def time(s):
    if s == "":
        return number(-(1 << 63), 64)
    seconds, nanos = s.rstrip("Z").split(".")
    at = datetime.datetime.fromisoformat(seconds + "+00:00")
    return number(int(at.timestamp()) * 10**9 + int(nanos), 64)


def attributes(r):
    names = ["content_type", "cache_control", "content_disposition", "content_encoding", "expires", "storage_class"]
    return b"".join(text(r[n]) for n in names) + texts(r["metadata"]) + texts(r["tags"])


def extension(r):
    return text(r["content_language"]) + text(r["website_redirect"]) + texts(r["annotations"])


def extended(r):
    return bool(r["content_language"] or r["website_redirect"] or r["annotations"] or r["part_algorithm"])


def encryption(r):
    return text(r["algorithm"]) + text(r["key_id"]) + bytes([r["customer"]])


def checksum(r):
    return text(r["checksum_algorithm"]) + text(r["checksum_type"])


def chunk(c):
    return bytes.fromhex(c["id"]) + number(c["size"], 32) + number(int(c["crc64"]), 64)


def page(r):
    chunks = b"".join(chunk(c) for c in r["chunks"])
    return bytes.fromhex(r["manifest"]) + number(r["page"], 32) + number(r["start"], 64) + number(len(r["chunks"]), 32) + chunks


def inline(r):
    return bytes.fromhex(r["manifest"]) + chunk(r)


def part(r):
    return (
        number(r["number"], 16) + bytes.fromhex(r["md5"]) + number(r["size"], 64) + number(int(r["crc64"]), 64)
        + time(r["modified"]) + bytes.fromhex(r["manifest"]) + number(r["chunks"], 32) + bytes([r["inline"]])
        + text("hex:" + r["checksum"]) + bytes([r["scope_kind"]]) + bytes.fromhex(r["scope_id"])
    )


def directory(r):
    parts = b"".join(number(p["number"], 16) + number(p["size"], 64) + bytes.fromhex(p["manifest"]) for p in r["parts"])
    return number(r["page"], 32) + number(r["start"], 64) + number(len(r["parts"]), 32) + parts


def obj(r):
    return (
        text(r["bucket"]) + text(r["key"]) + bytes.fromhex(r["content"]) + text(r["type"]) + text(r["etag"])
        + number(r["size"], 64) + number(int(r["crc64"]), 64) + number(r["parts"], 32) + time(r["modified"])
        + attributes(r) + encryption(r) + checksum(r) + text("hex:" + r["checksum"]) + text("hex:" + r["md5"])
        + (extension(r) + text(r["part_algorithm"]) if extended(r) else b"")
    )


def upload(r):
    tail = extension(r) if extended(r) else b""
    return text(r["bucket"]) + text(r["key"]) + attributes(r) + encryption(r) + checksum(r) + tail


MESSAGES = {"page": page, "inline": inline, "part": part, "directory": directory, "object": obj, "upload": upload}

def ident(seed, n):
    return hashlib.shake_128(seed.encode()).hexdigest(n)

NONE = {
    "content_type": "", "cache_control": "", "content_disposition": "", "content_encoding": "", "expires": "",
    "storage_class": "", "metadata": {}, "tags": {}, "algorithm": "AES256", "key_id": "", "customer": False,
    "checksum_algorithm": "", "checksum_type": "",
    "content_language": "", "website_redirect": "", "annotations": {}, "part_algorithm": "",
}
FULL = {
    "content_type": "text/plain", "cache_control": "no-cache", "content_disposition": "inline",
    "content_encoding": "gzip", "expires": "never", "storage_class": "IA",
    "metadata": {"b": "2", "a": "1", "empty": "", "\u00e4": "\u03c9"}, "tags": {"": "x"},
    "algorithm": "KMS", "key_id": "master", "customer": False, "checksum_algorithm": "SHA256", "checksum_type": "COMPOSITE",
    "content_language": "", "website_redirect": "", "annotations": {}, "part_algorithm": "",
}
MORE = {"content_language": "de", "website_redirect": "/x", "annotations": {"b": "", "a": "\u00e4"}}
MOMENT = "2024-02-29T23:59:59.123456789Z"

RECORDS = [
    ("page", {"manifest": ident("m", 16), "page": 0, "start": 0, "chunks": []}),
    ("page", {"manifest": ident("m", 16), "page": 70000, "start": 5 << 30, "chunks": [
        {"id": ident("a", 32), "size": 1 << 20, "crc64": "0"}, {"id": ident("b", 32), "size": 16 << 20, "crc64": "1"},
        {"id": ident("a", 32), "size": 1, "crc64": str((1 << 64) - 2)}]}),
    ("inline", {"manifest": ident("m", 16), "id": ident("a", 32), "size": 31337, "crc64": "0"}),
    ("inline", {"manifest": ident("m", 16), "id": ident("a", 32), "size": 31337, "crc64": str((1 << 64) - 2)}),
    ("part", {"number": 1, "md5": ident("e", 16), "size": 0, "crc64": "0", "modified": "", "manifest": ident("m", 16),
              "chunks": 0, "inline": False, "checksum": "", "scope_kind": 0, "scope_id": "00" * 16}),
    ("part", {"number": 10000, "md5": ident("e", 16), "size": 5 << 30, "crc64": str((1 << 64) - 2), "modified": MOMENT,
              "manifest": ident("m", 16), "chunks": 5120, "inline": True, "checksum": ident("s", 32), "scope_kind": 2,
              "scope_id": ident("m", 16)}),
    ("directory", {"page": 9, "start": 9 << 40, "parts": [
        {"number": 1, "size": 5 << 30, "manifest": ident("m", 16)}, {"number": 10000, "size": 0, "manifest": ident("n", 16)}]}),
    ("object", {"bucket": "b", "key": "k", "content": ident("c", 16), "type": "Normal", "etag": "E", "size": 0, "crc64": "0",
                "parts": 0, "modified": "", "checksum": "", "md5": "", **NONE}),
    ("object", {"bucket": "bucket", "key": "a/\u00e4", "content": ident("c", 16), "type": "Multipart", "etag": "ABC-2",
                "size": 48 << 40, "crc64": str((1 << 64) - 2), "parts": 10000, "modified": MOMENT, "checksum": ident("s", 32),
                "md5": ident("e", 16), **FULL}),
    ("upload", {"bucket": "b", "key": "k", **NONE, "customer": True}),
    ("upload", {"bucket": "bucket", "key": "a/\u00e4", **FULL}),
    *[("upload", {"bucket": "b", "key": "k", **NONE, name: value}) for name, value in MORE.items()],
    ("upload", {"bucket": "bucket", "key": "a/\u00e4", **FULL, **MORE}),
    *[("object", {"bucket": "b", "key": "k", "content": ident("c", 16), "type": "Normal", "etag": "E", "size": 0, "crc64": "0",
                  "parts": 0, "modified": "", "checksum": "", "md5": "", **NONE, name: value})
      for name, value in {**MORE, "part_algorithm": "SHA1"}.items()],
    ("object", {"bucket": "bucket", "key": "a/\u00e4", "content": ident("c", 16), "type": "Multipart", "etag": "ABC-2",
                "size": 48 << 40, "crc64": str((1 << 64) - 2), "parts": 10000, "modified": MOMENT, "checksum": ident("s", 32),
                "md5": ident("e", 16), **FULL, **MORE, "part_algorithm": "CRC32"}),
]

DATA_KEY = bytes(range(32))
KEY = hkdf(DATA_KEY, b"gabion/v1 record mac")


STORE_KEY = hkdf(DATA_KEY, b"gabion/v1 store record mac")
PLACE = bytes.fromhex(ident("c", 16))  # the content that the records are of


def vector(kind, record):
    version = b"v2 " if "part_algorithm" in record and extended(record) else b"v1 "
    message = b"gabion/" + version + kind.encode() + b"\x00" + MESSAGES[kind](record)
    placed = message + PLACE if kind in ("part", "directory", "upload") else message
    mac = lambda key, m: hmac.new(key, m, hashlib.sha256).digest()[:16].hex()
    return {"kind": kind, "record": record, "message": message.hex(), "mac": mac(KEY, message), "store_mac": mac(STORE_KEY, placed)}


if __name__ == "__main__":
    print(json.dumps({
        "comment": "Made by seals.py. Bytes are hex, CRC-64 is decimal text, a time without text is none.",
        "data_key": DATA_KEY.hex(), "mac_key": KEY.hex(), "store_mac_key": STORE_KEY.hex(), "content": PLACE.hex(), "vectors": [vector(*r) for r in RECORDS],
    }, indent=1))
