# SPDX-License-Identifier: Apache-2.0
"""Tests keep costs of tiles apart from the user's."""
import pytest


@pytest.fixture(scope="session", autouse=True)
def own_store(tmp_path_factory):
    patch = pytest.MonkeyPatch()
    patch.setenv("SILISCOPE_STORE", str(tmp_path_factory.mktemp("store") / "costs.sqlite"))
    yield
    patch.undo()
