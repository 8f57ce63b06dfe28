"""Files are complete or absent."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from custome.errors import InputError
from custome.files import atomic_file, atomic_folder, read_bytes, write_json


def test_a_failure_leaves_the_old_content_and_no_litter(tmp_path: Path):
    path = tmp_path / "a.json"
    write_json(path, {"old": 1})
    with pytest.raises(RuntimeError), atomic_file(path) as temporary:
        temporary.write_text("half", encoding="utf-8")
        raise RuntimeError("crash")
    assert '"old": 1' in path.read_text(encoding="utf-8")
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_a_folder_appears_whole_or_not_at_all(tmp_path: Path):
    with pytest.raises(RuntimeError), atomic_folder(tmp_path / "f") as temporary:
        (temporary / "x").write_text("half", encoding="utf-8")
        raise RuntimeError("crash")
    assert list(tmp_path.iterdir()) == []
    with atomic_folder(tmp_path / "f") as temporary:
        (temporary / "x").write_text("whole", encoding="utf-8")
    assert (tmp_path / "f" / "x").read_text(encoding="utf-8") == "whole"


def test_a_full_disk_is_a_disk_error_and_costs_nothing(tmp_path: Path):
    """A file-size limit makes the kernel refuse the write in the middle, as a full disk does."""
    path = tmp_path / "a.txt"
    path.write_text("old", encoding="utf-8")
    code = (
        "import resource, signal, sys; from pathlib import Path; from custome.files import write_text\n"
        "from custome.errors import DiskError\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "try: write_text(Path(sys.argv[1]), 'x' * 100000)\n"
        "except DiskError as error: print('DiskError', error.message, error.hint)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("DiskError") and str(path) in done.stdout
    assert path.read_text(encoding="utf-8") == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda p: None, "找不到"),
        (lambda p: p.mkdir(), "目录"),
        (lambda p: p.write_bytes(b" \n"), "空"),
    ],
)
def test_reading_names_what_is_wrong(tmp_path: Path, make, words: str):
    path = tmp_path / "given"
    make(path)
    with pytest.raises(InputError, match=words) as caught:
        read_bytes(path, "数据文件")
    assert repr(str(path)) in caught.value.message and caught.value.hint


def test_temporary_names_are_per_process(tmp_path: Path):
    with atomic_file(tmp_path / "a") as temporary:
        temporary.write_text("x", encoding="utf-8")
        assert str(os.getpid()) in temporary.name
