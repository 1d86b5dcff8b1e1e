"""Writes ../samples: small real files of many kinds, and some whose names lie. Standard library only.

    python make_samples.py

The texts are this repository's own; the measurements are from river's water-flow.csv (BSD-3-Clause), as in
../../pump-watch. Whoever changes this runs `expected.py` afterwards.
"""

from __future__ import annotations

import gzip
import io
import math
import sqlite3
import struct
import tempfile
import wave
import zipfile
import zlib
from pathlib import Path

HERE = Path(__file__).resolve().parent
SAMPLES = HERE.parent / "samples"
PUMP = HERE.parent.parent / "pump-watch"


def main() -> None:
    SAMPLES.mkdir(exist_ok=True)
    flow = (PUMP / "data" / "flow-2022-03-24.csv").read_bytes()
    picture = png()
    files = {
        # Names that tell the truth.
        "readings.csv": flow,
        "readings.csv.gz": gzip.compress(flow, mtime=0),
        "readings.sqlite": database(flow.decode()),
        "readings.zip": archive(flow),
        "chart.png": picture,
        "tone.wav": tone(),
        "manual.pdf": pdf(),
        "index.html": HTML.encode(),
        "pipeline.yaml": (PUMP / "workflows" / "pump-watch.yaml").read_bytes(),
        "series.py": (PUMP / "train" / "series.py").read_bytes(),
        "model.onnx": (PUMP / "models" / "pump-anomaly.onnx").read_bytes(),
        "query.sql": SQL.encode(),
        "notes.md": MARKDOWN.encode(),
        "ok.txt": b"ok\n",
        # Names that lie, and files that nobody asked for.
        "invoice.pdf": picture,
        "holiday.jpg": elf(),
        "letter.docx": SHELL.encode(),
        "update.txt": elf(),
        "empty.csv": b"",
        "noise.dat": noise(),
    }
    for stale in SAMPLES.iterdir():
        stale.unlink()
    for name, content in files.items():
        (SAMPLES / name).write_bytes(content)
    print(f"{len(files)} files, {sum(map(len, files.values()))} bytes")


def png() -> bytes:
    """A 96 x 64 picture: the flow of an ordinary day and of the day of a loss."""
    width, height = 96, 64
    pixels = bytearray(b"\xff" * (3 * width * height))
    for day, colour in (("2022-03-23", b"\x1f\x77\xb4"), ("2022-03-24", b"\xd6\x27\x28")):
        rows = (PUMP / "data" / f"flow-{day}.csv").read_text().splitlines()[1:]
        for hour, row in enumerate(rows):
            y = height - 4 - int(float(row.split(",")[1]) / 2)
            for x in range(4 * hour, 4 * hour + 4):
                at = 3 * (y * width + x)
                pixels[at : at + 3] = colour
    scanlines = b"".join(b"\0" + pixels[3 * width * y : 3 * width * (y + 1)] for y in range(height))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(scanlines, 9))
        + chunk(b"IEND", b"")
    )


def tone() -> bytes:
    """A quarter of a second of 440 Hz."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(
            b"".join(struct.pack("<h", round(9000 * math.sin(math.tau * 440 * i / 8000))) for i in range(2000))
        )
    return out.getvalue()


def archive(content: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(zipfile.ZipInfo("readings.csv", (2022, 3, 25, 0, 0, 0)), content)
    return out.getvalue()


def database(text: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "readings.sqlite"
        connection = sqlite3.connect(path)
        connection.execute("PRAGMA page_size = 1024")
        connection.execute("CREATE TABLE reading (time TEXT PRIMARY KEY, flow REAL NOT NULL) WITHOUT ROWID")
        rows = [line.split(",") for line in text.splitlines()[1:]]
        connection.executemany("INSERT INTO reading VALUES (?, ?)", rows)
        connection.commit()
        connection.close()
        content = bytearray(path.read_bytes())
    # The version of the SQLite that wrote the file (offset 96) is the only thing that differs between machines.
    content[96:100] = struct.pack(">I", 3_040_000)
    return bytes(content)


def pdf() -> bytes:
    """One page, two lines of text."""
    page = b"BT /F1 18 Tf 72 760 Td (Pump house: what to do when the flow drops) Tj 0 -28 Td (1. Close valve B.) Tj ET"
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(page), page),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    out, offsets = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"), []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    out += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start)
    return bytes(out)


def elf() -> bytes:
    """A Linux program for x86-64 that ends at once with exit code 0: harmless, but a program."""
    code = bytes.fromhex("31ffb83c0000000f05")  # xor edi, edi; mov eax, 60; syscall
    names = b"\0.text\0.comment\0.shstrtab\0"
    comment = b"written by make_samples.py\0"
    base, text_at = 0x400000, 0x1000
    header = struct.pack(
        "<16sHHIQQQIHHHHHH", b"\x7fELF\2\1\1", 2, 62, 1, base + text_at, 64, text_at + 0x80, 0, 64, 56, 1, 64, 4, 3
    )
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, base, base, text_at + len(code), text_at + len(code), 0x1000)
    body = (header + segment).ljust(text_at, b"\0") + code
    comment_at = len(body)
    body += comment
    names_at = len(body)
    body = (body + names).ljust(text_at + 0x80, b"\0")

    def section(name: int, kind: int, flags: int, address: int, offset: int, size: int) -> bytes:
        return struct.pack("<IIQQQQIIQQ", name, kind, flags, address, offset, size, 0, 0, 1, 0)

    body += section(0, 0, 0, 0, 0, 0)
    body += section(1, 1, 6, base + text_at, text_at, len(code))
    body += section(7, 1, 0, 0, comment_at, len(comment))
    body += section(16, 3, 0, 0, names_at, len(names))
    return body


def noise() -> bytes:
    """Two kilobytes without structure, the same every time."""
    state, out = 1, bytearray()
    for _ in range(2048):
        state = state * 6364136223846793005 + 1442695040888963407 & (1 << 64) - 1
        out.append(state >> 56)
    return bytes(out)


HTML = """<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>Pump house</title><link rel="stylesheet" href="style.css"></head>
<body>
  <h1>Pump house</h1>
  <p>Flow today: <strong id="flow">101.3</strong> l/s</p>
  <table><tr><th>Hour</th><th>Flow</th></tr><tr><td>08:00</td><td>96.9</td></tr></table>
</body>
</html>
"""

SQL = """-- Hours in which less water arrived than on any healthy day.
CREATE VIEW low_hours AS
SELECT time, flow, flow - (SELECT avg(flow) FROM reading) AS difference
FROM reading
WHERE flow < 97
ORDER BY time;

SELECT date(time) AS day, count(*) AS hours, min(flow) AS lowest
FROM low_hours
GROUP BY day
HAVING hours > 1;
"""

MARKDOWN = """# Pump house notes

## 24 March

The flow fell from **102 l/s** to *24 l/s* within three hours:

- 08:00 valve A open, everything normal
- 09:00 half the flow is gone
- 11:00 only the [bypass](index.html) still delivers

1. Close valve B.
2. Call the service team.

```sh
trackside runs list --workflow pump-watch
```

> The repair took until 01:00 the next morning.
"""

SHELL = """#!/bin/sh
# What a letter should not be.
set -eu
for file in "$HOME"/Documents/*; do
    [ -f "$file" ] || continue
    echo "would have looked at $file" >&2
done
if [ "$(id -u)" -eq 0 ]; then
    echo "running as root" >&2
fi
exit 0
"""

if __name__ == "__main__":
    main()
