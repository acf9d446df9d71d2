"""Says what is compiled into a program: licences for people, a bill of materials for programs.

    inventory.py TARGET DIRECTORY

writes THIRD-PARTY.txt and chaperone.cdx.json (CycloneDX 1.6) there. Both come from Cargo.lock, what
cargo resolves for the target, and the sources of the crates as cargo keeps them; build scripts and
macros count, crates of tests do not. The same sources give the same bytes.
"""

import datetime
import json
import os
import re
import subprocess
import sys
import tomllib
import uuid
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TERMS = re.compile(r"^(UN)?(LICEN[CS]E|COPYING|COPYRIGHT|NOTICE)([-._].*)?$", re.IGNORECASE)
# Directories of crates whose licences are of what is not compiled in.
ELSEWHERE = {"tests", "test", "benches", "examples", "target", ".git"}
# A text that is a licence is not longer, and not program text.
PROGRAM_TEXT = {".rs", ".c", ".h", ".go", ".py", ".pl", ".txt.in", ".html"}


def metadata(target):
    """What cargo resolves for this target, with the manifests of all that."""
    # A universal program is two that are made of the same.
    target = target.replace("universal-", "aarch64-")
    command = ["cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", target]
    return json.loads(subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout)


def compiled(resolve):
    """The packages that the program is made of, each with those it is made of itself."""
    nodes = {node["id"]: node for node in resolve["nodes"]}
    found, waiting = {}, [resolve["root"]]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        used = (dep for dep in nodes[name]["deps"] if any(kind["kind"] != "dev" for kind in dep["dep_kinds"]))
        found[name] = sorted(dep["pkg"] for dep in used)
        waiting.extend(found[name])
    return found


def terms(package):
    """The texts of a crate's licences, by name."""
    place = Path(package["manifest_path"]).parent
    texts = {}
    for directory, below, files in os.walk(place):
        below[:] = sorted(name for name in below if name not in ELSEWHERE)
        for name in files:
            path = Path(directory, name)
            if TERMS.match(name) and path.suffix not in PROGRAM_TEXT:
                text = path.read_text(encoding="utf-8", errors="replace")
                lines = (line.rstrip() for line in text.replace("\r\n", "\n").splitlines())
                texts[path.relative_to(place).as_posix()] = "\n".join(lines).strip("\n")
    return texts


def expression(package):
    """The licence in SPDX's words: '/' is how it was written once."""
    return (package["license"] or "").replace(" / ", "/").replace("/", " OR ")


def label(package):
    """How a crate is called in the text."""
    return f"{package['name']} {package['version']}"


def third_party(packages):
    """The text for people: which crates, then each text once, with all whose it is."""
    lines = [
        "What chaperone is made of, besides its own source, and on which terms.",
        "",
        "The standard library of Rust (MIT OR Apache-2.0), https://github.com/rust-lang/rust, and:",
        "",
    ]
    owners = {}
    for package in packages:
        texts = terms(package)
        source = f", {package['repository']}" if package["repository"] else ""
        lines.append(f"{label(package)} ({expression(package) or 'see below'}){source}")
        if not texts:
            people = ", ".join(package["authors"]) or "its authors"
            lines.append(f"    Its archive has no text of a licence; it names the above, by {people}.")
        for name, text in texts.items():
            owners.setdefault(text, []).append(f"{label(package)}: {name}")
    for text, names in sorted(owners.items(), key=lambda pair: pair[1]):
        lines += ["", "=" * 80, *names, "=" * 80, "", text]
    return "\n".join(lines) + "\n"


def component(package, checksums):
    """A crate as CycloneDX describes it."""
    purl = f"pkg:cargo/{package['name']}@{package['version']}"
    entry = {"type": "library", "bom-ref": purl, "name": package["name"], "version": package["version"]}
    if package["description"]:
        entry["description"] = " ".join(package["description"].split())
    entry["scope"] = "required"
    checksum = checksums.get((package["name"], package["version"]))
    if checksum:
        entry["hashes"] = [{"alg": "SHA-256", "content": checksum}]
    if package["license"]:
        entry["licenses"] = [{"expression": expression(package)}]
    entry["purl"] = purl
    if package["repository"]:
        entry["externalReferences"] = [{"type": "vcs", "url": package["repository"]}]
    return entry


def bill(target, program, packages, graph, names):
    """The bill of materials."""
    lock = tomllib.loads((ROOT / "Cargo.lock").read_text(encoding="utf-8"))
    checksums = {(entry["name"], entry["version"]): entry.get("checksum") for entry in lock["package"]}
    time = datetime.datetime.fromtimestamp(int(os.environ["SOURCE_DATE_EPOCH"]), datetime.timezone.utc)
    main = {**component(program, {}), "type": "application"}
    main.pop("scope")
    main["properties"] = [{"name": "chaperone:target", "value": target}]
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ"), "component": main},
        "components": [component(package, checksums) for package in packages],
        "dependencies": sorted(
            ({"ref": names[one], "dependsOn": sorted({names[other] for other in uses})} for one, uses in graph.items()),
            key=lambda entry: entry["ref"],
        ),
    }
    # The same bill has the same number.
    number = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(document, sort_keys=True))
    return {"$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json", "serialNumber": f"urn:uuid:{number}", **document}


def main():
    """Writes both."""
    target, place = sys.argv[1], Path(sys.argv[2])
    known = metadata(target)
    by_id = {package["id"]: package for package in known["packages"]}
    graph = compiled(known["resolve"])
    names = {one: f"pkg:cargo/{by_id[one]['name']}@{by_id[one]['version']}" for one in graph}
    program = by_id[known["resolve"]["root"]]
    others = [by_id[one] for one in graph if one != program["id"]]
    strangers = [label(package) for package in others if not (package["source"] or "").startswith("registry+")]
    if strangers:
        sys.exit(f"not from the registry, so that nobody else can look them up: {', '.join(strangers)}")
    others.sort(key=lambda package: (package["name"], package["version"]))
    (place / "THIRD-PARTY.txt").write_text(third_party(others), encoding="utf-8")
    text = json.dumps(bill(target, program, others, graph, names), indent=2, ensure_ascii=False)
    (place / "chaperone.cdx.json").write_text(text + "\n", encoding="utf-8")


main()
