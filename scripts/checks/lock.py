"""Write both locks from pyproject.toml: `make lock` (`--upgrade` for the newest that fits).

One lock serves every platform and every Python from 3.11. It holds hashes and no address, so it
installs from whatever index a machine is set up with. uv makes it; where there is none, it is
installed into a folder that is thrown away.
"""

import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

from scripts.checks.environment import LOCKS, ROOT, count

OPTIONS = (
    "--universal", "--python-version=3.11", "--generate-hashes", "--no-emit-index-url",
    "--no-annotate", "--no-header", "--no-config", "--quiet",
)  # fmt: skip


def write_locks(uv: str, arguments: list[str]) -> None:
    for kind, name in LOCKS.items():
        extra = [] if kind == "runtime" else ["--extra", kind]
        command = [uv, "pip", "compile", "pyproject.toml", *extra, *OPTIONS, *arguments]
        subprocess.run([*command, "--output-file", name], cwd=ROOT, check=True)
        print(f"{name}: {count(ROOT / name)} packages")


def _install_uv(folder: Path) -> str:
    venv.create(folder, with_pip=True)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "uv"]
    subprocess.run(pip, check=True)
    return str(folder / "bin" / "uv")


def main() -> int:
    arguments = sys.argv[1:]
    if found := shutil.which("uv"):
        write_locks(found, arguments)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        write_locks(_install_uv(Path(folder)), arguments)
    return 0


if __name__ == "__main__":
    sys.exit(main())
