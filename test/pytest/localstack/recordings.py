"""A plugin of pytest with which every test of LocalStack's runs that has a recording, also one that LocalStack skips because its own answer is another."""

import json
import os

import pytest


def recordings(item):
    """Is the names of the tests of a file that have a recording."""
    name = os.path.splitext(str(item.path))[0] + ".snapshot.json"
    if not os.path.exists(name):
        return ()
    with open(name, encoding="utf-8") as f:
        return json.load(f)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    """Lets tests run that have a recording."""
    for item in items:
        if item.nodeid in recordings(item):
            for node in item.listchain():
                node.own_markers = [m for m in node.own_markers if m.name not in ("skip", "skipif")]
