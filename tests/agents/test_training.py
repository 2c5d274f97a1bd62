"""What a training run keeps when it is killed at an unlucky moment."""

import pytest

from agents.training import recover_checkpoint, save_checkpoint


class Saver:
    """Stands where the algorithm does: all that matters here is when it writes, and what."""

    def __init__(self, content):
        self.content = content

    def save_to_path(self, path):
        from pathlib import Path

        Path(path).mkdir()
        (Path(path) / "state").write_text(self.content)


def test_a_run_killed_while_it_exchanges_checkpoints_keeps_the_last_one(tmp_path, monkeypatch):
    path = tmp_path / "checkpoint"
    save_checkpoint(Saver("first"), path)
    rename = type(path).rename

    def killed_at_the_second(self, target):
        if self.suffix == ".new":
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(type(path), "rename", killed_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        save_checkpoint(Saver("second"), path)
    monkeypatch.undo()
    assert not path.exists()
    recover_checkpoint(path)
    assert (path / "state").read_text() == "first"
    save_checkpoint(Saver("third"), path)
    assert (path / "state").read_text() == "third"
    assert [left.name for left in tmp_path.iterdir()] == ["checkpoint"]
