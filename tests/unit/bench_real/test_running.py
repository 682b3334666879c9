"""The runner: unknown names, missing files and columns are said, not thrown."""

import gzip

import pytest

from tests.bench.real import __main__ as runner
from tests.bench.real.tables import BadTable, codes, numbers, read_table, size, texts


def test_all_benchmarks_are_found_in_order():
    assert list(runner.benchmarks()) == [f"B{k}" for k in range(1, 9)]


def test_unknown_names_and_folders_are_said(tmp_path, capsys):
    assert runner.main(["--data", str(tmp_path), "B99"]) == 2
    assert runner.main(["--data", str(tmp_path / "none")]) == 2
    assert "B99" in capsys.readouterr().err


def test_a_missing_file_is_named_and_the_others_run(tmp_path, capsys):
    assert runner.main(["--data", str(tmp_path), "b8"]) == 1
    assert "sarafu_net_balances.csv.gz is not in the folder" in capsys.readouterr().out


def test_tables_are_read_packed_or_plain_with_gaps(tmp_path):
    text = "a,b,c\n1,x,True\n,y,\nbad,x,False\n1,2\n"
    (tmp_path / "plain.csv").write_text(text)
    with gzip.open(tmp_path / "packed.csv.gz", "wt") as file:
        file.write(text)
    for name in ("plain", "packed"):
        table = read_table(tmp_path, name, ("a",))
        assert size(table) == 3
        assert numbers(table, "a")[0] == 1
        assert (numbers(table, "a") != numbers(table, "a")).tolist() == [False, True, True]
        assert numbers(table, "c")[[0, 2]].tolist() == [1, 0]
        assert codes(texts(table, "b")).tolist() == [0, 1, 0]
        assert texts(table, "not there") == ["", "", ""]
    with pytest.raises(BadTable, match="no column d"):
        read_table(tmp_path, "plain", ("a", "d"))
    with pytest.raises(FileNotFoundError):
        read_table(tmp_path, "neither")
