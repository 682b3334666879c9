"""Clients of a bench, in a process of their own: each asks, waits for the answer, asks again.

    python -m tests.bench.clients < job.json > result.json

The job: port, clients, seconds, seed, and `asks`, each with its name, weight, method and `which`:
places with path, token and body, one of which is chosen. `numbered` is a field of the body that
has to differ from request to request. Connections are kept.
"""

import http.client
import json
import random
import sys
import threading
import time
import uuid
from typing import Any


def main() -> None:
    """Work the job off; the result has every request's name, status and milliseconds."""
    job: dict[str, Any] = json.load(sys.stdin)
    gate = threading.Barrier(job["clients"] + 1)
    results: list[list[tuple[str, int, float]]] = [[] for _ in range(job["clients"])]
    said: list[str] = []

    def client(place: int) -> None:
        dice = random.Random(f"{job['seed']} {place}")
        weights = [ask["weight"] for ask in job["asks"]]
        connection = http.client.HTTPConnection("127.0.0.1", job["port"], timeout=120)
        gate.wait()
        end = time.perf_counter() + job["seconds"]
        while time.perf_counter() < end:
            [ask] = dice.choices(job["asks"], weights)
            which = dice.choice(ask["which"])
            headers = {"Authorization": f"Bearer {which['token']}"} if which["token"] else {}
            body = None
            if ask["method"] == "POST":
                headers |= {"Content-Type": "application/json", "Idempotency-Key": uuid.uuid4().hex}
                body = json.dumps(which["body"] | _once(ask, place, dice))
            started = time.perf_counter()
            connection.request(ask["method"], which["path"], body, headers)
            answer = connection.getresponse()
            text = answer.read()
            took = (time.perf_counter() - started) * 1e3
            results[place].append((ask["name"], answer.status, took))
            if answer.status >= 400 and len(said) < 20:
                said.append(f"{ask['name']} {answer.status} {text[:300]!r}")
        connection.close()

    threads = [threading.Thread(target=client, args=(place,)) for place in range(job["clients"])]
    for thread in threads:
        thread.start()
    gate.wait()
    started = time.perf_counter()
    for thread in threads:
        thread.join()
    took = time.perf_counter() - started
    done = [row for rows in results for row in rows]
    cpu = time.process_time()
    json.dump({"seconds": took, "done": done, "said": said, "cpu": cpu}, sys.stdout)


def _once(ask: dict[str, Any], place: int, dice: random.Random) -> dict[str, str]:
    """What has to differ from one request to the next."""
    if ask["numbered"]:
        return {ask["numbered"]: f"{place}-{dice.randrange(10**12)}"}
    return {}


if __name__ == "__main__":
    main()
