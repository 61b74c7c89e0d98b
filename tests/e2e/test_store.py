# SPDX-License-Identifier: Apache-2.0
"""The store of tile costs: later runs reuse it, and nothing depends on it."""
import filecmp
import os
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
GEMM = ("run", "--system", "a100-sxm-80gb", "--workload", "gemm:m=512;n=512;k=512", "--no-advice",
        "--trace", "none")
FILES = ("kernels.csv", "operators.csv", "memory.csv")


def siliscope(store, *arguments):
    done = subprocess.run([os.path.join(ROOT, "siliscope"), *arguments], capture_output=True,
                          text=True, check=False, env={**os.environ, "SILISCOPE_STORE": str(store)})
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_full_store_changes_no_byte(tmp_path):
    store = tmp_path / "new" / "folder" / "costs.sqlite"
    siliscope(store, *GEMM, "--out", str(tmp_path / "empty"))
    assert "1 costs of tiles" in siliscope(store, "store")
    siliscope(store, *GEMM, "--out", str(tmp_path / "full"))
    assert filecmp.cmpfiles(tmp_path / "empty", tmp_path / "full", FILES, shallow=False)[0] == list(FILES)
    # Another SM costs something else; another memory does not.
    siliscope(store, *GEMM, "--set", "memory.channels=40", "--out", str(tmp_path / "memory"))
    assert "1 costs of tiles" in siliscope(store, "store")
    siliscope(store, *GEMM, "--set", "sm.barrier=40", "--out", str(tmp_path / "sm"))
    assert "2 costs of tiles" in siliscope(store, "store")
    assert "0 costs of tiles" in siliscope(store, "store", "--clear")


def test_a_store_that_cannot_be_used_is_done_without(tmp_path):
    expected = tmp_path / "expected"
    siliscope("off", *GEMM, "--out", str(expected))
    assert "off" in siliscope("off", "store")
    broken = tmp_path / "broken.sqlite"
    broken.write_bytes(b"this is no database, whatever its name says" * 100)
    for i, store in enumerate((broken, tmp_path, "/proc/no/such/file")):
        out = tmp_path / f"out{i}"
        siliscope(store, *GEMM, "--out", str(out))
        assert filecmp.cmpfiles(expected, out, FILES, shallow=False)[0] == list(FILES)
    assert broken.read_bytes().startswith(b"this is no database")


def test_costs_that_make_no_sense_are_measured_again(tmp_path):
    import sqlite3
    store = tmp_path / "costs.sqlite"
    siliscope(store, *GEMM, "--out", str(tmp_path / "first"))
    with sqlite3.connect(store) as database:
        database.execute("UPDATE texts SET text = '1 nonsense'")
    siliscope(store, *GEMM, "--out", str(tmp_path / "second"))
    assert filecmp.cmpfiles(tmp_path / "first", tmp_path / "second", FILES, shallow=False)[0] == list(FILES)
