"""web first, the patches late, and nothing of ours: what the users of the old README met."""

import sys

import mixing_views
from gevent import monkey

monkey.patch_all()

from gevent.pywsgi import WSGIServer

WSGIServer(("127.0.0.1", int(sys.argv[1])), mixing_views.application, log=None).serve_forever()
