"""Say what TOML cannot: the top-level templates/ is installed as the package's own sub-directory."""

from setuptools import find_packages, setup

TEMPLATES = "webpy_socketio.templates"

setup(
    packages=[*find_packages(include=["webpy_socketio", "webpy_socketio.*"]), TEMPLATES],
    package_dir={"webpy_socketio": "webpy_socketio", TEMPLATES: "templates"},
    package_data={
        # static/vendor is filled by `make client` and ignored by git; a wheel built after it carries the client.
        "webpy_socketio": ["py.typed", "static/*", "static/vendor/*"],
        TEMPLATES: ["*.html", "**/*.html"],
    },
    include_package_data=False,
    zip_safe=False,
)
