"""Owns what is in the package: builds the zip that a deployment uploads, as .funcignore says.

`python -m tests.stack.package FILE` writes it, as the release does. It doesn't install requirements: the
remote build of Functions does.
"""

import sys
import zipfile
from pathlib import Path

from pathspec import GitIgnoreSpec

ROOT = Path(__file__).resolve().parents[2]


def package_files(root: Path = ROOT) -> list[str]:
    """Return the files that .funcignore leaves in, sorted, with slashes, relative to *root*."""
    ignored = GitIgnoreSpec.from_lines((root / ".funcignore").read_text(encoding="utf-8").splitlines())
    # A folder that is left out as a whole is not looked into, as in git; .venv and node_modules are large.
    found: list[str] = []
    pending = [root]
    while pending:
        for path in pending.pop().iterdir():
            name = path.relative_to(root).as_posix()
            if path.is_dir():
                if not ignored.match_file(name + "/"):
                    pending.append(path)
            elif not ignored.match_file(name):
                found.append(name)
    return sorted(found)


def build_package(target: Path, root: Path = ROOT) -> Path:
    """Write the zip to *target* and return it; the same files give the same bytes."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in package_files(root):
            entry = zipfile.ZipInfo(name)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, (root / name).read_bytes())
    return target


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m tests.stack.package FILE")
    print(build_package(Path(sys.argv[1])))
