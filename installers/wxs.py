"""Writes the description of a Windows package that wixl reads.

    wxs.py TREE SCOPE VERSION PRODUCT UPGRADE PACKAGE

TREE is what will lie in the program's directory, SCOPE is machine or user, and the last three are the
codes by which installers know the product. What wixl has no words for is added by the script `msi`.
"""

import hashlib
import sys
import uuid
from pathlib import Path
from xml.sax.saxutils import quoteattr

NAMES = uuid.UUID("9a3c2b52-95a0-5f47-8f0c-5d4d43d0e0b1")
# Public properties of the package, and the settings that they become. Group policy has the same key.
POLICY_KEY = r"SOFTWARE\Policies\Chaperone"
SETTINGS = {"ISSUER": "identity.issuer", "CLIENT_ID": "identity.client_id", "POLICY_FILE": "policy.file"}


def code(*parts):
    """A code of a component: it stays as long as its place does."""
    return str(uuid.uuid5(NAMES, " ".join(parts))).upper()


def identifier(kind, name):
    """A name within the package for a place in the tree."""
    return f"{kind}_{hashlib.sha256(name.encode()).hexdigest()[:16]}"


def element(name, **attributes):
    """An element without content."""
    return f"<{name} {' '.join(f'{key}={quoteattr(value)}' for key, value in attributes.items())}/>"


class Description:
    """What is collected on the way through the tree."""

    def __init__(self, tree, scope):
        self.tree, self.scope, self.components = tree, scope, []

    def component(self, name, content):
        """A component with what is in it, and its name noted."""
        ref = "program" if name == "chaperone.exe" else identifier("c", name)
        self.components.append(ref)
        return f'<Component Id="{ref}" Guid="{code(self.scope, name)}" Win64="yes">{content}</Component>'

    def directory(self, place):
        """The elements of a directory: its files, then the directories in it."""
        lines = []
        entries = sorted(place.iterdir())
        for path in (entry for entry in entries if entry.is_file()):
            name = path.relative_to(self.tree).as_posix()
            file = element("File", Id=identifier("f", name), Name=path.name, Source=path.as_posix(), KeyPath="yes")
            lines.append(self.component(name, file))
        for path in (entry for entry in entries if entry.is_dir()):
            name = path.relative_to(self.tree).as_posix()
            lines.append(f'<Directory Id="{identifier("d", name)}" Name={quoteattr(path.name)}>')
            lines += [*self.directory(path), "</Directory>"]
        return lines

    def settings(self):
        """The values of the registry that properties become; each has a component, which has a condition."""
        lines = []
        for name, key in SETTINGS.items():
            self.components.append(f"set_{name}")
            value = element("RegistryValue", Root="HKLM", Key=POLICY_KEY, Name=key, Type="string", Value=f"[{name}]", KeyPath="yes")
            lines.append(f'<Component Id="set_{name}" Guid="{code(self.scope, name)}" Win64="yes">{value}</Component>')
        return lines


def main():
    """Prints the description."""
    tree, scope, version, product, upgrade, package = sys.argv[1:]
    description = Description(Path(tree), scope)
    inside = description.directory(description.tree)
    if scope == "machine":
        inside += description.settings()
        above = ['<Directory Id="ProgramFiles64Folder">']
        kind = 'InstallScope="perMachine"'
    else:
        above = ['<Directory Id="LocalAppDataFolder">', '<Directory Id="Programs" Name="Programs">']
        kind = 'InstallScope="perUser"'
    refs = (element("ComponentRef", Id=name) for name in description.components)
    lines = [
        '<?xml version="1.0" encoding="utf-8"?>',
        '<Wix xmlns="http://schemas.microsoft.com/wix/2006/wi">',
        f'<Product Id="{product}" Name="chaperone" Language="1033" Version="{version}" Manufacturer="chaperone" UpgradeCode="{upgrade}">',
        f'<Package Id="{package}" InstallerVersion="500" Compressed="yes" {kind} Description="chaperone {version}"/>',
        '<MajorUpgrade DowngradeErrorMessage="A newer version of chaperone is installed. Remove it first, if an older one is wanted."/>',
        '<Media Id="1" Cabinet="chaperone.cab" EmbedCab="yes"/>',
        '<Property Id="ARPNOMODIFY" Value="1"/>',
        '<Directory Id="TARGETDIR" Name="SourceDir">',
        *above,
        '<Directory Id="INSTALLDIR" Name="Chaperone">',
        *inside,
        "</Directory>",
        *("</Directory>" for _ in above),
        "</Directory>",
        '<Feature Id="Everything" Level="1">',
        *refs,
        "</Feature></Product></Wix>",
    ]
    print("\n".join(lines))


main()
