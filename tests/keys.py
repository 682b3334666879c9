"""Keys for personal identifiers that open nothing but what tests made."""

from base64 import b64encode
from typing import Any

from community.sealing import Keyring, use

DATA_KEYS = (("test", bytes(range(32))),)
INDEX_KEY = bytes(range(32, 64))
# For settings made by hand, and for those read from an environment.
KEYS: dict[str, Any] = {"personal_data_keys": DATA_KEYS, "personal_index_key": INDEX_KEY}
ENVIRON = {
    "PERSONAL_DATA_KEYS": f"test:{b64encode(DATA_KEYS[0][1]).decode()}",
    "PERSONAL_INDEX_KEY": b64encode(INDEX_KEY).decode(),
}


def use_test_keys() -> None:
    """Engines made without keys take these."""
    use(Keyring(DATA_KEYS, INDEX_KEY))
