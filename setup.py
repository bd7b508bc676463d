"""Tell setuptools how the compiler turns each kernel in `hypermm/_core` into an extension."""

import os
import sys
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

CHECKED = os.environ.get("HYPERMM_CHECKED") == "1"
SANITIZE = os.environ.get("HYPERMM_SANITIZE") == "1"  # for scripts/sanitize.sh

CORES = os.cpu_count() or 1

# Same inputs, same bits: no fused multiply-add and no reordering of floating-point operations.
COMPILE_ARGS = [] if os.name == "nt" else ["-O3", "-ffp-contract=off"]
LINK_ARGS = []
if SANITIZE:
    LINK_ARGS = ["-fsanitize=address,undefined,float-cast-overflow", "-fno-sanitize-recover=all"]
    COMPILE_ARGS += [*LINK_ARGS, "-fno-omit-frame-pointer", "-O1", "-g"]

DIRECTIVES = {
    "language_level": 3,
    "embedsignature": True,
    "boundscheck": CHECKED,
    "cdivision": not CHECKED,
    "wraparound": False,
    "initializedcheck": False,
    "freethreading_compatible": False,
}


class BuildBeside(build_ext):
    """Puts extensions beside their sources as well.

    In a checkout `python -m hypermm` finds the folder hypermm/ before what was installed.
    """

    def finalize_options(self) -> None:
        """Compile on every core unless a number was asked for."""
        super().finalize_options()
        self.parallel = self.parallel or CORES

    def run(self) -> None:
        """Build, and copy unless that was asked for anyway."""
        super().run()
        if not self.inplace:
            self.copy_extensions_to_source()


extensions = [
    Extension(
        f"hypermm._core.{path.stem}",
        [str(path)],
        extra_compile_args=COMPILE_ARGS,
        extra_link_args=LINK_ARGS,
    )
    for path in sorted(Path("hypermm/_core").glob("*.pyx"))
]

setup(
    cmdclass={"build_ext": BuildBeside},
    ext_modules=cythonize(
        extensions,
        build_dir="build/cython-checked" if CHECKED else "build/cython",
        compiler_directives=DIRECTIVES,
        nthreads=CORES if sys.platform == "linux" else 0,  # where processes can be forked
    ),
)
