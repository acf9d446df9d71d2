"""Writes a package for macOS from a tree, where there is no macOS.

    flat.py TREE VERSION ARCHITECTURES OUTPUT

A flat package is a xar archive with a description (Distribution), and one component: what is
installed (Payload: cpio, compressed), what that is (Bom), and how (PackageInfo). libarchive writes xar
and cpio as well, but with the clock in it; nothing else here writes a Bom.
"""

import gzip
import hashlib
import os
import struct
import sys
import time
import zlib
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

IDENTIFIER = "com.chaperone.chaperone"
# A leaf of the Bom's tree holds so many; a package of ours has a few dozen.
MOST_PATHS = 256


class Entry:
    """A file or directory of the tree, as the installer will make it: root's."""

    def __init__(self, path, tree, when):
        self.name = "." if path == tree else f"./{path.relative_to(tree).as_posix()}"
        self.is_file = path.is_file()
        self.data = path.read_bytes() if self.is_file else b""
        kind, plain = (0o100000, 0o644) if self.is_file else (0o040000, 0o755)
        self.mode = kind | (0o755 if self.is_file and os.access(path, os.X_OK) else plain)
        self.when = when


def entries(tree, when):
    """All of the tree, directories before what is in them."""
    found, waiting = [Entry(tree, tree, when)], [tree]
    while waiting:
        below = sorted(waiting.pop(0).iterdir())
        found += [Entry(path, tree, when) for path in below]
        waiting += [path for path in below if path.is_dir()]
    return found


def cpio(found):
    """The portable ASCII format of POSIX ("odc")."""
    parts = []
    for number, entry in enumerate([*found, None], 1):
        name = (entry.name if entry else "TRAILER!!!").encode() + b"\0"
        mode, when, data = (entry.mode, entry.when, entry.data) if entry else (0, 0, b"")
        links = 1 if not entry or entry.is_file else 2
        fields = f"070707{0:06o}{number if entry else 0:06o}{mode:06o}{0:06o}{0:06o}{links:06o}{0:06o}"
        parts += [f"{fields}{when:011o}{len(name):06o}{len(data):011o}".encode(), name, data]
    return b"".join(parts)


def crc_table():
    """Of the polynomial that POSIX gives for cksum."""
    table = []
    for value in range(256):
        value <<= 24
        for _ in range(8):
            value = (value << 1) ^ (0x04C11DB7 if value & 0x80000000 else 0)
        table.append(value & 0xFFFFFFFF)
    return table


def cksum(data, table):
    """What the program cksum prints."""
    crc, length = 0, len(data)
    for byte in data:
        crc = ((crc << 8) & 0xFFFFFFFF) ^ table[(crc >> 24) ^ byte]
    while length:
        crc = ((crc << 8) & 0xFFFFFFFF) ^ table[(crc >> 24) ^ (length & 0xFF)]
        length >>= 8
    return ~crc & 0xFFFFFFFF


class Store:
    """The container of a Bom: numbered blocks, of which some have names."""

    def __init__(self):
        self.blocks, self.names = [b""], []

    def add(self, data):
        """The number of a new block."""
        self.blocks.append(data)
        return len(self.blocks) - 1

    def name(self, name, data):
        """Adds a block with a name."""
        self.names.append((self.add(data), name.encode()))

    def tree(self, pairs, size=4096):
        """A tree of one leaf: which blocks hold value and key of each."""
        leaf = struct.pack(">HHII", 1, len(pairs), 0, 0) + b"".join(struct.pack(">II", *pair) for pair in pairs)
        return struct.pack(">4sIIIIB", b"tree", 1, self.add(leaf.ljust(size, b"\0")), size, len(pairs), 0)

    def bytes(self):
        """Header, blocks, then where they and the named ones are."""
        names = struct.pack(">I", len(self.names)) + b"".join(
            struct.pack(">IB", number, len(name)) + name for number, name in self.names
        )
        places, body, offset = [], b"", 512
        for block in self.blocks:
            places.append((offset, len(block)) if block else (0, 0))
            body, offset = body + block, offset + len(block)
        # Nothing is free, which is said by two empty places.
        index = struct.pack(">I", len(places)) + b"".join(struct.pack(">II", *place) for place in places)
        index += struct.pack(">IIIII", 2, 0, 0, 0, 0)
        used = len(self.blocks) - 1
        head = struct.pack(">8sIIIIII", b"BOMStore", 1, used, offset + len(names), len(index), offset, len(names))
        return head.ljust(512, b"\0") + body + names + index


def bom(found):
    """What is installed: names, modes, sizes and sums."""
    if len(found) > MOST_PATHS:
        sys.exit(f"{len(found)} files and directories are more than fit here ({MOST_PATHS})")
    store, table, numbers, pairs = Store(), crc_table(), {}, []
    store.name("BomInfo", struct.pack(">IIIIIII", 1, len(found) + 1, 1, 0, 0, 0, 0))
    for number, entry in enumerate(found, 1):
        numbers[entry.name] = number
        parent = numbers.get(os.path.dirname(entry.name), 0)
        about = struct.pack(
            ">BBHHIIIIBII", 1 if entry.is_file else 2, 1, 3, entry.mode, 0, 0, entry.when,
            len(entry.data), 1, cksum(entry.data, table) if entry.is_file else 0, 0,
        )
        value = store.add(struct.pack(">II", number, store.add(about)))
        key = store.add(struct.pack(">I", parent) + os.path.basename(entry.name).encode() + b"\0")
        pairs.append((value, key))
    store.name("Paths", store.tree(pairs))
    store.name("HLIndex", store.tree([]))
    store.name("VIndex", struct.pack(">IIIB", 1, store.add(store.tree([], 128)), 0, 0))
    store.name("Size64", store.tree([]))
    return store.bytes()


def package_info(version, found):
    """How the component is installed."""
    kilobytes = sum(len(entry.data) for entry in found) // 1024
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        f'<pkg-info format-version="2" identifier="{IDENTIFIER}" version={quoteattr(version)} install-location="/" '
        'auth="root" overwrite-permissions="false" relocatable="false" postinstall-action="none">\n'
        f'    <payload installKBytes="{kilobytes}" numberOfFiles="{len(found)}"/>\n'
        "</pkg-info>\n"
    )


def distribution(version, architectures, found):
    """What the installer shows, and on which processors; device management asks for one."""
    kilobytes = sum(len(entry.data) for entry in found) // 1024
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        '<installer-gui-script minSpecVersion="2">\n'
        "    <title>chaperone</title>\n"
        f'    <options customize="never" require-scripts="false" rootVolumeOnly="true" hostArchitectures={quoteattr(architectures)}/>\n'
        '    <domains enable_anywhere="false" enable_currentUserHome="false" enable_localSystem="true"/>\n'
        '    <choices-outline><line choice="chaperone"/></choices-outline>\n'
        f'    <choice id="chaperone" title="chaperone"><pkg-ref id="{IDENTIFIER}"/></choice>\n'
        f'    <pkg-ref id="{IDENTIFIER}" version={quoteattr(version)} installKBytes="{kilobytes}" auth="root">#chaperone.pkg</pkg-ref>\n'
        "</installer-gui-script>\n"
    )


class Archive:
    """A xar archive: a table of contents in XML, and a heap that begins with the table's sum."""

    def __init__(self, when):
        self.when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(when))
        self.number, self.heap, self.table = 0, b"", ""

    def start(self, name, kind, mode):
        """Opens an element of the table."""
        self.number += 1
        self.table += (
            f'<file id="{self.number}"><name>{escape(name)}</name><type>{kind}</type><mode>{mode}</mode>'
            f"<uid>0</uid><gid>0</gid><user>root</user><group>wheel</group><mtime>{self.when}</mtime>"
        )

    def file(self, name, data):
        """Adds a file as it is."""
        digest = hashlib.sha1(data).hexdigest()
        self.start(name, "file", "0644")
        self.table += (
            f"<data><length>{len(data)}</length><offset>{20 + len(self.heap)}</offset><size>{len(data)}</size>"
            f'<encoding style="application/octet-stream"/><extracted-checksum style="sha1">{digest}</extracted-checksum>'
            f'<archived-checksum style="sha1">{digest}</archived-checksum></data></file>'
        )
        self.heap += data

    def directory(self, name, files):
        """Adds a directory with files."""
        self.start(name, "directory", "0755")
        for inside, data in files.items():
            self.file(inside, data)
        self.table += "</file>"

    def bytes(self):
        """Header, table and heap."""
        table = (
            '<?xml version="1.0" encoding="UTF-8"?><xar><toc>'
            f'<checksum style="sha1"><offset>0</offset><size>20</size></checksum><creation-time>{self.when}</creation-time>'
            f"{self.table}</toc></xar>"
        ).encode()
        packed = zlib.compress(table, 9)
        head = struct.pack(">4sHHQQI", b"xar!", 28, 1, len(packed), len(table), 1)
        return head + packed + hashlib.sha1(packed).digest() + self.heap


def main():
    """Writes the package."""
    tree, version, architectures, output = sys.argv[1:]
    when = int(os.environ["SOURCE_DATE_EPOCH"])
    found = entries(Path(tree), when)
    archive = Archive(when)
    archive.file("Distribution", distribution(version, architectures, found).encode())
    parts = {
        "Bom": bom(found),
        "Payload": gzip.compress(cpio(found), 9, mtime=0),
        "PackageInfo": package_info(version, found).encode(),
    }
    archive.directory("chaperone.pkg", parts)
    Path(output).write_bytes(archive.bytes())


main()
