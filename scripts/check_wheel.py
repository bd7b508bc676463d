"""Check that a wheel holds the sources that notebooks and `cimport` need, and nothing generated."""

import sys
import zipfile
from pathlib import Path, PurePosixPath

EXPECTED = {".pyx", ".pxd", ".pyi", ".so"}


def main() -> int:
    """Exit status 1, with the reason, if the wheel's content is not as promised."""
    names = [PurePosixPath(name) for name in zipfile.ZipFile(Path(sys.argv[1])).namelist()]
    kernels = {name.stem for name in names if name.suffix == ".pyx"}
    findings = [f"holds generated {name}" for name in names if name.suffix in {".c", ".cpp"}]
    if PurePosixPath("hypermm/py.typed") not in names:
        findings.append("lacks hypermm/py.typed")
    for kernel in sorted(kernels):
        found = {
            name.suffix
            for name in names
            if name.parent.name == "_core" and name.name.split(".")[0] == kernel
        }
        findings += [f"lacks {kernel}{suffix}" for suffix in sorted(EXPECTED - found)]
    if not kernels:
        findings.append("holds no kernel")
    for finding in findings:
        print(f"{sys.argv[1]}: {finding}", file=sys.stderr)
    print(f"{len(kernels)} kernels, {len(names)} files in the wheel")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
