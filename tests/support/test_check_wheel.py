from __future__ import annotations

from tests.support.check_wheel import complaints, expected


def test_a_complete_wheel_is_right() -> None:
    assert complaints(expected() | {"webpy_socketio-1.0.dist-info/METADATA"}) == []


def test_templates_are_expected_inside_the_package() -> None:
    assert "webpy_socketio/templates/socketio_scripts.html" in expected()


def test_what_is_missing_and_what_is_foreign_is_named() -> None:
    names = expected() - {"webpy_socketio/py.typed", "webpy_socketio/static/vendor/socket.io.min.js"}
    assert complaints(names | {"tests/conftest.py"}) == [
        "missing: webpy_socketio/py.typed",
        "missing: webpy_socketio/static/vendor/socket.io.min.js",
        "does not belong there: tests/conftest.py",
    ]
