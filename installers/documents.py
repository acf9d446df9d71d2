"""Puts the documentation where packages have it, with links that lead somewhere there.

    documents.py REPOSITORY DIRECTORY

A link to what packages do not have becomes its words.
"""

import pathlib
import posixpath
import re
import sys

# Where packages have what the repository has; directories end with a slash.
PLACES = {
    "README.md": "README.md",
    "src/pages/": "pages/",
    "src/codes.md": "pages/codes.md",
    "tests/evidence.md": "pages/evidence.md",
    "tests/hostile.md": "pages/hostile.md",
    "tests/matrix/table.md": "pages/matrix.md",
    "config/": "samples/",
    "installers/managed/": "samples/managed/",
}
LINK = re.compile(r"!?\[([^\]]*)\]\(([^)\s]+)\)")
FENCE = re.compile(r"^\s*```.*?^\s*```", re.MULTILINE | re.DOTALL)


def placed(path):
    """Where packages have a file or directory of the repository, if they do."""
    for source, place in PLACES.items():
        if path == source or path + "/" == source:
            return place
        if source.endswith("/") and path.startswith(source):
            return place + path[len(source) :]
    return None


def moved(document, link):
    """A link of a document as it is in packages."""
    words, target = link[1], link[2]
    if link[0].startswith("!"):
        return words
    if "://" in target or target.startswith("#"):
        return link[0]
    path, mark, fragment = target.partition("#")
    path = placed(posixpath.normpath(posixpath.join(posixpath.dirname(document), path)))
    if path is None:
        return words
    return f"[{words}]({posixpath.relpath(path, posixpath.dirname(placed(document)) or '.')}{mark}{fragment})"


def adapted(document, text):
    """The text of a document with its links moved, but for what stands in blocks of code."""
    out, end = [], 0
    for code in FENCE.finditer(text):
        out.append(LINK.sub(lambda link: moved(document, link), text[end : code.start()]))
        out.append(code[0])
        end = code.end()
    out.append(LINK.sub(lambda link: moved(document, link), text[end:]))
    return "".join(out)


def main(repository, directory):
    for source in PLACES:
        found = sorted(repository.glob(source + "*.md" if source.endswith("/") else source))
        for path in found:
            document = path.relative_to(repository).as_posix()
            place = directory / placed(document)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(adapted(document, path.read_text("utf-8")), "utf-8", newline="\n")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
