"""Print from which import of this file the question is asked; ``web.application`` imports it a second time."""

from gevent import monkey

monkey.patch_all()

import web

from webpy_socketio.gateway.startup import is_main_imported_again

urls = ("/", "Index")


def ask():
    return is_main_imported_again()


class Index:
    def GET(self):
        return str(is_main_imported_again())


print(__name__, is_main_imported_again(), ask(), flush=True)
app = web.application(urls, globals())
print(__name__, is_main_imported_again(), ask(), flush=True)
if __name__ == "__main__":
    print("request", app.request("/").data.decode())
