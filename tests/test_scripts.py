"""The include of a page: what the function returns, and how each template language takes it."""

from __future__ import annotations

from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jinja2
import pytest
import web
from mako.exceptions import TemplateLookupException, TopLevelLookupException
from mako.lookup import TemplateLookup
from mako.template import Template
from web.contrib.template import render_jinja, render_mako

from webpy_socketio import config, scripts
from webpy_socketio.errors import UsageError
from webpy_socketio.scripts import Html, add_templates, socketio_scripts, template_dir

REPOSITORY = Path(__file__).resolve().parent.parent

DEFAULT = (
    '<script src="/socket.io/socket.io.min.js"></script>\n'
    '<script src="/socket.io/webpy_socketio.js" data-path="/socket.io/"></script>'
)
INCLUDE = '<%include file="socketio_scripts.html"/>'


class ScriptElements(HTMLParser):
    """The attributes of all script elements of a page, as a browser reads them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[dict[str, str | None]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag == "script"
        self.found.append(dict(attrs))


@pytest.fixture
def pages(tmp_path: Path) -> Path:
    """A user's own templates, with the include at the top, in a sub-directory, and inherited."""
    (tmp_path / "sub" / "deeper").mkdir(parents=True)
    (tmp_path / "index.html").write_text(f"top {INCLUDE}")
    (tmp_path / "sub" / "page.html").write_text(f"sub {INCLUDE}")
    (tmp_path / "sub" / "deeper" / "page.html").write_text(f"deeper {INCLUDE}")
    (tmp_path / "sub" / "rooted.html").write_text('rooted <%include file="/socketio_scripts.html"/>')
    (tmp_path / "sub" / "child.html").write_text('<%inherit file="/index.html"/>')
    return tmp_path


@pytest.fixture
def settings() -> Iterator[None]:
    """Put the process's settings back after the test."""
    before = config.current()
    yield
    config.install(before)


# ---------------------------------------------------------------- the function


def test_two_external_scripts_with_their_options_in_data_attributes() -> None:
    assert socketio_scripts() == DEFAULT


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ({"resource": "live"}, "/live/"),
        ({"resource": "/live/"}, "/live/"),
        ({"prefix": "/app"}, "/app/socket.io/"),
        ({"prefix": "/"}, "/socket.io/"),
        ({"prefix": "/a/b/", "resource": "x"}, "/a/b/x/"),
        ({"prefix": "/für"}, "/f%C3%BCr/socket.io/"),
    ],
)
def test_the_path_is_known_to_the_scripts(options: dict[str, str], path: str) -> None:
    client, extension = ScriptElements(socketio_scripts(**options)).found
    assert client == {"src": path + "socket.io.min.js"}
    assert extension == {"src": path + "webpy_socketio.js", "data-path": path}


@pytest.mark.usefixtures("settings")
def test_the_servers_settings_are_known() -> None:
    config.install(config.Config(resource="live", transports=("websocket",)))
    assert ScriptElements(socketio_scripts()).found[1] == {
        "src": "/live/webpy_socketio.js",
        "data-path": "/live/",
        "data-transports": "websocket",
    }


def test_transports_of_the_page() -> None:
    assert 'data-transports="websocket,polling"' in socketio_scripts(transports=["websocket", "polling"])
    for wrong in ([], ["flashsocket"], "websocket"):
        with pytest.raises(UsageError, match="transports must be some of"):
            socketio_scripts(transports=wrong)


def test_another_client_and_a_nonce() -> None:
    elements = ScriptElements(socketio_scripts(client="/js/io.js?v=1&x=2", nonce="r4nd0m")).found
    assert [element["src"] for element in elements] == ["/js/io.js?v=1&x=2", "/socket.io/webpy_socketio.js"]
    assert [element["nonce"] for element in elements] == ["r4nd0m", "r4nd0m"]


def test_every_value_is_escaped() -> None:
    evil = "\"'><script>alert(1)</script>&"
    page = socketio_scripts(resource=evil, prefix=evil, client=evil, nonce=evil)
    first, second = ScriptElements(page).found  # two elements, not more
    assert first == {"src": evil, "nonce": evil}
    assert set(second) == {"src", "nonce", "data-path"}


def test_an_unknown_option_is_an_error() -> None:
    with pytest.raises(TypeError, match="resorce"):
        socketio_scripts(resorce="x")  # type: ignore[call-arg]  # the mistake is the test
    with pytest.raises(TypeError):
        socketio_scripts("x")  # type: ignore[misc]  # the mistake is the test


@pytest.mark.parametrize(
    ("environ", "path"),
    [
        ({"SCRIPT_NAME": "/app"}, "/app/socket.io/"),
        ({"SCRIPT_NAME": "/f\xc3\xbcr"}, "/f%C3%BCr/socket.io/"),
        ({"SCRIPT_NAME": "/x.fcgi", "REAL_SCRIPT_NAME": ""}, "/socket.io/"),
    ],
)
def test_a_mounted_application_is_found_from_the_request(environ: dict[str, str], path: str) -> None:
    class Page:
        def GET(self) -> str:
            return socketio_scripts()

    class Outer:
        def GET(self) -> str:
            return "not the sub-application"

    # A web.py application mounted below another has a homepath of its own; the endpoint stays where the server has it.
    inner = web.application(("/page", Page), {})
    app = web.application(("/inner", inner, "/page", Page, "/(.*)", Outer), {})
    for address in ("/page", "/inner/page"):
        answer = app.request(address, env=environ)
        assert f'data-path="{path}"' in answer.data.decode()


# ---------------------------------------------------------------- other template languages


def test_it_is_html_for_whoever_asks() -> None:
    html = socketio_scripts()
    assert html.__html__() is html
    assert type(str(html)) is Html


def test_jinja_does_not_escape_it() -> None:
    environment = jinja2.Environment(autoescape=True)
    environment.globals["socketio_scripts"] = socketio_scripts
    assert environment.from_string("{{ socketio_scripts() }}").render() == DEFAULT
    assert environment.from_string("{{ socketio_scripts()|string }}").render() == DEFAULT


def test_templetor_takes_it_unescaped_with_a_colon() -> None:
    template = web.template.Template(
        "$:socketio_scripts()", globals={"socketio_scripts": socketio_scripts}, filename="x.html"
    )
    assert str(template()) == DEFAULT + "\n"


@pytest.mark.parametrize("filters", [["h"], ["str", "h"], ["str"]])
def test_mako_does_not_escape_the_functions_value(filters: list[str]) -> None:
    template = Template(
        "${socketio_scripts()}", default_filters=filters, imports=["from mako.filters import html_escape"]
    )
    assert template.render(socketio_scripts=socketio_scripts) == DEFAULT


# ---------------------------------------------------------------- Mako's include


@pytest.mark.parametrize(
    ("name", "before"),
    [
        ("index.html", "top "),
        ("sub/page.html", "sub "),
        ("/sub/page.html", "sub "),
        ("sub/deeper/page.html", "deeper "),
        ("sub/rooted.html", "rooted "),
        ("sub/child.html", "top "),
    ],
)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"strict_undefined": True},
        {"default_filters": ["h"]},
        {"strict_undefined": True, "default_filters": ["str", "h"], "imports": ["import json"]},
        {"filesystem_checks": False, "collection_size": 5},
        {"future_imports": ["annotations"], "enable_loop": False},
    ],
    ids=lambda options: ",".join(options) or "plain",
)
def test_the_include_works_from_everywhere(pages: Path, name: str, before: str, options: dict[str, Any]) -> None:
    lookup = TemplateLookup(directories=[str(pages)], **options)
    for _ in range(2):  # the second time from the cache
        assert lookup.get_template(name).render().strip() == before + DEFAULT


def test_the_include_in_bytes(pages: Path) -> None:
    lookup = TemplateLookup(directories=[str(pages)], output_encoding="utf-8", input_encoding="utf-8")
    assert lookup.get_template("sub/page.html").render().strip() == f"sub {DEFAULT}".encode()
    assert lookup.get_template("sub/page.html").render_unicode().strip() == f"sub {DEFAULT}"


def test_the_include_with_compiled_modules_on_disk(pages: Path, tmp_path: Path) -> None:
    modules = tmp_path / "modules"
    for _ in range(2):  # the second lookup finds the first one's modules
        lookup = TemplateLookup(directories=[str(pages)], module_directory=str(modules))
        assert lookup.get_template("sub/page.html").render().strip() == f"sub {DEFAULT}"
    assert [path.name for path in modules.rglob("socketio*.py")] == ["socketio_scripts.html.py"]
    assert not list(Path(template_dir()).rglob("*.py[co]")), "nothing is written beside the package's template"


def test_the_include_through_webs_own_renderer(pages: Path) -> None:
    assert render_mako(directories=[str(pages)]).index().strip() == f"top {DEFAULT}"


def test_options_are_given_to_the_include(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(
        "<%include file=\"socketio_scripts.html\" args=\"resource='x', nonce=csp_nonce, transports=['websocket']\"/>"
    )
    lookup = TemplateLookup(directories=[str(tmp_path)], default_filters=["h"], strict_undefined=True)
    page = lookup.get_template("page.html").render(csp_nonce='"n1"')
    assert ScriptElements(page).found == [
        {"src": "/x/socket.io.min.js", "nonce": '"n1"'},
        {"src": "/x/webpy_socketio.js", "nonce": '"n1"', "data-path": "/x/", "data-transports": "websocket"},
    ]


def test_a_pages_own_variables_are_no_options(pages: Path) -> None:
    """Mako hands a variable of the page to every included template whose <%page> names an argument like it."""
    page = TemplateLookup(directories=[str(pages)]).get_template("index.html")
    mine = dict.fromkeys(["client", "prefix", "resource", "nonce", "transports", "socketio_scripts"], "mine")
    assert page.render(**mine).strip() == f"top {DEFAULT}"


def test_a_users_template_of_the_same_name_wins(pages: Path) -> None:
    (pages / "sub" / "socketio_scripts.html").write_text("mine")
    lookup = TemplateLookup(directories=[str(pages)])
    assert lookup.get_template("sub/page.html").render() == "sub mine"
    assert lookup.get_template("index.html").render().strip() == f"top {DEFAULT}"


def test_no_other_name_is_found(pages: Path) -> None:
    (pages / "wrong.html").write_text('<%include file="socketio_script.html"/>')
    lookup = TemplateLookup(directories=[str(pages)])
    with pytest.raises(TemplateLookupException, match=r"socketio_script\.html"):
        lookup.get_template("wrong.html").render()
    with pytest.raises(TopLevelLookupException):
        lookup.get_template("my_socketio_scripts.html")
    assert lookup.directories == [str(pages)], "a lookup that never asked for ours is left alone"


def test_templates_are_added_once() -> None:
    render = render_mako(directories=["/nowhere"])
    assert add_templates(render) is render
    assert add_templates(render._lookup) is render._lookup
    assert render._lookup.directories == ["/nowhere", template_dir()]
    assert render.socketio_scripts().strip() == DEFAULT


def test_only_mako_can_be_given_templates() -> None:
    for render in (web.template.render("templates"), render_jinja("templates"), "templates", None):
        with pytest.raises(UsageError, match="socketio_scripts"):
            add_templates(render)


# ---------------------------------------------------------------- where the template stands


def test_the_template_of_a_checkout() -> None:
    assert Path(template_dir()) == REPOSITORY / "templates"


def test_the_template_of_an_installed_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a wheel lays it out: the directory is inside the package, and a foreign templates/ beside it is not ours."""
    package = tmp_path / "site-packages" / "webpy_socketio"
    (package / "templates").mkdir(parents=True)
    (package.parent / "templates").mkdir()
    (package / "templates" / "socketio_scripts.html").write_bytes(
        (REPOSITORY / "templates" / "socketio_scripts.html").read_bytes()
    )
    monkeypatch.setattr(scripts, "__file__", str(package / "scripts.py"))
    assert template_dir() == str(package / "templates")
