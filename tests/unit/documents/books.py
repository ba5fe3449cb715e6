"""Books in the shapes that publishers and programs write, made as files in memory."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

CONTAINER = """<?xml version="1.0"?>
<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container">
<rootfiles><rootfile full-path="{path}" media-type="application/oebps-package+xml"/></rootfiles></container>"""
XHTML = """<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE html>
<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops" lang="en">
<head><title/><link rel="stylesheet" href="style.css"/></head><body{attributes}>{body}</body></html>"""


def page(body: str, attributes: str = "") -> str:
    return XHTML.format(body=body, attributes=attributes)


@dataclass
class Epub:
    """The parts of a book; `pages` are names and contents in the order of the spine."""

    pages: Sequence[tuple[str, str]]
    folder: str = "OEBPS"
    nav: str = ""
    ncx: str = ""
    guide: str = ""
    non_linear: frozenset[str] = frozenset()
    others: Mapping[str, str] = field(default_factory=dict)
    spine: Sequence[str] | None = None
    """Ids, if they are not those of the pages."""

    def build(self) -> bytes:
        stream = io.BytesIO()
        prefix = f"{self.folder}/" if self.folder else ""
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("mimetype", "application/epub+zip")
            archive.writestr("META-INF/container.xml", CONTAINER.format(path=f"{prefix}content.opf"))
            archive.writestr(f"{prefix}content.opf", self._package())
            for name, content in (*self.pages, *self._contents()):
                archive.writestr(prefix + name, content)
            for name, content in self.others.items():
                archive.writestr(name, content)
        return stream.getvalue()

    def _contents(self) -> list[tuple[str, str]]:
        return [(name, text) for name, text in (("nav.xhtml", self.nav), ("toc.ncx", self.ncx)) if text]

    def _linear(self, name: str) -> str:
        return ' linear="no"' if name in self.non_linear else ""

    def _package(self) -> str:
        html = 'media-type="application/xhtml+xml"'
        items = [f'<item id="{name}" href="{name}" {html}/>' for name, _ in self.pages]
        if self.nav:
            items.append(f'<item id="nav" href="nav.xhtml" {html} properties="nav"/>')
        if self.ncx:
            items.append('<item id="ncx" href="toc.ncx" media-type="application/x-dtbncx+xml"/>')
        ids = self.spine if self.spine is not None else [name for name, _ in self.pages]
        refs = [f'<itemref idref="{name}"{self._linear(name)}/>' for name in ids]
        toc = ' toc="ncx"' if self.ncx else ""
        return (
            '<?xml version="1.0"?><package xmlns="http://www.idpf.org/2007/opf" version="3.0">'
            '<metadata xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>The Ferry</dc:title>'
            "<dc:creator>A. Boatman</dc:creator><dc:language>en-GB</dc:language></metadata>"
            f"<manifest>{''.join(items)}</manifest>"
            f"<spine{toc}>{''.join(refs)}</spine>{self.guide}</package>"
        )


def nav(*entries: tuple[str, str]) -> str:
    links = "".join(f'<li><a href="{target}">{title}</a></li>' for target, title in entries)
    return page(
        f'<nav epub:type="toc"><h1>Contents</h1><ol>{links}</ol></nav>'
        '<nav epub:type="landmarks"><a href="x">L</a></nav>'
    )


def ncx(*entries: tuple[str, str]) -> str:
    points = "".join(
        f"<navPoint><navLabel><text>{title}</text></navLabel><content src='{target}'/></navPoint>"
        for target, title in entries
    )
    return (
        '<?xml version="1.0"?><!DOCTYPE ncx PUBLIC "-//NISO//DTD ncx 2005-1//EN" '
        '"http://www.daisy.org/z3986/2005/ncx-2005-1.dtd"><ncx xmlns="http://www.daisy.org/z3986/2005/ncx/">'
        f"<navMap>{points}</navMap></ncx>"
    )


def pdf(*pages: Sequence[str]) -> bytes:
    """Return a PDF with these lines of Latin text on its pages."""
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>"]
    kids = " ".join(f"{4 + 2 * index} 0 R" for index in range(len(pages)))
    objects.append(f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode())
    objects.append(b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>")
    for index, lines in enumerate(pages):
        shown = " ".join(f"({line}) Tj 0 -14 Td" for line in lines)
        content = f"BT /F1 12 Tf 72 720 Td {shown} ET".encode("latin-1")
        resources = "/Resources << /Font << /F1 3 0 R >> >> /MediaBox [0 0 612 792]"
        objects.append(f"<< /Type /Page /Parent 2 0 R {resources} /Contents {5 + 2 * index} 0 R >>".encode())
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content))
    body, offsets = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        offsets.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    trailer = b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, len(body))
    return body + b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1) + table + trailer
