"""`gunicorn --config config/gunicorn.py wsgi:app`."""

from app import create_app
from config.settings import SettingsError

try:
    app = create_app()
except SettingsError as faults:
    # A list for whoever set them, without the way through our code that led here.
    raise SystemExit(str(faults)) from None
