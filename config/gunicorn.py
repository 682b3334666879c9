"""How gunicorn serves the platform. `gunicorn --config config/gunicorn.py wsgi:app`.

Every name below is a setting of gunicorn's; the command line or GUNICORN_CMD_ARGS override them.
"""

import multiprocessing
import os
import shutil
import tempfile
from pathlib import Path

bind = "127.0.0.1:8000"
worker_class = "gthread"
# Python computes on one core per process; threads overlap the waits for database and network.
workers = multiprocessing.cpu_count()
threads = 4
# Heartbeats go to memory: a slow disk must not make a worker look dead.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None
timeout = 60
graceful_timeout = 30
keepalive = 5
# Idle memory creeps; each worker is renewed once in a while, not all at the same moment.
max_requests = 50_000
max_requests_jitter = 5_000
# The application writes one line per request itself, as JSON with the request's id.
accesslog = None
errorlog = "-"
logconfig_dict = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "config.logging.JsonFormatter"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
    "loggers": {
        "gunicorn.error": {"handlers": ["stderr"], "level": "INFO", "propagate": False},
        # It announces every plugin at every start.
        "alembic.runtime.plugins": {"level": "WARNING"},
    },
}
# It would open a socket in the home directory; signals do all that we need.
control_socket_disable = True
# A request line or header longer than this is nobody honest.
limit_request_line = 4094
limit_request_fields = 60

# Workers count requests in files of this folder, so that /metrics tells of all of them.
_metrics_dir = tempfile.mkdtemp(prefix="lianbao-metrics-")
os.environ["PROMETHEUS_MULTIPROC_DIR"] = _metrics_dir
_master = os.getpid()


def on_starting(server):  # type: ignore[no-untyped-def]
    """Faulty settings end the start here, once, and not in every worker."""
    from config.settings import Settings, SettingsError

    try:
        Settings.load()
    except SettingsError as faults:
        server.log.error("%s", faults)
        raise SystemExit(1) from None


def post_worker_init(worker):  # type: ignore[no-untyped-def]
    """Let every worker close business days; which one does is settled among them."""
    if worker.wsgi.extensions["settings"].jobs_in_server:
        worker.wsgi.extensions["business_day"].start()


def child_exit(server, worker):  # type: ignore[no-untyped-def]
    """Drop the gauges of a worker that is gone; its counts stay."""
    from prometheus_client import multiprocess

    multiprocess.mark_process_dead(worker.pid)


def on_exit(server):  # type: ignore[no-untyped-def]
    """Leave nothing behind."""
    if os.getpid() == _master:
        shutil.rmtree(_metrics_dir, ignore_errors=True)
