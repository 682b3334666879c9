"""Servers to try things by hand: `python -m tests.servers [--durable] [-- COMMAND …]`.

Without a command it prints the two addresses and waits for Ctrl-C; with one it runs it with
TEST_DATABASE_URL and TEST_REDIS_URL set, and ends with its exit status.
"""

import argparse
import os
import signal
import subprocess
import sys

from tests.servers import ServerError, postgres_server, valkey_server


def main(arguments: list[str]) -> int:
    split = arguments.index("--") if "--" in arguments else len(arguments)
    command = arguments[split + 1 :]
    parser = argparse.ArgumentParser(prog="python -m tests.servers", description=__doc__)
    parser.add_argument("--durable", action="store_true", help="PostgreSQL that survives a crash")
    chosen = parser.parse_args(arguments[:split])
    try:
        with postgres_server(durable=chosen.durable) as database, valkey_server() as cache:
            addresses = {"TEST_DATABASE_URL": database, "TEST_REDIS_URL": cache}
            if command:
                return subprocess.run(command, env={**os.environ, **addresses}).returncode
            for name, url in addresses.items():
                print(f"export {name}={url}", flush=True)
            print("# Ctrl-C ends both", flush=True)
            signal.pause()
    except KeyboardInterrupt:
        pass
    except ServerError as error:
        print(f"servers: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
