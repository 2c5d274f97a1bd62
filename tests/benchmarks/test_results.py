"""What a benchmark notes beside its figures."""

from benchmarks.results import called


def test_the_recorded_command_leaves_out_where_it_wrote(monkeypatch):
    given = ["/any/benchmarks/rewriting.py", "--out", "a b", "--repeats", "3"]
    monkeypatch.setattr("sys.argv", given)
    assert called() == "python -m benchmarks.rewriting --repeats 3"
