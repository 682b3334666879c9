"""Networks as files: whole or not there, shared by processes, switched at once."""

from __future__ import annotations

import multiprocessing
import os
import signal
from pathlib import Path

import numpy as np
import pytest

from graph.arrays import ArrayNetwork, from_edges, from_rows
from graph.errors import BadParameter, BadSnapshot
from graph.snapshots import SnapshotStore, attach_network, write_network

VERSIONS = 60
SPAWN = multiprocessing.get_context("spawn")


def version(number: int) -> ArrayNetwork:
    """A network of which every part tells which version it is."""
    tails = np.arange(400)
    return from_rows(tails, tails + 1, np.full(400, number), ids=np.arange(401))


def same(a: ArrayNetwork, b: ArrayNetwork) -> bool:
    return a.ids_of(range(a.n)) == b.ids_of(range(b.n)) and all(
        np.array_equal(a.arrays()[name], b.arrays()[name]) for name in a.arrays()
    )


@pytest.mark.parametrize(
    "network",
    [
        from_edges([]),
        from_edges([(3, 1, 5), (1, 9, 0)], {3: 7}),
        from_edges([("ana", "本", 5), (4, "ana", 2)], {"本": 1}),
    ],
)
def test_what_was_written_is_what_is_attached(tmp_path, network):
    size = write_network(network, tmp_path / "one.network")
    assert size == (tmp_path / "one.network").stat().st_size
    found = attach_network(tmp_path / "one.network")
    assert same(found, network)
    assert not found.out_room.flags.writeable
    assert [path.name for path in tmp_path.iterdir()] == ["one.network"]


def test_a_reader_keeps_its_version_when_the_file_is_replaced_or_removed(tmp_path):
    path = tmp_path / "one.network"
    write_network(version(1), path)
    held = attach_network(path)
    write_network(version(2), path)
    assert (held.out_room == 1).all()
    path.unlink()
    assert (held.in_room == 1).all()


@pytest.mark.parametrize("left", [0, 5, 15, 60, 2_000, -1])
def test_a_file_that_was_cut_short_is_refused(tmp_path, left):
    path = tmp_path / "one.network"
    write_network(version(1), path)
    whole = path.read_bytes()
    path.write_bytes(whole[:left])
    with pytest.raises(BadSnapshot, match=r"one\.network cannot be attached"):
        attach_network(path)


def test_a_file_of_another_kind_or_format_is_refused(tmp_path):
    path = tmp_path / "one.network"
    path.write_bytes(b"something else entirely")
    with pytest.raises(BadSnapshot, match="does not begin as one"):
        attach_network(path)
    write_network(version(1), path)
    path.write_bytes(path.read_bytes().replace(b'"format":1', b'"format":9'))
    with pytest.raises(BadSnapshot, match="its format is 9"):
        attach_network(path)


def test_ids_that_no_file_can_hold_are_refused_and_nothing_is_left(tmp_path):
    with pytest.raises(BadParameter, match="cannot be kept in a file"):
        write_network(from_edges([(("a", 1), "b", 1)]), tmp_path / "one.network")
    assert list(tmp_path.iterdir()) == []


def test_a_store_switches_and_prunes(tmp_path):
    store = SnapshotStore(tmp_path / "deep" / "folder")
    assert (store.current_version(), store.versions()) == (None, ())
    with pytest.raises(BadSnapshot, match="nothing was published"):
        store.attach()
    for number in (1, 2, 3):
        store.publish(version(number), f"v{number}")
    assert store.current_version() == "v3"
    assert store.attach("v1").out_room[0] == 1
    with pytest.raises(BadParameter, match="a version 'v1' already"):
        store.publish(version(9), "v1")
    assert store.prune({"v2"}) == ("v1",)
    assert store.versions() == ("v2", "v3")
    with pytest.raises(BadSnapshot, match="there is no such version"):
        store.attach("v1")


@pytest.mark.parametrize("name", ["", "../v1", "a/b", ".v1", "v" * 101, "v\n"])
def test_a_version_cannot_be_named_out_of_its_folder(tmp_path, name):
    with pytest.raises(BadParameter, match="cannot name a version"):
        SnapshotStore(tmp_path).publish(version(1), name)
    assert list(tmp_path.iterdir()) == []


def _publish_many(folder: str) -> None:
    store = SnapshotStore(Path(folder))
    for number in range(1, VERSIONS + 1):
        store.publish(version(number), f"v{number}")


def _read_until_the_last(folder: str, said: object) -> None:
    store = SnapshotStore(Path(folder))
    seen = 0
    while seen < VERSIONS:
        network = store.attach()
        values = {*network.out_room.tolist(), *network.in_room.tolist()}
        if len(values) != 1 or max(values) < seen:
            said.put(f"saw {sorted(values)} after {seen}")
            return
        seen = max(values)
    said.put("whole")


def test_readers_in_other_processes_never_see_half_a_version(tmp_path):
    SnapshotStore(tmp_path).publish(version(0), "first")
    said = SPAWN.Queue()
    readers = [
        SPAWN.Process(target=_read_until_the_last, args=(str(tmp_path), said)) for _ in range(2)
    ]
    writer = SPAWN.Process(target=_publish_many, args=(str(tmp_path),))
    for process in (*readers, writer):
        process.start()
    assert [said.get(timeout=60) for _ in readers] == ["whole", "whole"]
    for process in (*readers, writer):
        process.join(timeout=60)
        assert process.exitcode == 0


def _publish_for_ever(folder: str, run: int, started: object) -> None:
    store = SnapshotStore(Path(folder))
    number = 0
    while True:
        number += 1
        store.publish(version(number), f"run-{run}-{number}")
        if number == 5:
            started.set()


def test_a_writer_killed_at_any_moment_leaves_a_whole_current_version(tmp_path):
    for run in range(5):
        started = SPAWN.Event()
        writer = SPAWN.Process(target=_publish_for_ever, args=(str(tmp_path), run, started))
        writer.start()
        assert started.wait(timeout=60)
        assert writer.pid is not None
        os.kill(writer.pid, signal.SIGKILL)
        writer.join(timeout=60)
        network = SnapshotStore(tmp_path).attach()
        assert len({*network.out_room.tolist(), *network.in_room.tolist()}) == 1
